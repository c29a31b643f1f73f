"""ASGI's rules between an application and a sink that records."""

import asyncio
import itertools
from typing import Any

import pytest

from streaming_runtime.errors import AppProtocolError, ResponseConnectionLostError
from streaming_runtime.failures import DEADLINE, Failure
from streaming_runtime.http_cycle import FAIRNESS_SECONDS, HttpCycle, Phase
from streaming_runtime.response_head import ResponseHead

START = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: Any = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def start(status: int = 200, **headers: bytes) -> dict[str, Any]:
    pairs = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return {**START, "status": status, "headers": pairs}


class RecordingSink:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.is_full = False
        self.calls: list[tuple[Any, ...]] = []

    async def open(self, head: ResponseHead, first: bytes) -> None:
        self.calls.append(("open", head.status, first))

    def write(self, data: bytes) -> None:
        self.calls.append(("write", data))

    async def drain(self) -> None:
        self.calls.append(("drain",))
        self.is_full = False

    def finish(self, data: bytes) -> None:
        self.calls.append(("finish", data))

    def fail(self, last_words: bytes, failure: Failure) -> None:
        self.calls.append(("fail", last_words, failure.error_type))


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


@pytest.fixture
def cycle(sink: RecordingSink) -> HttpCycle:
    return HttpCycle(b"request", sink, asyncio.Event())


async def test_the_head_waits_for_the_first_body_message(cycle, sink):
    await cycle.send(START)
    assert sink.calls == [] and cycle.phase is Phase.HEADED
    await cycle.send(body(b"one", more=True))
    await cycle.send(body(b"two", more=True))
    await cycle.send(body(b"three"))
    assert sink.calls == [("open", 200, b"one"), ("write", b"two"), ("finish", b"three")]
    assert cycle.phase is Phase.OVER


async def test_an_empty_message_in_the_middle_is_no_chunk(cycle, sink):
    for message in (START, body(more=True), body(more=True), body()):
        await cycle.send(message)
    assert sink.calls == [("open", 200, b""), ("finish", b"")]


@pytest.mark.parametrize("data", [bytearray(b"ab"), memoryview(b"ab")])
async def test_a_body_may_be_any_bytes(cycle, sink, data):
    await cycle.send(START)
    await cycle.send(body(data))
    assert sink.calls[0] == ("open", 200, b"ab") and type(sink.calls[0][2]) is bytes


async def test_receive_gives_the_body_once_and_then_waits_for_the_end(cycle):
    assert await cycle.receive() == {"type": "http.request", "body": b"request", "more_body": False}
    waiting = asyncio.ensure_future(cycle.receive())
    await asyncio.sleep(0)
    assert not waiting.done()
    await cycle.send(START)
    await cycle.send(body())
    assert await waiting == {"type": "http.disconnect"}


async def test_receive_tells_that_the_response_cannot_be_delivered(sink):
    disconnected = asyncio.Event()
    cycle = HttpCycle(b"", sink, disconnected)
    await cycle.receive()
    disconnected.set()
    assert await cycle.receive() == {"type": "http.disconnect"}


@pytest.mark.parametrize(
    "messages",
    [
        [body()],
        [START, START],
        [START, body(more=True), START],
        [{"type": "http.response.push"}],
        [START, body(b"a", more=True), {"type": "http.response.push"}],
        [START, {"type": "http.response.trailers"}],
        [start(content_length=b"3"), body(b"four")],
        [start(content_length=b"3"), body(b"two", more=True), body(b"x")],
        [start(content_length=b"3"), body(b"tw")],
        [start(x=b"a\r\nb")],
        [start(status=99)],
    ],
)
async def test_breaking_a_rule_raises_in_the_application(cycle, messages):
    with pytest.raises(AppProtocolError):
        for message in messages:
            await cycle.send(message)
    assert cycle.phase is not Phase.OVER


async def test_sending_after_the_end_says_that_it_is_over(cycle):
    await cycle.send(START)
    await cycle.send(body())
    with pytest.raises(ResponseConnectionLostError):
        await cycle.send(body(b"more"))


async def test_the_announced_length_is_let_through(cycle, sink):
    for message in (start(content_length=b"5"), body(b"abc", more=True), body(b"de")):
        await cycle.send(message)
    assert sink.calls == [("open", 200, b"abc"), ("finish", b"de")]


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(cycle, sink, status: int):
    for message in (start(status), body(b"abc", more=True), body(b"de")):
        await cycle.send(message)
    assert sink.calls == [("open", status, b""), ("finish", b"")]


async def test_the_answer_to_head_has_no_body_but_its_length(sink):
    cycle = HttpCycle(b"", sink, asyncio.Event(), is_head_request=True)
    await cycle.send(start(content_length=b"1000"))
    await cycle.send(body(b"abc"))
    assert sink.calls == [("open", 200, b""), ("finish", b"")]


async def test_a_full_sink_is_waited_for(cycle, sink):
    await cycle.send(START)
    await cycle.send(body(b"a", more=True))
    sink.is_full = True
    await cycle.send(body(b"b", more=True))
    assert sink.calls[1:] == [("write", b"b"), ("drain",)]


async def test_an_application_that_never_waits_gives_the_loop_back_now_and_then(sink):
    times = itertools.count(step=FAIRNESS_SECONDS / 10)
    cycle = HttpCycle(b"", sink, asyncio.Event(), clock=lambda: next(times))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    await cycle.send(START)
    for _ in range(110):
        await cycle.send(body(b"a", more=True))
    counting.cancel()
    assert 8 <= turns <= 12


async def test_a_failure_before_the_start_becomes_a_clean_error(cycle, sink):
    await cycle.send(start(200, x=b"1"))
    await cycle.fail(DEADLINE)
    assert sink.calls[0][:2] == ("open", 504) and b"deadline_exceeded" in sink.calls[0][2]
    assert sink.calls[1:] == [("finish", b"")] and cycle.phase is Phase.OVER


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (start(content_type=b"text/plain"), b""),
        (start(content_type=b"text/event-stream; charset=utf-8"), b"\n\nevent: error\ndata: {"),
        (start(content_type=b"text/event-stream", content_encoding=b"gzip"), b""),
        (start(content_type=b"text/event-stream", content_length=b"900"), b""),
    ],
    ids=["text", "events", "compressed", "with-length"],
)
async def test_a_stream_of_events_ends_with_an_error_event(cycle, sink, head, expected: bytes):
    await cycle.send(head)
    await cycle.send(body(b"data: 1", more=True))
    await cycle.fail(DEADLINE)
    _, last_words, error_type = sink.calls[-1]
    assert last_words.startswith(expected) and bool(last_words) is bool(expected)
    assert error_type == "Runtime.DeadlineExceeded"


async def test_the_application_may_leave_its_own_last_words(sink):
    extension: dict[str, Any] = {}
    cycle = HttpCycle(b"", sink, asyncio.Event(), extension=extension)
    extension["abort_body"] = b"data: mine\n\n"
    await cycle.send(start(content_type=b"application/x-ndjson"))
    await cycle.send(body(b"1", more=True))
    await cycle.fail(DEADLINE)
    assert sink.calls[-1] == ("fail", b"data: mine\n\n", "Runtime.DeadlineExceeded")


async def test_after_the_end_a_failure_changes_nothing(cycle, sink):
    await cycle.send(START)
    await cycle.send(body())
    calls = list(sink.calls)
    await cycle.fail(DEADLINE)
    assert sink.calls == calls
