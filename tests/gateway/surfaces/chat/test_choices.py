"""Several answers to one request."""

from __future__ import annotations

import asyncio

import pytest

from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import Answer, Hang, House, Pause, ask


def texts(answer: Answer) -> dict[int, str]:
    """The text of each choice."""
    if answer.events:
        found: dict[int, str] = {}
        for chunk in answer.chunks:
            for choice in chunk["choices"]:
                found[choice["index"]] = found.get(choice["index"], "") + (choice["delta"].get("content") or "")
        return found
    return {choice["index"]: choice["message"]["content"] for choice in answer.json["choices"]}


@pytest.mark.parametrize("stream", [True, False])
async def test_each_choice_is_a_generation_of_its_own(house: House, stream: bool) -> None:
    for name in "abc":
        await house.add_account(name)
    for number in range(3):
        house.poe.enqueue(TextDelta("answer "), TextDelta(str(number)), UsageReported(10, 2, points=5), Finished())
    answer = await house.call(body=ask(n=3, stream=stream, stream_options={"include_usage": True}))
    assert sorted(texts(answer)) == [0, 1, 2]
    assert sorted(texts(answer).values()) == ["answer 0", "answer 1", "answer 2"]
    usage = answer.chunks[-1]["usage"] if stream else answer.json["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["points"]) == (30, 6, 15)
    assert len(house.store.released) == 3
    (line,) = house.lines("request.ended")
    assert (line["attempts"], line["completion_tokens"]) == (3, 6)
    if stream:
        choices = [choice for chunk in answer.chunks for choice in chunk["choices"]]
        assert sum(choice["finish_reason"] == "stop" for choice in choices) == 3
        assert sum("role" in choice["delta"] for choice in choices) == 3
        assert answer.events.count("[DONE]") == 1
        assert answer.events[-1] == "[DONE]"


async def test_choices_run_at_the_same_time_and_mix(house: House) -> None:
    await house.add_account("a")
    pauses = [Pause(), Pause()]
    for pause in pauses:
        house.poe.enqueue(TextDelta("one "), pause, TextDelta("two"), Finished())

    def on_part(answer: Answer, part: bytes) -> None:
        if all("one" in text for text in texts(answer).values()) and len(texts(answer)) == 2:
            for pause in pauses:
                pause.event.set()

    async with asyncio.timeout(30):
        answer = await house.call(body=ask(n=2, stream=True), on_part=on_part)
    assert house.poe.most_active == 2
    assert set(texts(answer).values()) == {"one two"}


@pytest.mark.parametrize("stream", [True, False])
async def test_more_choices_than_slots_wait_for_each_other(house: House, stream: bool) -> None:
    await house.add_account("a", max_concurrency=1)
    pause = Pause()
    house.poe.enqueue(TextDelta("first"), pause, Finished())

    async def go_on() -> None:
        await house.until_asked()
        # Longer than a request waits for a slot by itself.
        await asyncio.sleep(house.settings.account_wait_seconds * 1.5)
        pause.event.set()

    async with asyncio.timeout(10):
        answer, _ = await asyncio.gather(house.call(body=ask(n=3, stream=stream)), go_on())
    assert sorted(texts(answer).values()) == ["Hello there", "Hello there", "first"]
    assert house.store.most_held == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_the_first_failure_ends_all(house: House, stream: bool) -> None:
    await house.add_account("a")
    house.poe.enqueue(TextDelta("Hel"), Hang())
    house.poe.enqueue(TextDelta("Wor"), poe_error(ErrorCode.CONNECTION_FAILED))
    answer = await house.call(body=ask(n=2, stream=stream))
    error = answer.chunks[-1]["error"] if answer.status == 200 else answer.error
    assert error["code"] == "upstream_error"
    assert house.poe.stopped == 1
    assert not house.store.held


@pytest.mark.parametrize("stream", [True, False])
async def test_leaving_stops_all(house: House, stream: bool) -> None:
    await house.add_account("a")
    for _ in range(2):
        house.poe.enqueue(TextDelta("Hel"), Hang())
    gone = asyncio.Event()
    task = asyncio.create_task(house.call(body=ask(n=2, stream=stream), disconnect=gone))
    await house.until_asked(2)
    gone.set()
    async with asyncio.timeout(30):
        await task
    assert house.poe.stopped == 2
    assert not house.store.held


async def test_no_account_is_said_as_for_one(house: House) -> None:
    answer = await house.call(body=ask(n=2))
    assert (answer.status, answer.error["code"]) == (503, "no_accounts")
