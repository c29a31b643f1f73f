"""Where log lines go: standard output, or the descriptor on which Lambda takes them in frames.

Frames (AWS's Python client 4.2.2, November 2026): type, length and time, big-endian in 4, 4 and 8 bytes, then the
message. A frame keeps a message of several lines together, and its type carries the level for Lambda's log controls.
"""

import logging
import os
import sys
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Protocol

DESCRIPTOR_VARIABLE = "_LAMBDA_TELEMETRY_LOG_FD"
_JSON_FRAME, _TEXT_FRAME = 0xA55A0002, 0xA55A0003
# AWS's client joins the lines of an error with it, so that CloudWatch keeps them as one event.
_LINE_JOINT = "\r"


class Sink(Protocol):
    """Takes whole messages. One that can't be written (a full disk) is lost: it must not fail an invocation."""

    def write(self, message: str, *, level: int = logging.NOTSET, is_json: bool = False) -> None:
        """Write a message, which ends its own last line. `level` is a level of `logging`."""

    def write_lines(self, lines: list[str], *, level: int = logging.ERROR) -> None:
        """Write lines of text that belong together."""


class StandardSink:
    """Standard output, whatever `sys.stdout` is at the time."""

    def write(self, message: str, *, level: int = logging.NOTSET, is_json: bool = False) -> None:
        """Write a message, and flush: the sandbox may be frozen next."""
        del level, is_json  # the message says so itself
        with suppress(OSError):
            sys.stdout.write(message)
            sys.stdout.flush()

    def write_lines(self, lines: list[str], *, level: int = logging.ERROR) -> None:
        """Write lines as one event."""
        self.write(_LINE_JOINT.join(lines) + "\n", level=level)


class FramedSink:
    """A descriptor that takes frames."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, message: str, *, level: int = logging.NOTSET, is_json: bool = False) -> None:
        """Write one frame."""
        data = message.encode("utf-8", "backslashreplace")
        head = frame_type(level, is_json=is_json) + len(data).to_bytes(4, "big")
        frame = memoryview(head + (time.time_ns() // 1000).to_bytes(8, "big") + data)
        with suppress(OSError):
            while frame:
                frame = frame[os.write(self._descriptor, frame) :]

    def write_lines(self, lines: list[str], *, level: int = logging.ERROR) -> None:
        """Write lines as one frame."""
        self.write("\n".join(lines), level=level)


def frame_type(level: int, *, is_json: bool) -> bytes:
    """The four bytes that say what a frame holds."""
    number = round_level(level) // 10
    kind = _JSON_FRAME if is_json else _TEXT_FRAME
    return (kind | (number + 1 << 2 if number else 0)).to_bytes(4, "big")


def round_level(level: int) -> int:
    """The nearest of the five levels that is not above `level`, 0 below the lowest."""
    return min(logging.CRITICAL, max(logging.NOTSET, level)) // 10 * 10


def open_sink(environ: MutableMapping[str, str]) -> Sink:
    """Frames if Lambda names a descriptor, otherwise standard output.

    The variable is removed: a child process would write into the middle of a frame.
    """
    name = environ.pop(DESCRIPTOR_VARIABLE, "")
    if name.isascii() and name.isdigit():
        return FramedSink(int(name))
    return StandardSink()
