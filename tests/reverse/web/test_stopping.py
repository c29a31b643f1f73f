"""Stopping an answer ends its reader at once, whatever Poe says about it; titles that come late; the points history."""

from __future__ import annotations

import asyncio
import random
import uuid
from contextlib import aclosing

import pytest

from local.poe_web import Scenario
from local.poe_web.stream_faults import HangStream, OddCancellation
from reverse.config import PoeConfig
from reverse.events import ChatStarted, ChatTitled, Finished, FinishReason, TextDelta
from reverse.web._decoder import WebAnswerDecoder
from reverse.web._protocol import AnswerCancelled, AnswerStopped, MessageUpdate, TitleChanged
from reverse.web._sending import send_variables

SECONDS = 5  # far less than any time-out of the client


async def stopped(client, chat_request, stop):
    """The end of an answer that `stop` was called for once it had begun."""
    async with asyncio.timeout(SECONDS):
        chat_id = message_id = None
        async with aclosing(client.stream(chat_request("one two three"))) as events:
            async for event in events:
                if isinstance(event, ChatStarted):
                    chat_id, message_id = event.chat_id, event.message_id
                elif isinstance(event, TextDelta) and chat_id is not None:
                    await stop(chat_id, message_id)
                    chat_id = None
                elif isinstance(event, Finished):
                    return event.reason
    return None


@pytest.mark.parametrize("names", ["answer", "question", "nothing", "lost"])
@pytest.mark.parametrize("generation", ["newer", "older"])
async def test_a_stop_ends_the_reader_whatever_the_confirmation_names(
    connect, chat_request, simulator, names, generation
):
    simulator.enqueue(Scenario((HangStream(at=2), OddCancellation(names))))
    async with connect(operation_generation=generation) as client:

        async def stop(chat_id, message_id):
            await client.stop(chat_id, message_id=message_id, text_length=3)

        assert await stopped(client, chat_request, stop) is FinishReason.CANCELLED


@pytest.mark.parametrize("generation", ["newer", "older"])
async def test_a_message_id_is_enough_to_stop(connect, chat_request, simulator, generation):
    simulator.enqueue(Scenario((HangStream(at=2), OddCancellation("lost"))))
    async with connect(operation_generation=generation) as client:

        async def stop(_chat_id, message_id):
            await client.stop(None, message_id=message_id)

        assert await stopped(client, chat_request, stop) is FinishReason.CANCELLED


@pytest.mark.parametrize("names", ["question", "nothing"])
async def test_a_stop_from_elsewhere_ends_the_answer_too(connect, chat_request, simulator, names):
    simulator.enqueue(Scenario((HangStream(at=2), OddCancellation(names))))
    async with connect() as client, connect() as other:

        async def stop(chat_id, _message_id):
            await other.stop(chat_id)

        assert await stopped(client, chat_request, stop) is FinishReason.CANCELLED


def answer():
    return WebAnswerDecoder(ChatStarted(7, title="Old"), "hi", after_message_id=100)


def begun():
    made = answer()
    made.feed(MessageUpdate(7, 101, "Echo", "You", "incomplete"))
    return made


@pytest.mark.parametrize(("message_id", "ends"), [(101, True), (100, True), (None, True), (99, False), (140, True)])
def test_a_cancellation_ends_the_turn_that_it_belongs_to(message_id, ends):
    made = begun()
    made.feed(AnswerCancelled(7, message_id))
    assert (made.reason is FinishReason.CANCELLED) == ends


@pytest.mark.parametrize(("update", "ends"), [(AnswerStopped(7, None), True), (AnswerStopped(None, 55), False)])
def test_a_stop_by_message_ends_that_message_only(update, ends):
    made = begun()
    made.feed(update)
    assert (made.reason is FinishReason.CANCELLED) == ends


def test_a_new_title_is_an_event_once_the_chat_was_announced():
    made = answer()
    assert made.feed(TitleChanged(7, "First")) == []
    started = made.feed(MessageUpdate(7, 101, "Echo", "You", "incomplete"))[0]
    assert started == ChatStarted(7, None, "First", 101)
    assert made.feed(TitleChanged(7, "First")) == []
    assert made.feed(TitleChanged(7, "Second")) == [ChatTitled("Second")]


def test_every_message_has_a_new_sdid():
    config, rng = PoeConfig(), random.Random()
    found = [send_variables(config, bot="Echo", text="x", chat_id=None, rng=rng)["sdid"] for _ in range(2)]
    assert len(set(found)) == 2 and all(uuid.UUID(one).version == 4 for one in found)


async def test_the_points_history_is_read_page_by_page(connect, ask, account, simulator):
    for _ in range(60):
        simulator.spend_elsewhere(account.p_b, "Echo", 1)
    async with connect() as client:
        await ask(client, "hello")
        found = [entry async for entry in client.points_history()]
    assert sum(entry.points for entry in found) == account.spent
    assert (len(found), len({entry.query_id for entry in found})) == (61, 61)
    assert found[0].bot == "Echo" and found[0].spent_at is not None
