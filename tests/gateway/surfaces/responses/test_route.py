"""`/v1/responses` through the front door: where the stream begins and ends, booking, storing, leaving."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from accounts import StoreUnavailableError
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, SuggestedReply, TextDelta, UsageReported
from tests.gateway.scripted import Answer, Hang, House, Pause

PATH = "/v1/responses"
QUESTION: dict[str, Any] = {"model": "GPT-5", "input": "Hi"}
STREAM = QUESTION | {"stream": True}


def events_of(answer: Answer) -> list[dict[str, Any]]:
    blocks = [block for block in answer.body.decode().split("\n\n") if block.startswith("event: ")]
    return [json.loads(block.partition("\ndata: ")[2]) for block in blocks]


async def test_the_lease_is_given_back_and_booked_before_the_last_event(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hi"), UsageReported(5, 1), Finished())
    seen: list[tuple[bool, int]] = []

    def note(_: Answer, part: bytes) -> None:
        seen.append((b"response.completed" in part, len(house.store.held)))

    answer = await house.call(PATH, STREAM, on_part=note)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (True, 0) in seen
    outcome, usage = house.store.released[0]
    assert usage is not None
    assert (outcome.code, usage.prompt_tokens, usage.completion_tokens) == ("ok", 5, 1)


async def test_the_same_question_below_every_base_address(house: House) -> None:
    await house.add_account()
    for path in ("/responses", "/v1/responses/", "/v1/v1/responses"):
        assert (await house.call(path, QUESTION)).json["object"] == "response"


async def test_an_old_codename_is_known_although_no_list_has_the_bot(house: House) -> None:
    """Programs for the original gateway use Poe's own handles."""
    await house.store.put_config("models", {"models": [{"id": "Another"}]})
    await house.add_account()
    assert (await house.call(PATH, QUESTION | {"model": "claude_2_1_cedar"})).status == 200
    assert house.poe.requests[0].bot == "Claude-3-Opus"


async def test_an_estimate_is_marked_as_one(house: House) -> None:
    await house.add_account()
    usage = (await house.call(PATH, QUESTION)).json["usage"]
    assert usage["estimated"] is True
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_suggested_replies_are_an_extension(house: House, is_streamed: bool) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hi"), SuggestedReply("More?"), Finished())
    answer = await house.call(PATH, QUESTION | {"stream": is_streamed})
    response = events_of(answer)[-1]["response"] if is_streamed else answer.json
    assert response["suggested_replies"] == ["More?"]
    assert len(response["output"]) == 1


async def test_another_account_answers_when_the_first_fails(house: House) -> None:
    await house.add_account("one")
    await house.add_account("two")
    house.poe.enqueue(poe_error(ErrorCode.BOT_UNAVAILABLE))
    house.poe.enqueue(TextDelta("Hi"), Finished())
    events = events_of(await house.call(PATH, STREAM))
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hi"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


@pytest.mark.parametrize("is_streamed", [True, False])
@pytest.mark.parametrize(
    ("blamed", "param"),
    [("reasoning_effort", "reasoning.effort"), ("messages[2].content", "input"), ("max_tokens", "max_output_tokens")],
)
async def test_a_field_that_the_upstream_blames_has_the_callers_name(
    house: House, is_streamed: bool, blamed: str, param: str
) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.INVALID_REQUEST, param=blamed))
    answer = await house.call(PATH, QUESTION | {"stream": is_streamed})
    assert (answer.status, answer.error["param"]) == (400, param)


@pytest.mark.virtual_time
async def test_a_failure_after_a_comment_still_tells_the_whole_life(house: House) -> None:
    """The status is gone with the comment, so the error must be in the stream, and helpers want its beginning first."""
    await house.add_account()
    pause = Pause()
    house.poe.enqueue(pause, poe_error(ErrorCode.CONTENT_REFUSED))
    answer = await house.call(PATH, STREAM, on_part=lambda *_: pause.event.set())
    assert answer.status == 200
    assert answer.body.startswith(b": ping\n\n")
    assert [event["type"] for event in events_of(answer)] == [
        "response.created",
        "response.in_progress",
        "response.failed",
        "error",
    ]


