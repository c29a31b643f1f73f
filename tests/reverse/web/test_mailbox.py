"""The queue between the channel's reader and an answer's reader."""

from __future__ import annotations

import asyncio

import pytest

from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.web._mailbox import Mailbox, Signal
from reverse.web._protocol import MessageUpdate, TitleChanged


def update(text: str, state: str = "incomplete", message_id: int = 1) -> MessageUpdate:
    return MessageUpdate(1000, message_id, "bot", text, state)


async def test_updates_come_in_order_and_before_anything_else():
    mailbox = Mailbox(1000)
    mailbox.fail(poe_error(ErrorCode.CONNECTION_FAILED))
    mailbox.resync()
    for text in "abc":
        mailbox.put(update(text))
    assert [(await mailbox.get(1)).text for _ in range(3)] == ["a", "b", "c"]
    assert await mailbox.get(1) is Signal.RESYNC
    for _ in range(2):
        with pytest.raises(PoeError):
            await mailbox.get(1)


async def test_a_waiting_reader_is_woken():
    mailbox = Mailbox(1000)
    waiting = asyncio.create_task(mailbox.get(5))
    await asyncio.sleep(0)
    mailbox.put(update("a"))
    assert (await waiting).text == "a"


async def test_silence_is_a_timeout():
    with pytest.raises(TimeoutError):
        await Mailbox(1000).get(0.01)


async def test_a_cancelled_reader_takes_nothing_with_it():
    mailbox = Mailbox(1000)
    waiting = asyncio.create_task(mailbox.get(5))
    await asyncio.sleep(0)
    mailbox.put(update("a"))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await mailbox.get(0)).text == "a"


async def test_a_full_mailbox_drops_nothing_without_a_lookup():
    mailbox = Mailbox(1000)
    for n in range(500):
        mailbox.put(TitleChanged(1000, str(n)))
    got = [await mailbox.get(0.1) for _ in range(129)]
    assert got[-1] is Signal.RESYNC and got[-2] == TitleChanged(1000, "499")


async def test_a_slow_reader_holds_few_snapshots_and_gets_the_last():
    mailbox = Mailbox(1000)
    for n in range(10_000):
        mailbox.put(update("x" * n))
    got = [await mailbox.get(0.1) for _ in range(8)]
    assert got[-1].text == "x" * 9999
    with pytest.raises(TimeoutError):
        await mailbox.get(0)


async def test_an_end_is_never_replaced_by_a_late_snapshot():
    mailbox = Mailbox(1000)
    for n in range(8):
        mailbox.put(update("x" * n))
    mailbox.put(update("x" * 9, "complete"))
    mailbox.put(update("x" * 9))
    states = [(await mailbox.get(0.1)).state for _ in range(9)]
    assert "complete" in states


async def test_what_came_early_comes_first():
    early, mailbox = Mailbox(1000), Mailbox()
    early.put(update("a"))
    early.put(update("b"))
    mailbox.put(update("c"))
    mailbox.take_over(early)
    assert [(await mailbox.get(0.1)).text for _ in range(3)] == ["a", "b", "c"]
