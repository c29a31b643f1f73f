"""What the runtime itself logs: a JSON line per problem, and an application's exceptions.

An exception is written as AWS's client writes it, with its text and its traceback, or, where that is hidden, as a
problem with types and places only. Silence otherwise.
"""

import json
import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from streaming_runtime.failures import Failure, causes_of, describe, stack_of, type_name
from streaming_runtime.log_format import LogSettings, install_root_handler
from streaming_runtime.log_sink import FramedSink, Sink, StandardSink, open_sink

# AWS's client indents with it: CloudWatch's console swallows spaces at the start of a line.
_INDENT = "\u00a0"


class _Log:
    """How this process logs. Changed by `configure`."""

    def __init__(self) -> None:
        self.sink: Sink = StandardSink()
        self.settings = LogSettings()
        self.hides_text = False


_log = _Log()


def configure(environ: MutableMapping[str, str]) -> None:
    """Open the sink that Lambda offers, and let the root logger write to it as AWS's client does."""
    _log.sink = open_sink(environ)
    _log.settings = LogSettings.from_environ(environ)
    install_root_handler(_log.sink, _log.settings)


def hide_exceptions(hides_text: bool) -> None:
    """Whether an application's exceptions are logged without their text."""
    _log.hides_text = hides_text


def problem(event: str, level: str = "ERROR", **fields: object) -> None:
    """Write `event`, a constant dotted name, with its fields. No field may hold what a user sent."""
    number = logging.getLevelNamesMapping()[level]
    if number < (_log.settings.level or logging.NOTSET):
        return
    line = json.dumps({"timestamp": _now("milliseconds"), "level": level, "message": event, **fields}, default=str)
    if isinstance(_log.sink, FramedSink):
        _log.sink.write(line + "\n", level=number, is_json=True)
    else:
        with suppress(OSError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()


def app_error(event: str, error: BaseException, level: str = "ERROR", *, request_id: str = "") -> None:
    """Write an exception of the application: `event`, a constant dotted name, says where it came up."""
    if not _log.hides_text and level == "ERROR":
        failure(describe(error, hides_text=False), request_id)
        return
    about: dict[str, Any] = {"requestId": request_id} if request_id else {}
    about |= {"errorType": type_name(error), "causes": causes_of(error), "stack": stack_of(error)}
    if not _log.hides_text:
        about["errorMessage"] = describe(error, hides_text=False).message
    problem(event, level, **about)


def failure(found: Failure, request_id: str = "") -> None:
    """Write a failure as AWS's client writes errors: text or JSON, by the function's setting."""
    if _log.settings.is_json:
        document = {"timestamp": _now("seconds"), "level": "ERROR", **found.to_document(request_id)}
        _log.sink.write(json.dumps(document, ensure_ascii=False) + "\n", level=logging.ERROR, is_json=True)
        return
    lines = [f"[ERROR] {found.error_type}" + (f": {found.message}" if found.message else "")]
    lines.append("Traceback (most recent call last):")
    for line in "".join(frame if frame.endswith("\n") else frame + "\n" for frame in found.stack).splitlines():
        bare = line.lstrip(" ")
        lines.append(_INDENT * (len(line) - len(bare)) + bare)
    _log.sink.write_lines(lines)


def write(message: str) -> None:
    """Write what the application logs through its context object, as it is."""
    _log.sink.write(message)


def _now(precision: str) -> str:
    return datetime.now(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
