"""`POST /v1/chat/completions` through the front door."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from accounts import AccountKind
from gateway.generation.usage import UNKNOWN_POINTS
from gateway.settings import Settings
from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
    UsageReported,
)
from tests.gateway.scripted import API_KEY, Answer, Hang, House, Pause, ask


async def test_a_stream_has_openais_chunk_order(house: House) -> None:
    """Role once, deltas, finish reason once, `[DONE]`; no usage unless asked."""
    await house.add_account()
    house.poe.enqueue(TextDelta("He"), TextDelta("llo"), Finished())
    answer = await house.call(body=ask(stream=True))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == "Hello"
    assert answer.events[-1] == "[DONE]"
    choices = [chunk["choices"][0] for chunk in answer.chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "stop"]
    assert sum("role" in choice["delta"] for choice in choices) == 1
    assert not any("usage" in chunk for chunk in answer.chunks)
    assert len({chunk["id"] for chunk in answer.chunks}) == 1
    assert {chunk["model"] for chunk in answer.chunks} == {"GPT-5"}


async def test_each_chunk_leaves_while_the_upstream_still_talks(house: House) -> None:
    await house.add_account()
    pauses = [Pause(), Pause()]
    house.poe.enqueue(TextDelta("one"), pauses[0], TextDelta("two"), pauses[1], Finished())
    seen: list[str] = []

    def on_part(answer: Answer, part: bytes) -> None:
        seen.append(answer.text)
        if len(seen) <= len(pauses):
            pauses[len(seen) - 1].event.set()

    await house.call(body=ask(stream=True), on_part=on_part)
    assert seen[:2] == ["one", "onetwo"]


async def test_a_buffered_answer_is_one_object(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(
        ReasoningDelta("hm"), TextDelta("Hello"), UsageReported(10, 5, points=7), Finished(FinishReason.LENGTH)
    )
    answer = await house.call(body=ask())
    assert answer.status == 200
    body = answer.json
    assert body["object"] == "chat.completion"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello", "refusal": None, "reasoning_content": "hm"},
            "logprobs": None,
            "finish_reason": "length",
        }
    ]
    expected = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "estimated": False, "points": 7}
    expected["points_estimated"] = False
    assert body["usage"] == expected


@pytest.mark.parametrize("stream", [True, False])
async def test_stop_and_max_tokens_cut_both_modes_to_the_same_text(house: House, stream: bool) -> None:
    """And the upstream is told to stop."""
    await house.add_account("cookie", AccountKind.WEB)
    house.poe.enqueue(TextDelta("one S"), TextDelta("TOP two"), Hang())
    house.poe.enqueue(TextDelta("abcde"), TextDelta("fghi"), Hang())
    answers = [
        await house.call(body=ask(stream=stream, stop="STOP")),
        await house.call(body=ask(stream=stream, max_tokens=2)),
    ]
    texts = [answer.text if stream else answer.json["choices"][0]["message"]["content"] for answer in answers]
    reasons = [(answer.chunks[-1] if stream else answer.json)["choices"][0]["finish_reason"] for answer in answers]
    assert (texts, reasons) == (["one ", "abcdefgh"], ["stop", "length"])
    assert house.poe.stopped == 2


async def test_usage_comes_in_a_last_chunk_only_when_asked(house: House) -> None:
    await house.add_account()
    answer = await house.call(body=ask("x" * 40, stream=True, stream_options={"include_usage": True}))
    last = answer.chunks[-1]
    assert last["choices"] == []
    assert (
        last["usage"]
        == {"prompt_tokens": 14, "completion_tokens": 3, "total_tokens": 17, "estimated": True} | UNKNOWN_POINTS
    )
    assert all(chunk["usage"] is None for chunk in answer.chunks[:-1])


async def test_tool_calls_of_an_official_account(house: House) -> None:
    await house.add_account()
    script: list[Any] = [
        ToolCallDelta(0, "", "call_1", "f"),
        ToolCallDelta(0, '{"a"'),
        ToolCallDelta(0, ":1}"),
        ToolCallDelta(1, "{}", "call_2", "g"),
        Finished(FinishReason.TOOL_CALLS),
    ]
    tools = [{"type": "function", "function": {"name": "f"}}]
    house.poe.enqueue(*script)
    house.poe.enqueue(*script)
    buffered = await house.call(body=ask(tools=tools))
    message = buffered.json["choices"][0]["message"]
    assert message["content"] is None
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "f", "arguments": '{"a":1}'},
        {"name": "g", "arguments": "{}"},
    ]
    streamed = await house.call(body=ask(tools=tools, stream=True))
    assert streamed.chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    deltas = [call for chunk in streamed.chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
    assert [delta["index"] for delta in deltas] == [0, 0, 0, 1]
    assert "id" not in deltas[1]
    assert house.poe.requests[0].tools[0]["function"]["name"] == "f"


@pytest.mark.parametrize("stream", [True, False])
async def test_files_end_as_links_in_the_text(house: House, stream: bool) -> None:
    """Even when the last event brings no text."""
    await house.add_account()
    house.poe.enqueue(
        TextDelta("See https://p/1"), FileAttached("https://p/1"), FileAttached("https://p/2"), Finished()
    )
    answer = await house.call(body=ask(stream=stream))
    text = answer.text if stream else answer.json["choices"][0]["message"]["content"]
    assert text == "See https://p/1\n\nhttps://p/2"


async def test_progress_notes_are_replaced_not_repeated(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    for _ in range(2):
        house.poe.enqueue(TextDelta("Thinking... (3s elapsed)"), TextReplaced("Four."), Finished())
    assert (await house.call(body=ask(stream=True))).text == "Four."
    assert (await house.call(body=ask())).json["choices"][0]["message"]["content"] == "Four."


async def test_a_failure_before_the_first_event_has_its_status_in_a_stream_too(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.CONTENT_REFUSED))
    answer = await house.call(body=ask(stream=True))
    assert (answer.status, answer.error["code"]) == (400, "content_filter")
    assert answer.headers["content-type"] == "application/json"


async def test_a_failure_in_mid_stream_is_an_error_event_and_the_end(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.UPSTREAM_FAILED))
    answer = await house.call(body=ask(stream=True))
    assert answer.status == 200
    assert answer.text == "Hel"
    assert answer.chunks[-1]["error"]["code"] == "upstream_error"
    assert "[DONE]" not in answer.events
    assert house.store.released[-1][0].code == "upstream_failed"


async def test_a_failure_in_mid_answer_is_a_502_when_nothing_was_sent(house: House) -> None:
    await house.add_account()
    await house.add_account("other")
    house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.UPSTREAM_FAILED))
    answer = await house.call(body=ask())
    assert (answer.status, answer.error["code"]) == (502, "upstream_error")
    assert len(house.poe.requests) == 1


async def test_an_answer_that_just_ends_is_an_error(house: House) -> None:
    """A client that ends without its last event may have lost the rest: the caller must not take it for whole."""
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"))
    answer = await house.call(body=ask(stream=True))
    assert answer.chunks[-1]["error"]["code"] == "upstream_error"


async def test_the_lease_is_released_before_the_last_byte(house: House) -> None:
    await house.add_account()
    for end in (Finished(), poe_error(ErrorCode.BOT_FAILED)):
        held: list[int] = []
        pause = Pause()
        house.poe.enqueue(TextDelta("x"), pause, end)

        def on_part(answer: Answer, part: bytes, held: list[int] = held, pause: Pause = pause) -> None:
            held.append(len(house.store.held))
            pause.event.set()

        await house.call(body=ask(stream=True), on_part=on_part)
        assert held == [1, 0]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_caller_that_leaves_stops_the_upstream_and_frees_the_account(house: House, stream: bool) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"), Hang())
    gone = asyncio.Event()
    call = asyncio.create_task(house.call(body=ask(stream=stream), disconnect=gone))
    await house.until_asked()
    gone.set()
    await call
    assert house.poe.stopped == 1
    assert house.store.released[-1][0].is_success
    assert house.lines("request.ended")[-1]["status"] == 499


async def test_a_broken_pipe_is_a_caller_that_left(house: House) -> None:
    await house.add_account()
    pause = Pause()
    house.poe.enqueue(TextDelta("a"), pause, TextDelta("b"), Hang())
    await house.call(body=ask(stream=True), send_error_after=1, on_part=lambda answer, part: pause.event.set())
    assert house.poe.stopped == 1
    assert house.lines("request.ended")[-1]["error"] == "client_gone"


class _Context:
    """Lambda's context."""

    def __init__(self, milliseconds: int) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


