"""Forms that can't be read."""

from __future__ import annotations

import logging

import pytest
from starlette.datastructures import Headers

from gateway.http.errors import GatewayError
from gateway.http.multipart import read_form

SECRET = "a-prompt-that-nobody-may-log"
HEADERS = Headers({"content-type": "multipart/form-data; boundary=b0undary"})
PART = f'--b0undary\r\ncontent-disposition: form-data; name="prompt"\r\n\r\n{SECRET}\r\n'.encode()


@pytest.mark.parametrize(
    "body",
    [
        SECRET.encode(),
        b"--" + SECRET.encode(),
        PART + b"--b0undaryX",
        PART + b"--b0undary--" + SECRET.encode(),
        PART + b"--b0undary\r\n" + SECRET.encode() + b"\x00: 1\r\n\r\n",
        PART.replace(b"name=", SECRET.encode() + b"\xff="),
        PART.replace(b"content-disposition", b"content-transfer-encoding: " + SECRET.encode() + b"\r\nx"),
    ],
    ids=["no form", "another boundary", "a broken end", "more after the end", "header", "parameter", "encoding"],
)
async def test_nothing_of_a_body_is_logged(body: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """However much is logged: the level is the root's, as an application sets it."""
    caplog.set_level(logging.DEBUG)
    try:
        await read_form(body, HEADERS)
    except GatewayError as error:
        assert SECRET not in str(error)
    assert not [record for record in caplog.records if record.name.startswith("python_multipart")]
    assert SECRET not in caplog.text


@pytest.mark.parametrize("preamble", [b"", b"\r\n", b"This is a message in parts.\r\n", b"a\r\n--other\r\n"])
async def test_what_stands_before_the_first_boundary_says_nothing(preamble: bytes) -> None:
    form = await read_form(preamble + PART + b"--b0undary--\r\n", HEADERS)
    assert form.fields == {"prompt": SECRET}
