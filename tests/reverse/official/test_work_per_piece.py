"""What a piece of an answer costs, in counts that do not depend on the machine."""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from types import FrameType

import pytest

from reverse.chat import ChatRequest, Message
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.events import TextDelta
from reverse.official import PoeOfficialClient

PIECES, SKIPPED = 200, 20
CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


_OURS = re.compile(r"/(?:reverse|http_connections)/")


class Counts:
    """Python calls, waits for the loop, and objects of asyncio, while the middle of an answer is read."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked_of_loop: Counter[str] = Counter()

    def on_call(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and _OURS.search(frame.f_code.co_filename):
            self.calls += 1


async def pieces_one_by_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wanted: asyncio.Event) -> None:
    """Each piece is sent when the one before was read, so that each is waited for."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for data in [CHUNK] * PIECES + [END]:
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await wanted.wait()
        wanted.clear()
    writer.write(b"0\r\n\r\n")
    writer.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, asyncio.Event]]:
    wanted = asyncio.Event()
    listening = await asyncio.start_server(lambda r, w: pieces_one_by_one(r, w, wanted), "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", wanted


async def test_a_piece_costs_few_calls_and_neither_a_timer_nor_a_task(
    server: tuple[str, asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is waited for alone, which is the dearest way that a piece can come."""
    address, wanted = server
    counts, loop = Counts(), asyncio.get_running_loop()

    def counted(name: str) -> Callable[..., object]:
        original: Callable[..., object] = getattr(loop, name)

        def call(*arguments: object, **options: object) -> object:
            counts.asked_of_loop[name] += 1
            return original(*arguments, **options)

        return call

    seen = 0
    async with PoeOfficialClient(OfficialCredentials("key"), PoeConfig(official_base_url=address)) as client:
        async with aclosing(client.stream(ChatRequest("bot", [Message("user", "hi")]))) as events:
            async for event in events:
                seen += isinstance(event, TextDelta)
                if seen == SKIPPED:
                    for name in ("call_at", "call_later", "create_task", "create_future"):
                        monkeypatch.setattr(loop, name, counted(name))
                    sys.setprofile(counts.on_call)
                if seen == PIECES - SKIPPED:
                    sys.setprofile(None)
                    monkeypatch.undo()
                wanted.set()
    assert seen == PIECES
    measured = PIECES - 2 * SKIPPED
    # 18 when this was written; httpx, its timer per read and a chain of generators needed some 300.
    assert counts.calls / measured < 20
    # The waiting of the reader, and that of this test's server for its next word.
    assert counts.asked_of_loop.pop("create_future") <= 3 * measured
    assert not counts.asked_of_loop


async def test_pieces_that_come_together_cost_fewer_calls_than_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent flat out, what a piece costs is its decoding."""
    counts = Counts()

    async def flat_out(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK) * 2000 + b"%x\r\n%b\r\n0\r\n\r\n" % (len(END), END))
        writer.close()

    async with await asyncio.start_server(flat_out, "127.0.0.1", 0) as listening:
        address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with PoeOfficialClient(OfficialCredentials("key"), PoeConfig(official_base_url=address)) as client:
            sys.setprofile(counts.on_call)
            try:
                texts = [event async for event in client.stream(ChatRequest("bot", [Message("user", "hi")]))]
            finally:
                sys.setprofile(None)
    assert len(texts) > 2000
    # 9 when this was written.
    assert counts.calls / 2000 < 11