@pytest.mark.virtual_time
@pytest.mark.parametrize("environment", [{"GATEWAY_STORE": "memory", "GATEWAY_MAX_ANSWER_SECONDS": "1"}])
async def test_the_deadline_ends_a_stream_as_failed(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"), Hang())
    events = events_of(await house.call(PATH, STREAM))
    assert events[-2]["response"]["status"] == "failed"
    assert events[-1]["code"] == "upstream_timeout"
    assert house.poe.stopped == len(house.poe.requests) <= 1


async def test_the_runtime_knows_what_to_say_in_our_place(house: House) -> None:
    await house.add_account()
    extension: dict[str, Any] = {}
    await house.call(PATH, STREAM, scope={"extensions": {"aws.lambda": extension}})
    assert extension["abort_body"].startswith(b"event: error\n")
    assert b"upstream_timeout" in extension["abort_body"]


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_leaving_stops_the_upstream_and_stores_nothing(house: House, is_streamed: bool) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"), Hang())
    gone = asyncio.Event()
    task = asyncio.create_task(house.call(PATH, QUESTION | {"stream": is_streamed}, disconnect=gone))
    await house.until_asked()
    gone.set()
    await task
    assert house.poe.stopped == 1
    assert house.lines("request.ended")[0]["error"] == "client_gone"


async def test_cancelled_from_outside_a_stream_ends_as_failed(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"), Hang())
    started = asyncio.Event()
    parts: list[bytes] = []

    def note(_: Answer, part: bytes) -> None:
        parts.append(part)
        started.set()

    task = asyncio.create_task(house.call(PATH, STREAM, on_part=note))
    async with asyncio.timeout(30):
        await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert b"event: response.failed" in parts[-1]
    assert b"event: error" in parts[-1]


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_an_answer_is_given_although_it_cannot_be_stored(
    house: House, monkeypatch: pytest.MonkeyPatch, is_streamed: bool
) -> None:
    await house.add_account()

    async def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("put", "Throttled")

    monkeypatch.setattr(house.store, "put_document", fail)
    answer = await house.call(PATH, QUESTION | {"stream": is_streamed})
    response = events_of(answer)[-1]["response"] if is_streamed else answer.json
    assert (response["status"], response["store"]) == ("completed", False)


@pytest.mark.parametrize("environment", [{"GATEWAY_STORE": "memory", "GATEWAY_RESPONSE_TTL_DAYS": "0"}])
async def test_nothing_is_stored_where_storing_is_off(house: House) -> None:
    await house.add_account()
    response = (await house.call(PATH, QUESTION)).json
    assert response["store"] is False
    assert (await house.call(f"{PATH}/{response['id']}")).status == 404


async def test_stored_responses_expire(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.add_account()
    kept: list[float | None] = []
    put = house.store.put_document

    async def note(*arguments: Any, ttl_seconds: float | None) -> None:
        kept.append(ttl_seconds)
        await put(*arguments, ttl_seconds=ttl_seconds)

    monkeypatch.setattr(house.store, "put_document", note)
    await house.call(PATH, QUESTION)
    assert kept == [30 * 86_400.0]


async def test_input_is_counted_without_asking_anybody(house: House) -> None:
    await house.add_account()
    first = (await house.call(PATH, QUESTION)).json
    counted = await house.call(f"{PATH}/input_tokens", {"input": "Hi"})
    continued = await house.call(f"{PATH}/input_tokens", {"input": "Hi", "previous_response_id": first["id"]})
    assert counted.json["object"] == "response.input_tokens"
    assert continued.json["input_tokens"] > counted.json["input_tokens"] > 0
    assert len(house.poe.requests) == 1


async def test_deleting_says_what_was_deleted(house: House) -> None:
    await house.add_account()
    response_id = (await house.call(PATH, QUESTION)).json["id"]
    answer = await house.call(f"{PATH}/{response_id}", method="DELETE")
    assert answer.json == {"id": response_id, "object": "response.deleted", "deleted": True}
    assert (await house.call(f"{PATH}/{response_id}", method="DELETE")).error["code"] == "not_found"


async def test_a_stored_response_is_not_streamed_again(house: House) -> None:
    await house.add_account()
    response_id = (await house.call(PATH, QUESTION)).json["id"]
    answer = await house.call(f"{PATH}/{response_id}?stream=true")
    assert (answer.status, answer.error["param"]) == (400, "stream")


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=x", "limit"), ("limit=1000", "limit"), ("order=up", "order"), ("after=x", "after")],
)
async def test_wrong_pages_are_refused(house: House, query: str, param: str) -> None:
    await house.add_account()
    response_id = (await house.call(PATH, QUESTION)).json["id"]
    answer = await house.call(f"{PATH}/{response_id}/input_items?{query}")
    assert (answer.status, answer.error["param"]) == (400, param)


@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")]
)
async def test_every_address_wants_a_key_and_a_response(house: House, method: str, suffix: str) -> None:
    path = f"{PATH}/resp_{'0' * 32}{suffix}"
    assert (await house.call(path, method=method, key=None)).status == 401
    answer = await house.call(path, method=method)
    assert (answer.status, answer.error["code"]) == (404, "not_found")


async def test_no_prompt_and_no_answer_reaches_the_log(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("secret answer"), Finished())
    body = {"model": "GPT-5", "input": "secret question", "instructions": "secret rule"}
    await house.call(PATH, body)
    await house.call(PATH, body | {"temperature": 9})
    assert "secret" not in house.log.getvalue()
