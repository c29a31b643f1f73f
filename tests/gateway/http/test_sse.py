"""The response class for server-sent events, on its own."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.errors import UPSTREAM, GatewayError
from gateway.http.request_log import RequestRecord
from gateway.http.sse import COMMENT, PART_SEND, EventStream, Put, encode_text
from tests.virtual_time import in_virtual_time, now


class Server:
    """The server's side of one request."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self.is_broken = False
        self.on_send: Callable[[dict[str, Any]], Any] = lambda message: None

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if self.is_broken:
            raise BrokenPipeError
        self.sent.append(message)
        self.on_send(message)

    @property
    def parts(self) -> list[bytes]:
        return [message["body"] for message in self.sent if message["type"] == "http.response.body"]


class Produced:
    """A body, and whether its production has ended."""

    def __init__(self, *steps: bytes | Exception | asyncio.Event | None) -> None:
        self.steps = steps
        self.has_ended = False

    async def __call__(self, put: Put) -> None:
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step
                if step is None:
                    await asyncio.Event().wait()
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                elif (full := put(step)) is not None:
                    await full
        finally:
            await asyncio.sleep(0)
            self.has_ended = True


def respond(produced: Produced, *, keep_alive: float = 5, seconds: float = 5) -> tuple[EventStream, RequestRecord]:
    record = RequestRecord("r", "POST", 0.0)
    stream = EventStream(
        produced,
        record=record,
        deadline=asyncio.get_running_loop().time() + seconds,
        keep_alive_seconds=keep_alive,
        translate=lambda error: error if isinstance(error, GatewayError) else GatewayError(UPSTREAM),
    )
    return stream, record


async def test_items_that_come_one_by_one_leave_one_by_one() -> None:
    server, go = Server(), asyncio.Event()
    server.on_send = lambda message: go.set()
    produced = Produced(b"a", go, b"b")
    stream, record = respond(produced)
    await stream({}, server.receive, server.send)
    assert [message["type"] for message in server.sent] == ["http.response.start"] + ["http.response.body"] * 3
    assert server.parts == [b"a", b"b", b""]
    assert [message.get("more_body") for message in server.sent[1:]] == [True, True, False]
    assert record.chunks == 2
    assert produced.has_ended


async def test_items_that_are_there_together_leave_together_but_not_without_limit() -> None:
    server = Server()
    stream, record = respond(Produced(*[b"x" * 1000] * 40))
    await stream({}, server.receive, server.send)
    assert [len(part) for part in server.parts] == [17_000, 17_000, 6_000, 0]
    assert record.chunks == 40


async def test_parts_go_past_those_who_look_at_the_beginning_and_the_end() -> None:
    server, go, wrapped = Server(), asyncio.Event(), []

    async def send(message: dict[str, Any]) -> None:
        wrapped.append((message["type"], message.get("more_body")))
        await server.send(message)

    server.on_send = lambda message: go.set()
    stream, _ = respond(Produced(b"a", go, b"b"))
    await stream({PART_SEND: server.send}, server.receive, send)
    assert wrapped == [("http.response.start", None), ("http.response.body", False)]
    assert server.parts == [b"a", b"b", b""]


async def test_an_empty_stream_is_still_a_response() -> None:
    server = Server()
    stream, _ = respond(Produced())
    await stream({}, server.receive, server.send)
    assert server.sent[0]["type"] == "http.response.start"
    assert server.sent[-1]["more_body"] is False


async def test_a_failure_before_the_first_item_is_raised() -> None:
    server, produced = Server(), Produced(GatewayError(UPSTREAM))
    stream, _ = respond(produced)
    with pytest.raises(GatewayError):
        await stream({}, server.receive, server.send)
    assert not server.sent
    assert produced.has_ended


async def test_a_failure_later_is_the_last_event() -> None:
    server, produced = Server(), Produced(b"a", RuntimeError("secret"))
    stream, record = respond(produced)
    await stream({}, server.receive, server.send)
    assert b"upstream_error" in server.parts[-1]
    assert b"secret" not in server.parts[-1]
    assert server.sent[-1]["more_body"] is False
    assert record.error == "upstream_error"


async def test_silence_before_the_first_item_starts_the_response() -> None:
    server, go = Server(), asyncio.Event()
    server.on_send = lambda message: go.set() if message.get("body") == COMMENT else None
    stream, _ = respond(Produced(go, b"a"), keep_alive=0.01)
    await stream({}, server.receive, server.send)
    assert server.parts == [COMMENT, b"a", b""]
    assert [message["type"] for message in server.sent].count("http.response.start") == 1


@in_virtual_time
async def test_a_stream_that_talks_needs_no_comments() -> None:
    """Not even where a keep-alive's time ends between two items."""
    server, steps = Server(), list[Any]()
    for number in range(12):
        pause = asyncio.Event()
        asyncio.get_running_loop().call_later(4 + 4 * number, pause.set)
        steps += [pause, b"x"]
    stream, _ = respond(Produced(*steps), keep_alive=10, seconds=100)
    await stream({}, server.receive, server.send)
    assert now() == 48
    assert server.parts == [b"x"] * 12 + [b""]


