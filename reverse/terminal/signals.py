"""Ends the program on SIGTERM and SIGHUP as Ctrl-C does: what runs at Poe is stopped first."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")  # Windows lacks the second


class EndedBySignal(KeyboardInterrupt):
    """Raised in the main thread. A chat goes on after Ctrl-C, and ends after this."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What shells show for a program that the signal ended."""
        return 128 + self.number


@contextmanager
def ending_signals() -> Iterator[None]:
    """Within the block the first of these signals raises `EndedBySignal`; more of them do nothing from then on.

    The program is to clean up and to exit with its own code, so they do nothing behind the block, either. Where none
    came, they do there what they did before. A signal that is ignored stays ignored: `nohup` wants it so. To be entered
    in the main thread.
    """
    is_ending = False

    def end(number: int, _frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise EndedBySignal(number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            if not is_ending and handler is not signal.SIG_IGN and handler is not None:
                signal.signal(number, handler)
