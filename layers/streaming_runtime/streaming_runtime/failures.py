"""Why something did not end well, as Lambda, the log and the caller are told.

By default an exception is described as AWS's client describes it: text and traceback. With `hides_text` only its type
and places are given: the text may hold what users sent.
"""

import json
import os
import re
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

MAX_FRAMES = 12
MAX_FULL_FRAMES = 50
MAX_MESSAGE_CHARACTERS = 16_384
# X-Ray's cause is sent as a header, and a report in mid-stream as a trailer. Lambda's limits are unknown; common
# servers take 16 KB of header lines and more.
MAX_HEADER_BYTES = 12_000
_OWN_FOLDER = str(Path(__file__).parent) + os.sep


class Place(NamedTuple):
    """One frame of a traceback."""

    function: str
    path: str
    line: int


class Failure(NamedTuple):
    """Why an invocation, or the start of the sandbox, did not end well."""

    # One line of ASCII: it is sent as a header.
    error_type: str
    message: str
    # For the caller, when no part of the response has left yet.
    status: int = 500
    # For the caller as a machine-readable code.
    code: str = "internal_error"
    # The traceback as lines of text, outermost frame first.
    stack: tuple[str, ...] = ()
    # The same frames for X-Ray.
    places: tuple[Place, ...] = ()

    def to_document(self, request_id: str = "") -> dict[str, Any]:
        """Lambda's error document."""
        return {
            "errorMessage": self.message,
            "errorType": self.error_type,
            "requestId": request_id,
            "stackTrace": list(self.stack),
        }

    def to_json(self, request_id: str = "") -> bytes:
        """Lambda's error document, encoded."""
        return json.dumps(self.to_document(request_id)).encode()

    def to_short_json(self, request_id: str = "") -> bytes:
        """The same within the bounds of a trailer: the outer frames go first, then the end of the message."""
        cut = self
        while len(data := cut.to_json(request_id)) > MAX_HEADER_BYTES:
            if cut.stack:
                cut = cut._replace(stack=cut.stack[len(cut.stack) // 2 + 1 :])
            else:
                cut = cut._replace(message=cut.message[: len(cut.message) // 2])
        return data

    def to_xray(self) -> str:
        """X-Ray's document of the cause, one line of ASCII; empty where even the shortest would be too long."""
        places = self.places
        while True:
            document = _xray_document(self, places)
            if len(document) <= MAX_HEADER_BYTES:
                return document
            if not places:
                return ""
            places = places[len(places) // 2 + 1 :]

    def to_caller(self) -> bytes:
        """What the caller may know, as JSON. Never an exception's text, whatever is reported elsewhere."""
        message = "The application failed." if self.code == "internal_error" else self.message
        error = {"message": message, "type": "server_error", "code": self.code}
        return json.dumps({"error": error}).encode()


DEADLINE = Failure("Runtime.DeadlineExceeded", "The function's time is over.", status=504, code="deadline_exceeded")
SHUTDOWN = Failure("Runtime.Shutdown", "The sandbox is shutting down.", status=503, code="shutting_down")
INCOMPLETE = Failure("Runtime.IncompleteResponse", "The application returned without completing the response.")


def describe(error: BaseException, *, hides_text: bool) -> Failure:
    """An application's exception: with its text, or with `hides_text` its type and where it was raised."""
    places = places_of(error)
    if hides_text:
        return Failure(type_name(error), "The application failed.", stack=stack_of(error), places=places)
    return Failure(type_name(error), text_of(error), stack=_formatted(error, len(places)), places=places)


def init_failure_of(error: BaseException) -> Failure:
    """An error at the start, text included: no request has been seen, and the operator needs the reason."""
    name = str(getattr(error, "error_type", type_name(error)))
    cause = error.__cause__ or error
    places = places_of(cause)
    return Failure(name, text_of(error) or name, stack=_formatted(cause, len(places)), places=places)


def text_of(error: BaseException) -> str:
    """What the exception says, cut to a length that can be logged."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - `__str__` is the application's
        return "(its text could not be read)"
    if len(text) > MAX_MESSAGE_CHARACTERS:
        return text[: MAX_MESSAGE_CHARACTERS - 1] + "…"
    return text


def type_name(error: BaseException) -> str:
    """The class of `error` as ASCII, for a header."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", type(error).__name__)[:128]


def stack_of(error: BaseException) -> tuple[str, ...]:
    """The innermost frames of the traceback as `file:line function`, outermost first."""
    return tuple(f"{place.path}:{place.line} {place.function}" for place in _all_places(error)[-MAX_FRAMES:])


def places_of(error: BaseException) -> tuple[Place, ...]:
    """The innermost frames, without those with which the runtime called the application."""
    places = _all_places(error)
    while len(places) > 1 and places[0].path.startswith(_OWN_FOLDER):
        places.pop(0)
    return tuple(places[-MAX_FULL_FRAMES:])


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


def _all_places(error: BaseException) -> list[Place]:
    places: list[Place] = []
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        code = frame.tb_frame.f_code
        places.append(Place(code.co_name, code.co_filename, frame.tb_lineno))
        frame = frame.tb_next
    return places


def _formatted(error: BaseException, count: int) -> tuple[str, ...]:
    """The innermost frames with their source lines, which costs a look at each file.

    Without the marks below the lines that Python 3.13 adds: AWS's client writes none.
    """
    frames = traceback.extract_tb(error.__traceback__, limit=-count) if count else []
    return tuple(
        traceback.format_list([(frame.filename, frame.lineno or 0, frame.name, frame.line) for frame in frames])
    )


def _xray_document(failure: Failure, places: tuple[Place, ...]) -> str:
    stack = [{"label": place.function, "path": place.path, "line": place.line} for place in places]
    return json.dumps(
        {
            "working_directory": os.getcwd(),  # noqa: PTH109 - a string, without pathlib's work
            "exceptions": [{"message": failure.message, "type": failure.error_type, "stack": stack}],
            "paths": sorted({place.path for place in places}),
        }
    )