@pytest.mark.parametrize("script", [[TextDelta("Hel"), Hang()], [Hang()]], ids=["in the middle", "before"])
@pytest.mark.parametrize("stream", [True, False])
async def test_lambdas_deadline_ends_the_answer_with_an_error(house: House, stream: bool, script: list[Any]) -> None:
    await house.add_account()
    house.poe.enqueue(*script)
    scope = {"aws.context": _Context(100)}
    answer = await house.call(body=ask(stream=stream), scope=scope)
    if answer.status == 200:
        assert stream
        assert answer.chunks[-1]["error"]["code"] == "upstream_timeout"
    else:
        assert (answer.status, answer.error["code"]) == (504, "upstream_timeout")
    # On a busy machine the time may be over before Poe is asked.
    assert house.poe.stopped == len(house.poe.requests) <= 1
    assert not house.store.held


async def test_silence_is_filled_with_comments(house: House, environment: dict[str, str]) -> None:
    """The status line leaves with the first comment; a later failure is then an event."""
    environment["GATEWAY_KEEP_ALIVE_SECONDS"] = "0.05"
    impatient = House(Settings.from_env(environment))
    await impatient.add_key()
    await impatient.add_account()
    pause = Pause()
    impatient.poe.enqueue(pause, TextDelta("slow"), Finished())
    answer = await impatient.call(body=ask(stream=True), on_part=lambda answer, part: pause.event.set())
    assert answer.parts[0] == b": ping\n\n"
    assert answer.text == "slow"
    assert answer.events[-1] == "[DONE]"
    pause = Pause()
    impatient.poe.enqueue(pause, poe_error(ErrorCode.CONTENT_REFUSED))
    answer = await impatient.call(body=ask(stream=True), on_part=lambda answer, part: pause.event.set())
    assert answer.status == 200
    assert answer.chunks[-1]["error"]["code"] == "content_filter"


