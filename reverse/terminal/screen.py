"""Reading and writing: terminals and pipes."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import field
from typing import TextIO

from lazy_dataclasses import dataclass
from reverse.events import (
    Event,
    FileAttached,
    ReasoningDelta,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    UsageReported,
)
from reverse.terminal.signals import EndedBySignal

MAX_INPUT_CHARS = 5_000_000
# Bots and other people write what is shown; none of it may steer the terminal.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """Text without control characters, except line breaks and tabs."""
    return _CONTROLS.sub("", text)


def one_line(text: str, limit: int = 70) -> str:
    """Text for a list: without breaks, cut to size."""
    flat = " ".join(printable(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


@dataclass(slots=True)
class Shown:
    """An answer as it was shown."""

    text: str = ""
    replies: list[str] = field(default_factory=list)
    points: int | None = None
    files: list[FileAttached] = field(default_factory=list)


class Screen:
    """Where a person, or a program in a pipe, is spoken to."""

    def __init__(self, stdin: TextIO, stdout: TextIO, stderr: TextIO) -> None:
        self._stdin, self._stdout, self._stderr = stdin, stdout, stderr
        self.is_terminal = stdout.isatty()
        self.can_ask = stdin.isatty()

    def line(self, text: str = "") -> None:
        """Write a line."""
        self._write(f"{printable(text)}\n")

    def error(self, text: str) -> None:
        """Write a line to the error output."""
        self._stderr.write(f"{printable(text)}\n")
        self._stderr.flush()

    def read(self, prompt: str) -> str | None:
        """Read a line; `None` at the end of the input. Lines that end with a backslash go on."""
        lines: list[str] = []
        while True:
            line = self._read_one(prompt if not lines else "... ")
            if line is None:
                return "\n".join(lines) if lines else None
            if not line.endswith("\\"):
                return "\n".join([*lines, line])
            lines.append(line[:-1])

    def read_all(self) -> str:
        """Everything that comes on the input. Raises `OverflowError` for more than a message may have."""
        text = self._stdin.read(MAX_INPUT_CHARS + 1)
        if len(text) > MAX_INPUT_CHARS:
            raise OverflowError(f"the input is longer than {MAX_INPUT_CHARS} characters")
        return text

    def answer(self, events: Generator[Event, None, None]) -> Shown:
        """Show an answer: on a terminal as it comes, in a pipe when it is whole, so that it has no progress notes.

        An answer that breaks off is shown as far as it came; what broke it passes through.
        """
        shown = Shown()
        live = self.is_terminal
        with self._finishing(events, shown):
            for event in events:
                match event:
                    case TextDelta(text):
                        shown.text += text
                        if live:
                            self._write(printable(text))
                    case TextReplaced(text):
                        if live:
                            self._write(("\n" if shown.text else "") + printable(text))
                        shown.text = text
                    case ReasoningDelta(text) if live:
                        self._write(f"\033[2m{printable(text)}\033[0m")
                    case FileAttached():
                        shown.files.append(event)
                    case SuggestedReply(text):
                        shown.replies.append(text)
                    case UsageReported(points=points):
                        shown.points = points if points is not None else shown.points
        return shown

    @contextmanager
    def _finishing(self, events: Generator[Event, None, None], shown: Shown) -> Iterator[None]:
        """Stops the answer and shows the rest of it, however the block ends."""
        accepted: tuple[type[OSError], ...] = ()
        try:
            yield
        except EndedBySignal:
            accepted = (OSError,)  # the terminal may be gone
            raise
        finally:
            events.close()
            with suppress(*accepted):
                self._finish(shown)

    def _finish(self, shown: Shown) -> None:
        # A terminal has it already.
        text = "" if self.is_terminal else shown.text
        if shown.text and not shown.text.endswith("\n"):
            text += "\n"
        text += "".join(f"{file.url}\n" for file in shown.files if file.url not in shown.text)
        self._write(printable(text) if self.is_terminal else text)

    def _write(self, text: str) -> None:
        self._stdout.write(text)
        self._stdout.flush()

    def _read_one(self, prompt: str) -> str | None:
        if self.can_ask and self._stdin is sys.stdin:
            try:
                # `input` brings line editing where the platform has it.
                return input(prompt)
            except EOFError:
                self.line()
                return None
        if self.is_terminal:
            self._write(prompt)
        line = self._stdin.readline()
        return line.rstrip("\r\n") if line else None
