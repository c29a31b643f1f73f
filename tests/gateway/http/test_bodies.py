"""Bodies that are broken, hostile or large: JSON and forms."""

from __future__ import annotations

import logging

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from gateway.http.bodies import MAX_DEPTH, _is_more, decode_field, read_form, read_json
from gateway.http.errors import GatewayError
from tests.gateway.scripted import House, ask

LEVELS = {"[": "]", '{"a":': "}", '[{"a":': "}]"}


def nested(opening: str, depth: int) -> str:
    return opening * depth + "1" + LEVELS[opening] * depth


def request(body: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    return Request({"type": "http", "headers": [], "method": "POST", "path": "/"}, receive)


@pytest.mark.parametrize("opening", LEVELS)
@pytest.mark.parametrize("depth", [MAX_DEPTH + 5, 1200, 5000, 200_000])
async def test_deep_nesting_is_the_callers_mistake(opening: str, depth: int) -> None:
    text = nested(opening, depth)
    with pytest.raises(ValueError, match="deeply"):
        decode_field(text)
    with pytest.raises(GatewayError) as caught:
        await read_json(request(f'{{"metadata": {text}}}'), max_bytes=1 << 22)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@pytest.mark.parametrize("opening", LEVELS)
@pytest.mark.parametrize("depth", [150, 1200, 5000])
async def test_so_it_is_in_the_text_of_a_field(house: House, opening: str, depth: int) -> None:
    await house.add_account()
    parameters = f'{{"b": {nested(opening, depth)}}}'
    bodies = {
        "/v1/chat/completions": ask(extra_body={"parameters": parameters}),
        "/v1/images/generations": {"model": "gpt-image-1", "prompt": "a", "parameters": parameters},
    }
    for path, body in bodies.items():
        answer = await house.call(path, body)
        assert answer.status == 400, path
        assert "parameters" in answer.error["param"]
    assert not house.poe.requests


@pytest.mark.parametrize(
    ("digits", "is_more"),
    [("6", False), ("10", False), ("11", True), ("0" * 5000 + "9", False), ("0" * 20 + "11", True), ("9" * 5000, True)],
)
def test_a_length_is_compared_however_it_is_written(digits: str, is_more: bool) -> None:
    assert _is_more(digits, 10) is is_more


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
