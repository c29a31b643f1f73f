"""Describe a failure without repeating what its exception says: that may hold what users sent."""

import json
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Any

MAX_FRAMES = 12
MAX_MESSAGE_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an invocation, or the start of the sandbox, did not end well. Safe to log and to send."""

    # One line of ASCII: it is sent as a header.
    error_type: str
    message: str
    # For the caller, when no part of the response has left yet.
    status: int = 500
    # For the caller as a machine-readable code.
    code: str = "internal_error"
    stack: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Lambda's error document."""
        document = {"errorMessage": self.message, "errorType": self.error_type, "stackTrace": self.stack}
        return json.dumps(document).encode()

    def to_caller(self) -> bytes:
        """What the caller may know, as JSON."""
        error = {"message": self.message, "type": "server_error", "code": self.code}
        return json.dumps({"error": error}).encode()


DEADLINE = Failure("Runtime.DeadlineExceeded", "The function's time is over.", status=504, code="deadline_exceeded")
SHUTDOWN = Failure("Runtime.Shutdown", "The sandbox is shutting down.", status=503, code="shutting_down")
INCOMPLETE = Failure("Runtime.IncompleteResponse", "The application returned without completing the response.")


def failure_of(error: BaseException) -> Failure:
    """An application's exception: its type and where it was raised, never its text."""
    return Failure(type_name(error), "The application failed.", stack=stack_of(error))


def init_failure_of(error: BaseException) -> Failure:
    """An error at the start, text included: no request has been seen, and the operator needs the reason."""
    name = str(getattr(error, "error_type", type_name(error)))
    return Failure(name, str(error)[:MAX_MESSAGE_CHARACTERS] or name, stack=stack_of(error.__cause__ or error))


def type_name(error: BaseException) -> str:
    """The class of `error` as ASCII, for a header."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", type(error).__name__)[:128]


def stack_of(error: BaseException) -> tuple[str, ...]:
    """The innermost frames of the traceback as `file:line function`, outermost first."""
    frames: list[str] = []
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return tuple(frames[-MAX_FRAMES:])


def causes_of(error: BaseException) -> list[str]:
    """The types of the exceptions behind `error`, members of groups included, nearest first."""
    found: list[str] = []
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending and len(found) < MAX_FRAMES:
        current: Any = pending.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        found.append(type_name(current))
        pending += getattr(current, "exceptions", ())
        pending.append(current.__cause__ or current.__context__)
    return found[1:]
