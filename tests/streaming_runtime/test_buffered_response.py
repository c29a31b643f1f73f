"""Responses that are not streamed."""

import json
from pathlib import Path

import pytest
from mangum import Mangum

from streaming_runtime.buffered_response import MAX_BODY_BYTES, BufferedResponse
from streaming_runtime.context import LambdaContext
from streaming_runtime.errors import AppProtocolError
from streaming_runtime.events import build_request
from streaming_runtime.failures import DEADLINE
from streaming_runtime.response_head import parse_head
from streaming_runtime.runtime_api import Invocation
from streaming_runtime.settings import Address, FunctionIdentity, Settings

HEADERS = [
    (b"Content-Type", b"text/plain"),
    (b"set-cookie", b"a=1"),
    (b"set-cookie", b"b=2"),
    (b"x", b"\xe9"),
]
HEAD = parse_head({"status": 201, "headers": HEADERS})


@pytest.fixture
def encode(function_url, current_loop):
    def encode(response: BufferedResponse) -> dict:
        context = LambdaContext(Invocation("id", 1, b""), FunctionIdentity())
        settings = Settings(Address("127.0.0.1", 1), "", Path())
        request = build_request(function_url(), context, Mangum(app), settings)
        return json.loads(response.encode(request.adapter))

    return encode


async def app(scope, receive, send) -> None:
    """Never called here."""


async def filled(*parts: bytes) -> BufferedResponse:
    response = BufferedResponse()
    await response.open(HEAD, b"")
    for part in parts:
        response.write(part)
    response.finish(b"")
    return response


async def test_it_is_mangums_ordinary_answer(encode):
    assert encode(await filled(b"ab", b"c")) == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain", "x": "é"},
        "cookies": ["a=1", "b=2"],
        "body": "abc",
        "isBase64Encoded": False,
    }


async def test_bytes_that_are_no_text_travel_in_base64(encode):
    document = encode(await filled(b"\xff\x00"))
    assert document["isBase64Encoded"] and document["body"] == "/wA="


async def test_more_than_lambda_takes_is_refused_in_the_application():
    response = await filled(b"a" * MAX_BODY_BYTES)
    with pytest.raises(AppProtocolError):
        response.write(b"a")


async def test_a_failure_replaces_what_was_kept(encode):
    response = await filled(b"half")
    response.fail(b"", DEADLINE)
    document = encode(response)
    assert document["statusCode"] == 504 and "half" not in document["body"] and "cookies" not in document
