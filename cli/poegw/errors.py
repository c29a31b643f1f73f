"""How a command fails: one exception with the sentence, the next step and the exit status."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit statuses. `points` also ends with 2 when there are nearly no points, as the original's script did."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_LOGGED_IN = 3
    REFUSED = 4
    """The gateway or Poe refused: a limit, a budget, missing rights."""
    PROBLEMS_FOUND = 5
    """`doctor` found something that does not work."""
    INTERRUPTED = 130


NEARLY_NO_POINTS = 2


class CommandError(Exception):
    """What is printed on standard error before the command ends. `hint` says what to do next."""

    def __init__(
        self, message: str, *, hint: str | None = None, status: int = Exit.FAILURE, request_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = int(status)
        self.request_id = request_id

    def lines(self) -> list[str]:
        """The sentences to print, one per line."""
        lines = [f"Error: {self.message}"]
        if self.hint:
            lines.append(self.hint)
        if self.request_id:
            lines.append(f"Request id: {self.request_id}")
        return lines


def not_logged_in(message: str = "You are not logged in to a gateway.") -> CommandError:
    """No address or no key is known."""
    return CommandError(
        message,
        hint="Run `poegw login --url URL`, or `. .local/run.env` beside a running `make run`.",
        status=Exit.NOT_LOGGED_IN,
    )
