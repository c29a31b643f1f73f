"""How much work the checks of one request may do together, and JSON values in a form that can be compared. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# One step is one schema looked at, or one value, name or part of a reference compared. A check that is denied either
# bound finds nothing wrong: what a schema asks for beyond them is not checked.
MAX_STEPS = 50_000
# Of the thread's processor time, so that a busy machine changes nothing.
MAX_SECONDS = 0.05
_STEPS_PER_LOOK = 256
_CHARS_PER_STEP = 1024


class TooMuchWorkError(Exception):
    """The budget is used up."""


class Budget:
    """Steps and processor time. `clock` gives the seconds that the thread has worked."""

    def __init__(
        self,
        steps: int = MAX_STEPS,
        seconds: float = MAX_SECONDS,
        *,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.steps = steps
        """How many are left."""
        self._seconds = seconds
        self._clock = clock
        self._started_at = 0.0
        # The first `spend` looks at the clock, later ones every so many steps: reading it costs more than a step.
        self._look_at = steps

    def start(self) -> None:
        """A check begins, in whichever thread. Raises `TooMuchWorkError` if nothing is left for it."""
        self._started_at = self._clock()
        self._look()

    def stop(self) -> None:
        """The check is over."""
        # What a check has used is gone for the next ones of the request.
        self._seconds -= self._clock() - self._started_at

    def spend(self, steps: int = 1) -> None:
        """Count steps before they are done. Raises `TooMuchWorkError`."""
        # Counted before the work, so that one large step can't be begun beyond the bound.
        self.steps -= steps
        if self.steps <= self._look_at:
            self._look()

    def _look(self) -> None:
        self._look_at = self.steps - _STEPS_PER_LOOK
        if self.steps < 0 or self._clock() - self._started_at > self._seconds:
            raise TooMuchWorkError


def identity(value: Any, budget: Budget) -> str:
    """A text that two values share if they are equal as JSON has it: 1 is 1.0, but true is not 1.

    A text, because hashes of texts can't be predicted: nobody can choose values that all fall into one place of a set.
    Raises `TooMuchWorkError`.
    """
    pieces: list[str] = []
    # What is still to be written: texts as they are, and values in a tuple.
    pending: list[str | tuple[Any]] = [(value,)]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        (part,) = item
        budget.spend()
        if isinstance(part, dict):
            budget.spend(len(part))
            pending.append("}")
            # Sorted: the order of an object's names means nothing. Reversed, because the stack is emptied from its end.
            for name in sorted(part, reverse=True):
                pending += [(part[name],), ":", (name,)]
            pending.append("{")
        elif isinstance(part, list):
            pending.append("]")
            for element in reversed(part):
                pending += [",", (element,)]
            pending.append("[")
        else:
            pieces.append(_scalar(part, budget))
    return "".join(pieces)


def _scalar(value: Any, budget: Budget) -> str:
    if isinstance(value, str):
        budget.spend(len(value) // _CHARS_PER_STEP)
        # Its length in front, so that no text can look like more than one value.
        return f'"{len(value)}:{value}'
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    # An integer may have thousands of digits, which Python writes slowly.
    text = repr(value)
    budget.spend(len(text) // 64)
    return text