@in_virtual_time
async def test_silence_after_talk_is_filled_until_the_talk_goes_on() -> None:
    """A connection is never silent for longer than twice the time, and comments are no more frequent than it."""
    server, times = Server(), list[float]()
    server.on_send = lambda message: times.append(now())
    first, second = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_later(4, first.set)
    asyncio.get_running_loop().call_later(60, second.set)
    stream, _ = respond(Produced(first, b"a", second, b"b"), keep_alive=10, seconds=100)
    await stream({}, server.receive, server.send)
    assert server.parts.count(COMMENT) in range(3, 6)
    assert [part for part in server.parts if part != COMMENT] == [b"a", b"b", b""]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) <= 20
    comments = [at for at in times if 4 < at < 60]
    assert min(later - earlier for earlier, later in itertools.pairwise(comments)) >= 10


async def test_an_item_waits_for_a_comment_on_its_way() -> None:
    """A server may take its time with a message; messages never overlap."""
    server, go, taken = Server(), asyncio.Event(), asyncio.Event()
    active = 0

    async def slow_send(message: dict[str, Any]) -> None:
        nonlocal active
        active += 1
        assert active == 1, "two messages at once"
        if message.get("body") == COMMENT:
            go.set()
            await asyncio.sleep(0.02)
            taken.set()
        await asyncio.sleep(0)
        active -= 1
        server.sent.append(message)

    stream, _ = respond(Produced(go, b"a", taken, b"b"), keep_alive=0.01)
    await stream({}, server.receive, slow_send)
    assert [part for part in server.parts if part != COMMENT] == [b"a", b"b", b""]


@in_virtual_time
async def test_a_comment_does_not_overtake_an_item_on_its_way() -> None:
    """A caller that reads slowly holds an item up for longer than several keep-alives."""
    server, active = Server(), 0

    async def slow_send(message: dict[str, Any]) -> None:
        nonlocal active
        active += 1
        assert active == 1, "two messages at once"
        await asyncio.sleep(52)
        active -= 1
        server.sent.append(message)

    stream, _ = respond(Produced(b"a"), keep_alive=10, seconds=1000)
    await stream({}, server.receive, slow_send)
    assert server.parts == [b"a", b""]


async def test_a_caller_that_left_closes_the_body() -> None:
    server, produced = Server(), Produced(b"a", None)
    server.on_send = lambda message: server.gone.set()
    stream, record = respond(produced)
    await stream({}, server.receive, server.send)
    assert produced.has_ended
    assert (record.error, record.status) == ("client_gone", 499)


@pytest.mark.parametrize("big", [b"b", b"b" * 20_000], ids=["waiting", "too much"])
async def test_a_broken_pipe_closes_the_body(big: bytes) -> None:
    """Whether a message fails because nothing more is there to send, or because too much is."""
    server, go = Server(), asyncio.Event()
    produced = Produced(b"a", go, big, None)

    def break_after(message: dict[str, Any]) -> None:
        server.is_broken = message.get("body") == b"a"
        go.set()

    server.on_send = break_after
    stream, record = respond(produced)
    await stream({}, server.receive, server.send)
    assert produced.has_ended
    assert record.error == "client_gone"


async def test_an_os_error_of_the_body_is_no_broken_pipe() -> None:
    server = Server()
    stream, record = respond(Produced(b"a", ConnectionResetError()))
    await stream({}, server.receive, server.send)
    assert record.error == "upstream_error"
    assert b"upstream_error" in server.parts[-1]


async def test_the_deadline_closes_the_body_before_the_last_words() -> None:
    server, produced = Server(), Produced(b"a", None)
    stream, record = respond(produced, seconds=0.02)
    closed: list[bool] = []
    server.on_send = lambda message: closed.append(produced.has_ended)
    await stream({}, server.receive, server.send)
    assert closed == [False, False, True]
    assert record.error == "upstream_error"


async def test_a_cancelled_response_says_so_and_goes_on_being_cancelled() -> None:
    server, produced = Server(), Produced(b"a", None)
    stream, _ = respond(produced)
    started = asyncio.Event()
    server.on_send = lambda message: started.set() if message.get("body") == b"a" else None
    task = asyncio.ensure_future(stream({}, server.receive, server.send))
    await started.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert produced.has_ended
    assert b"upstream_timeout" in server.parts[-1]
    assert server.sent[-1]["more_body"] is False


async def test_the_runtime_is_left_the_last_words() -> None:
    extension: dict[str, Any] = {"abort_body": b""}
    stream, _ = respond(Produced(b"a"))
    server = Server()
    await stream({"extensions": {"aws.lambda": extension}}, server.receive, server.send)
    assert b"upstream_timeout" in extension["abort_body"]


@given(st.text(alphabet=st.characters()))
def test_any_text_survives(text: str) -> None:
    """Line ends, line separators of Unicode and half surrogates included."""
    encoded = encode_text(text)
    assert json.loads(encoded.decode()) == text
    assert b"\n" not in encoded
    assert b"\r" not in encoded


def test_text_stays_readable() -> None:
    assert encode_text("你好") == '"你好"'.encode()
