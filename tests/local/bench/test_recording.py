"""The measurement in the place of the Lambda service: it notes when bytes come, and reads them at the end."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from local.bench.runtime import RecordingAnswer, RecordingConnection
from local.function_url.invocation import Invocation

PRELUDE = b'{"statusCode":200}' + b"\0" * 8
PIECES = [b"data: a\n\n", b"data: b\n\n", b"data: c\n\n"]
HEAD = (
    b"POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nHost: h\r\n"
    b"Content-Type: application/vnd.awslambda.http-integration-response\r\n"
    b"Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class Host:
    """A sandbox with one invocation under way."""

    arn = "arn"

    def __init__(self) -> None:
        self.answer = RecordingAnswer()
        self.invocation = Invocation(request_id="1", trace_id="t", event=b"{}", deadline_epoch_ms=0, answer=self.answer)

    def find_invocation(self, _: str) -> Invocation:
        return self.invocation

    def runtime_polled(self, _: Any) -> None:
        raise AssertionError

    runtime_left = init_failed = runtime_polled


class Transport(asyncio.Transport):
    """Takes whatever is written."""

    def write(self, data: Any) -> None:
        del data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""

    pause_reading = resume_reading = close


@pytest.fixture
async def recording() -> tuple[Host, RecordingConnection]:
    host = Host()
    connection = RecordingConnection(host, set())
    connection.connection_made(Transport())
    return host, connection


@pytest.mark.parametrize("end", [[LAST], [b"0\r\n", b"\r\n"], [b"0", b"\r", b"\n\r", b"\n"]])
async def test_pieces_are_read_at_the_end_and_have_the_times_of_their_arrival(
    recording: tuple[Host, RecordingConnection], end: list[bytes]
) -> None:
    host, connection = recording
    connection.data_received(HEAD + chunk(PRELUDE))
    moments = [time.monotonic()]
    for piece in PIECES:
        connection.data_received(chunk(piece))
        moments.append(time.monotonic())
    for part in end[:-1]:
        connection.data_received(part)
    assert host.answer.pieces == []
    connection.data_received(end[-1])
    assert [piece.data for piece in host.answer.pieces] == PIECES
    for piece, before, after in zip(host.answer.pieces, moments, moments[1:], strict=False):
        assert before <= piece.time <= after


async def test_a_response_that_breaks_off_is_read_as_far_as_it_came(
    recording: tuple[Host, RecordingConnection],
) -> None:
    host, connection = recording
    connection.data_received(HEAD + chunk(PRELUDE))
    connection.data_received(chunk(PIECES[0]))
    connection.eof_received()
    connection.connection_lost(None)
    assert [piece.data for piece in host.answer.pieces] == PIECES[:1]
    # It failed, which a measurement must not take for an answer.
    assert host.answer.head is None
