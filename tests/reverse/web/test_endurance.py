"""One client for a long time: memory stays flat, and closing leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from pathlib import Path

import httpx
import pytest
import websockets

import reverse
from local.poe_web import Scenario
from local.poe_web.stream_faults import CutSocket
from reverse.web import _messaging

# Enough to fill all that is bounded and then watch; ENDURANCE_MESSAGES=2000 watches longer.
MESSAGES = int(os.environ.get("ENDURANCE_MESSAGES", "600"))
# Allocations are traced during the last messages only, because tracing is slow.
TRACED = 300
# What the traced messages may leave behind in all; one small object for each would be more.
MAX_GROWTH_BYTES = 10_000
OURS = [f"{Path(module.__path__[0])}/*" for module in (reverse, httpx, websockets)]


def held() -> int:
    """Bytes allocated by the client and its libraries since tracing began, and still in use."""
    gc.collect()
    snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, pattern) for pattern in OURS])
    return sum(trace.size for trace in snapshot.statistics("filename"))


def our_objects() -> int:
    gc.collect()
    modules = (str(type(thing).__module__) for thing in gc.get_objects())
    return sum(module.startswith(("reverse", "websockets", "httpx")) for module in modules)


def descriptors() -> set[str]:
    folder = Path("/proc/self/fd")
    return {fd.name for fd in folder.iterdir() if (folder / fd.name).exists()} if folder.exists() else set()


async def test_memory_is_flat_over_many_messages(connect, ask, simulator, account, monkeypatch):
    account.points = 1_000_000
    # What is remembered of chats is bounded; it has to be full long before the tracing begins.
    monkeypatch.setattr(_messaging, "_MAX_REMEMBERED_CHATS", 8)
    try:
        async with connect() as client, asyncio.timeout(2.0 * MESSAGES):
            chat = None
            for n in range(1, MESSAGES + 1):
                answer = await ask(client, f"[[say:answer {n}]]", bot="Puppet", chat=chat)
                # Every fourth message begins a chat, the others continue it.
                chat = answer.chat if n % 4 else None
                if chat is None:
                    account.chats.clear()
                    simulator.requests.clear()
                    simulator.sent.clear()
                if n == MESSAGES - TRACED:
                    objects = our_objects()
                    tracemalloc.start()
            growth, more_objects = held(), our_objects() - objects
    finally:
        tracemalloc.stop()
    assert growth < MAX_GROWTH_BYTES, f"{growth} bytes in {TRACED} messages"
    assert more_objects < 50


@pytest.mark.parametrize("cut", [False, True], ids=["calm", "after losses"])
async def test_closing_leaves_no_task_and_no_socket(connect, ask, simulator, cut):
    await asyncio.sleep(0)
    tasks, files = asyncio.all_tasks(), descriptors()
    async with connect() as client:
        if cut:
            simulator.enqueue(Scenario(CutSocket(at=1), times=3))
        for n in range(5):
            await ask(client, f"message {n}")
    for _ in range(200):
        # The simulator's side of a connection takes a moment to notice.
        if not (asyncio.all_tasks() - tasks) and descriptors() <= files:
            return
        await asyncio.sleep(0.01)
    assert {task.get_name() for task in asyncio.all_tasks() - tasks} == set()
    assert descriptors() - files == set()
