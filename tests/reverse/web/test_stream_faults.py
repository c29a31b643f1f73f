"""Answers that reach us badly: whatever the channel does, the text is whole and nothing is doubled."""

from __future__ import annotations

import asyncio
import time

import pytest

from local.poe_web import Scenario
from local.poe_web.answers import Snapshot
from local.poe_web.foreign_frames import GarbageFrames, UnknownEvents
from local.poe_web.request_faults import DropConnection, HttpError
from local.poe_web.stream_faults import (
    BatchEvents,
    ChatBreakDuring,
    CutSocket,
    DelayEvents,
    DropEvents,
    DuplicateEvents,
    EarlyEvents,
    HangStream,
    MessageState,
    MissedMessages,
    Pace,
    RefetchChannel,
    ReorderEvents,
    TitleFirst,
)
from reverse.errors import ErrorCode, PoeError
from reverse.events import ChatStarted, FileAttached, Finished, FinishReason, TextDelta, TextReplaced
from tests.virtual_time import now

pytestmark = pytest.mark.virtual_time

QUESTION = "one two three four five six seven"
ANSWER = f"You said: {QUESTION}"
LOOKUP = "chatListPaginationQuery"


def count(simulator, name: str) -> int:
    return sum(name in (record.query_name, record.path) for record in simulator.requests)


FAULTS = {
    "dropped": (DropEvents(at=1, count=3),),
    "duplicated": (DuplicateEvents(),),
    "reordered": (ReorderEvents(at=0, window=3),),
    "reversed": (ReorderEvents(at=0, window=100),),
    "batched": (BatchEvents(size=4),),
    "batched and duplicated": (BatchEvents(size=3), DuplicateEvents(copies=3)),
    "by characters": (Pace(characters=2),),
    "cut abruptly": (CutSocket(at=3),),
    "closed": (CutSocket(at=3, how="close"),),
    "cut before the first": (CutSocket(at=0),),
    "cut and handshakes refused": (CutSocket(at=2, refuse=2),),
    "refetch": (RefetchChannel(at=3),),
    "missed messages": (MissedMessages(at=3),),
    "early": (EarlyEvents(),),
    "some early": (EarlyEvents(count=3),),
    "early and batched": (EarlyEvents(), BatchEvents(size=5)),
    "early and reordered": (ReorderEvents(at=0, window=4), EarlyEvents()),
    "title first": (TitleFirst(),),
    "chat break": (ChatBreakDuring(at=3),),
    "unknown events": (UnknownEvents(at=2),),
    "garbage": (GarbageFrames(at=2),),
    "garbage that breaks the socket": (GarbageFrames(at=2, stray=True),),
    "everything": (DuplicateEvents(), BatchEvents(size=2), TitleFirst(), GarbageFrames(at=1), CutSocket(at=4)),
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("in_existing_chat", [False, True], ids=["new", "existing"])
async def test_the_text_is_whole(connect, ask, simulator, faults, in_existing_chat):
    async with connect() as client:
        chat = (await ask(client, "before")).chat if in_existing_chat else None
        simulator.settings.pace_seconds = 0.005
        simulator.enqueue(Scenario(faults))
        answer = await asyncio.wait_for(ask(client, QUESTION, chat=chat), 20)
    assert answer.text == ANSWER
    assert answer.reason is FinishReason.STOP
    # A wrong delta would have had to be taken back.
    assert not any(isinstance(event, TextReplaced) for event in answer.events)
    assert isinstance(answer.events[0], ChatStarted)


@pytest.mark.parametrize("fault", [CutSocket(at=3), RefetchChannel(at=3), MissedMessages(at=3)], ids=repr)
async def test_a_lost_channel_costs_one_lookup_and_the_message_is_not_sent_again(connect, ask, simulator, fault):
    simulator.settings.pace_seconds = 0.01
    simulator.enqueue(Scenario(fault))
    async with connect() as client:
        assert (await ask(client, QUESTION)).text == ANSWER
    assert count(simulator, LOOKUP) == 1
    assert count(simulator, "sendMessageMutation") == 1
    assert count(simulator, "/api/settings") == 2
    assert count(simulator, "subscriptionsMutation") == 2


async def test_all_open_answers_continue_after_a_loss(connect, ask, simulator):
    simulator.settings.pace_seconds = 0.01
    simulator.enqueue(Scenario(CutSocket(at=4)))
    async with connect() as client:
        answers = await asyncio.gather(*(ask(client, f"{n} {QUESTION}") for n in range(5)))
    assert [answer.text for answer in answers] == [f"You said: {n} {QUESTION}" for n in range(5)]


async def test_a_channel_that_never_comes_back_ends_with_what_the_history_has(connect, ask, simulator):
    """The channel is refused for good after the cut; the answer, complete by then, is read from the history."""
    simulator.enqueue(Scenario(CutSocket(at=2)), Scenario(HttpError(503), operation="/api/settings", times=99, skip=1))
    async with connect() as client:
        assert (await asyncio.wait_for(ask(client, QUESTION), 20)).text == ANSWER


async def test_a_channel_that_never_comes_back_fails_with_the_true_cause(connect, ask, simulator):
    simulator.enqueue(
        Scenario((CutSocket(at=2), HangStream(at=3))),
        Scenario(HttpError(403), operation="/api/settings", times=99, skip=1),
    )
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await asyncio.wait_for(ask(client, QUESTION), 20)
    assert caught.value.code is ErrorCode.BLOCKED


async def test_a_silent_channel_is_replaced_when_the_history_shows_more(connect, ask, simulator):
    """Every frame of the answer is lost; one lookup after the silence has it all."""
    simulator.enqueue(Scenario(DropEvents(at=0, count=100)))
    async with connect(first_event_timeout_seconds=0.3) as client:
        assert (await ask(client, QUESTION)).text == ANSWER
    assert count(simulator, LOOKUP) == 1


async def test_a_pause_shorter_than_the_limit_is_no_failure(connect, ask, simulator):
    simulator.enqueue(Scenario(DelayEvents(at=2, seconds=0.5)))
    async with connect(idle_timeout_seconds=5.0) as client:
        assert (await ask(client, QUESTION)).text == ANSWER
    assert count(simulator, LOOKUP) == 0


async def test_an_answer_stopped_elsewhere_ends_as_cancelled(connect, ask, simulator, account):
    simulator.enqueue(Scenario(HangStream(at=2)))
    async with connect() as client, connect() as elsewhere:
        asked = asyncio.create_task(ask(client, QUESTION))
        while sum(record.name == "messageAdded" for record in simulator.sent) < 3:  # noqa: ASYNC110 - only a journal
            await asyncio.sleep(0.005)
        (chat_id,) = account.chats
        await elsewhere.stop(chat_id)
        answer = await asyncio.wait_for(asked, 30)
    assert answer.reason is FinishReason.CANCELLED
    assert ANSWER.startswith(answer.text) and answer.text
    assert count(simulator, "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation") == 1


@pytest.mark.parametrize("state", ["cancelled"])
async def test_a_cancelled_state_is_an_end(connect, ask, simulator, state):
    simulator.enqueue(Scenario(MessageState(state, at=3)))
    async with connect() as client:
        assert (await ask(client, QUESTION)).reason is FinishReason.CANCELLED


async def test_an_answer_without_a_word_is_an_error_before_any_event(connect, ask, simulator):
    simulator.enqueue(Scenario(MessageState("complete", at=0)))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, QUESTION)
    assert caught.value.code is ErrorCode.EMPTY_ANSWER


