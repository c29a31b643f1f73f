"""What a message leaves behind: the chat that was begun for it, and its cost where that comes late."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from local.poe_web import Scenario
from local.poe_web.stream_faults import HangStream, LateCost
from reverse.chat import NOTHING_LEFT
from reverse.errors import PoeError
from reverse.events import TextDelta

SECONDS = 30  # far more than anything here takes


async def test_a_new_chat_is_told_once(connect, ask) -> None:
    async with connect() as client:
        chat = (await ask(client, "Hello")).chat
        assert client.aftermath().chat_id == chat.chat_id
        assert client.aftermath() == NOTHING_LEFT


async def test_a_message_in_a_chat_that_was_there_begins_none(connect, ask) -> None:
    async with connect() as client:
        chat = (await ask(client, "Hello")).chat
        await ask(client, "And now?", chat=chat)
        assert client.aftermath().chat_id is None


async def test_a_chat_is_known_although_nobody_waited_for_its_answer(connect, chat_request, simulator, account) -> None:
    simulator.enqueue(Scenario((HangStream(at=0),)))
    async with connect() as client:

        async def read() -> None:
            async with aclosing(client.stream(chat_request("Hello"))) as events:
                async for _ in events:
                    pass

        reading = asyncio.create_task(read())
        async with asyncio.timeout(SECONDS):
            while not account.chats:  # noqa: ASYNC110 - the simulator has no event for it
                await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait({reading})
        assert client.aftermath().chat_id in account.chats


async def test_a_chat_is_known_although_its_answer_failed(connect, ask, simulator, account) -> None:
    account.points = 0
    async with connect() as client:
        with pytest.raises(PoeError):
            await ask(client, "Hello")
        left = client.aftermath()
        assert set(account.chats) <= {left.chat_id}


async def test_a_message_that_was_not_sent_leaves_nothing(connect, ask, account) -> None:
    async with connect() as client:
        await ask(client, "Hello")
        account.signed_out = True
        with pytest.raises(PoeError):
            await ask(client, "Hello again")
        assert client.aftermath() == NOTHING_LEFT


async def test_a_cost_that_comes_late_is_told_later(connect, ask, simulator) -> None:
    simulator.enqueue(Scenario((LateCost(0.2),)))
    async with connect() as client:
        answer = await ask(client, "Hello")
        late = client.aftermath().late_points
        assert answer.points is None and late is not None
        async with asyncio.timeout(SECONDS):
            assert await late == simulator.bots.named("Echo").cost


async def test_a_cost_that_came_in_time_is_not_awaited(connect, ask) -> None:
    async with connect(trailing_cost_seconds=SECONDS) as client:
        assert (await ask(client, "Hello")).points is not None
        assert client.aftermath().late_points is None


@pytest.mark.parametrize("how", ["next message", "closed", "lost"])
async def test_a_cost_that_can_not_be_told_any_more_is_given_up(connect, ask, simulator, account, how) -> None:
    simulator.enqueue(Scenario((LateCost(SECONDS),)))
    async with connect() as client:
        chat = (await ask(client, "Hello")).chat
        late = client.aftermath().late_points
        assert late is not None and not late.done()
        if how == "next message":
            await ask(client, "And now?", chat=chat)
        elif how == "closed":
            await client.aclose()
        else:
            account.channel.cut("abrupt", 100)
        async with asyncio.timeout(SECONDS):
            await asyncio.wait({late})
        assert late.cancelled()


async def test_the_cost_of_one_chat_is_not_taken_for_anothers(connect, ask, simulator) -> None:
    simulator.enqueue(Scenario((LateCost(0.3),)))
    async with connect() as client:
        await ask(client, "Hello")
        late = client.aftermath().late_points
        await ask(client, "Hello", bot="Puppet")
        assert late is not None
        async with asyncio.timeout(SECONDS):
            assert await late == simulator.bots.named("Echo").cost


async def test_an_answer_that_was_left_has_a_cost_as_well(connect, chat_request, simulator) -> None:
    simulator.enqueue(Scenario((HangStream(at=2),)))
    async with connect() as client:
        async with aclosing(client.stream(chat_request("one two three"))) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        late = client.aftermath().late_points
        assert late is not None
        async with asyncio.timeout(SECONDS):
            assert await late == simulator.bots.named("Echo").cost
