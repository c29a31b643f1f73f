"""The streamed form, on the wire."""

import asyncio
import pytest


async def test_each_body_message_arrives_while_the_application_still_works(
    runtime_api, start_loop, function_url
):
    gate = asyncio.Event()

    async def app(scope, receive, send):
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await gate.wait()
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    start_loop(app)
    ex = runtime_api.enqueue(function_url())
    await ex.chunk(2)
    assert ex.chunks[2:] == [b"one"]
    gate.set()
    await ex.end()
    assert ex.streamed_body == b"onetwo"
    assert ex.prelude == {"statusCode": 200, "headers": {"content-type": "text/event-stream"}, "cookies": []}
    assert ex.trailers == {}