async def test_a_file_that_only_the_history_shows_is_not_an_empty_answer(connect, ask, simulator):
    simulator.enqueue(Scenario(DropEvents(at=0, count=100)), Scenario(MessageState("complete", at=0)))
    simulator.bots.named("Echo").answer = lambda prompt: [
        Snapshot("", 0, "complete", attachments=(prompt.store("cat.png", "image/png", b"png"),))
    ]
    async with connect(first_event_timeout_seconds=0.2) as client:
        answer = await ask(client, QUESTION)
    assert [event.name for event in answer.events if isinstance(event, FileAttached)] == ["cat.png"]
    assert isinstance(answer.events[0], ChatStarted)


async def test_chunks_arrive_while_the_bot_still_writes(connect, chat_request, simulator):
    simulator.settings.pace_seconds = 0.03
    arrivals = []
    async with connect() as client:
        async for event in client.stream(chat_request(QUESTION)):
            if isinstance(event, TextDelta):
                arrivals.append(time.monotonic())
                last = now()
            if isinstance(event, Finished):
                finished = now()
    sent = [record.time for record in simulator.sent if record.name == "messageAdded"]
    # The last growth and the end follow each other closely; everything before came while more was being written.
    assert all(got < sent[-1] for got in arrivals[:-2])
    assert finished - last < 0.1


async def test_a_cost_that_does_not_come_holds_the_end_up_only_a_moment(connect, ask):
    async with connect(subscription_hashes={"jobCostUpdated": ""}) as client:
        await ask(client, "warm")
        started = now()
        answer = await ask(client, QUESTION)
        assert now() - started < 0.2
    assert answer.points is None and answer.reason is FinishReason.STOP


async def test_a_dead_connection_to_the_settings_is_tried_again(connect, ask, simulator):
    simulator.enqueue(Scenario(DropConnection(), operation="/api/settings"))
    async with connect() as client:
        assert (await ask(client, QUESTION)).text == ANSWER
    assert count(simulator, "/api/settings") == 2
