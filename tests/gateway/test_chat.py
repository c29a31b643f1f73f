"""`POST /v1/chat/completions` through the front door."""

from __future__ import annotations

from reverse.events import Finished, TextDelta
from tests.gateway.scripted import House, ask


async def test_a_stream_has_openais_chunk_order(house: House) -> None:
    """Role once, deltas, finish reason once, `[DONE]`; no usage unless asked."""
    await house.add_account()
    house.poe.enqueue(TextDelta("He"), TextDelta("llo"), Finished())
    answer = await house.call(body=ask(stream=True))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text == "Hello"
    assert answer.events[-1] == "[DONE]"
    choices = [chunk["choices"][0] for chunk in answer.chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "stop"]
    assert sum("role" in choice["delta"] for choice in choices) == 1
    assert not any("usage" in chunk for chunk in answer.chunks)


async def test_a_buffered_answer_is_one_object(house: House) -> None:
    await house.add_account()
    answer = await house.call(body=ask())
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"] == "Hello there"
    assert answer.json["choices"][0]["finish_reason"] == "stop"