async def test_many_callers_at_once_never_share_a_slot(house: House) -> None:
    await house.add_account("a", max_concurrency=2)
    await house.add_account("b", max_concurrency=2)
    answers = await asyncio.gather(*(house.call(body=ask(stream=True)) for _ in range(8)))
    assert {answer.status for answer in answers} <= {200, 429}
    assert house.store.most_held <= 4
    assert sum(answer.status == 200 for answer in answers) >= 4


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/v1/chat/completions/", "//v1//chat/completions", "/v1/v1/chat/completions"]
)
async def test_base_addresses_as_people_type_them(house: House, path: str) -> None:
    await house.add_account()
    assert (await house.call(path, body=ask())).status == 200


async def test_x_api_key_is_a_key_too(house: House) -> None:
    await house.add_account()
    assert (await house.call(body=ask(), key=None, headers={"X-Api-Key": API_KEY})).status == 200


async def test_half_a_surrogate_pair_is_replaced_wherever_it_stands(house: House) -> None:
    """Programs that cut texts cut emoji in two. UTF-8, and so the table and Poe, can't carry the half."""
    await house.add_account()
    raw = (
        b'{"model": "GPT-5", "prompt_cache_key": "\\ud83d", "metadata": {"session_id": "\\udc00"},'
        b' "messages": [{"role": "user", "content": "a\\ud83d b\\ud83d\\ude00"}]}'
    )
    assert (await house.call(raw=raw)).status == 200
    (asked,) = house.poe.requests
    assert asked.messages[-1].text == "a\ufffd b\U0001f600"
    assert (await house.call(raw=b'{"model": "\\ud800", "messages": [{"role": "user", "content": "x"}]}')).status == 200
    assert house.poe.requests[-1].bot == "\ufffd"
    for outcome, usage in house.store.released:
        assert outcome.is_success
        assert usage is not None
    for intention in house.store.intentions:
        intention.model.encode()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
async def test_a_body_in_another_encoding_than_utf_8_is_not_json(house: House, encoding: str) -> None:
    """RFC 8259 has no other; Python would let half surrogates in through them."""
    answer = await house.call(raw=json.dumps(ask()).encode(encoding))
    assert (answer.status, answer.error["code"]) == (400, "invalid_json")
    assert (await house.call(raw=b'{"model": "\xed\xa0\x80"}')).error["code"] == "invalid_json"
