"""The gateway's handler in a process that notes how long each piece of a stream is under way in it.

A line of its log for each response: nanoseconds from the arrival of bytes from Poe to the departure of the chunk that
they became. Imported by its file's name alone, so that it can watch another version of the gateway.
"""

from __future__ import annotations

import sys
import time

from http_connections.connection import Connection
from streaming_runtime.response_stream import ResponseStream

_receive, _write, _finish = Connection.data_received, ResponseStream.write, ResponseStream.finish
_arrived = 0
_times: list[int] = []


def _data_received(self: Connection, data: bytes) -> None:
    global _arrived  # noqa: PLW0603 - one stream at a time is measured
    _arrived = time.perf_counter_ns()
    _receive(self, data)


def _write_timed(self: ResponseStream, data: bytes) -> None:
    _times.append(time.perf_counter_ns() - _arrived)
    _write(self, data)


def _finish_timed(self: ResponseStream, data: bytes) -> None:
    _finish(self, data)
    sys.stderr.write(f"pieces: {' '.join(map(str, _times))}\n")
    _times.clear()


Connection.data_received = _data_received  # type: ignore[method-assign]
ResponseStream.write = _write_timed  # type: ignore[method-assign]
ResponseStream.finish = _finish_timed  # type: ignore[method-assign]

from gateway.asgi import handler  # noqa: E402 - made of the classes as they are now

__all__ = ["handler"]
