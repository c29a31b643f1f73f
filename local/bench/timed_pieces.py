"""The gateway's handler in a process that notes how long each piece of a stream is under way in it.

A line of its log for each response: nanoseconds from the arrival of bytes from Poe to the departure of the chunk that
they became. Imported by its file's name alone, so that it can watch another version of the gateway.
"""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar

from http_connections.connection import Connection
from streaming_runtime.response_stream import ResponseStream

# What they are replaced on: type checkers know no other way to change a method.
_connection: Any = Connection
_response: Any = ResponseStream
_receive, _write, _finish = Connection.data_received, ResponseStream.write, ResponseStream.finish


class _Stream:
    """The one that is measured; there is one at a time."""

    arrived_at = 0
    times: ClassVar[list[int]] = []


def _data_received(self: Connection, data: bytes) -> None:
    _Stream.arrived_at = time.perf_counter_ns()
    _receive(self, data)


def _write_timed(self: ResponseStream, data: bytes) -> None:
    _Stream.times.append(time.perf_counter_ns() - _Stream.arrived_at)
    _write(self, data)


def _finish_timed(self: ResponseStream, data: bytes) -> None:
    _finish(self, data)
    sys.stderr.write(f"pieces: {' '.join(map(str, _Stream.times))}\n")
    _Stream.times.clear()


_connection.data_received = _data_received
_response.write = _write_timed
_response.finish = _finish_timed

from gateway.asgi import handler  # noqa: E402 - made of the classes as they are now

__all__ = ["handler"]
