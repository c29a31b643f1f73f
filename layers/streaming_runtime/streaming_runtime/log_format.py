"""Log records as AWS's Python client writes them, in text and in JSON, and the root logger that does so.

Formats, fields and the meaning of the variables: AWS's client 4.2.2 (November 2026), beside which the tests run this.
"""

import json
import logging
import time
import traceback
from collections.abc import Mapping
from typing import Any, NamedTuple

from streaming_runtime.current import get_current
from streaming_runtime.log_sink import Sink, round_level

_TIME = "%Y-%m-%dT%H:%M:%S"
_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
# What every record has. The rest was given as `extra`, and becomes a field of its own.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "tenant_id"}
_FORMAT_VARIABLE, _LEVEL_VARIABLE = "AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL"
# Powertools' names for the level, the older one last.
_POWERTOOLS_LEVEL_VARIABLES = ("POWERTOOLS_LOG_LEVEL", "LOG_LEVEL")


class LogSettings(NamedTuple):
    """What the environment says about logs."""

    is_json: bool = False
    # The least level that is logged; None leaves the root logger at its own, WARNING.
    level: int | None = None
    # Whether frames tell the level. AWS's client does so once the function's log settings ask for a format or a level.
    tells_level: bool = False

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "LogSettings":
        """Read Lambda's variables, and Powertools' level where Lambda names none.

        Of both levels the higher one holds: Lambda drops what is below its own. What is no level counts as absent, as
        with AWS's client: Lambda validates its own, and logs are no reason not to start.
        """
        own = _level(environ.get(_LEVEL_VARIABLE, ""))
        powertools = next((environ[name] for name in _POWERTOOLS_LEVEL_VARIABLES if environ.get(name)), "")
        levels = [level for level in (own, _level(powertools)) if level is not None]
        is_json = environ.get(_FORMAT_VARIABLE, "").upper() == "JSON"
        return cls(is_json, max(levels, default=None), is_json or bool(environ.get(_LEVEL_VARIABLE)))


def _level(name: str) -> int | None:
    name = name.strip().upper()
    return logging.getLevelNamesMapping().get({"TRACE": "DEBUG"}.get(name, name))


class TextFormatter(logging.Formatter):
    """`[LEVEL]`, time in UTC, request id and message, with tabs between."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(_TEXT, _TIME)

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the traceback behind it. AWS's client forgets the line end behind a traceback."""
        text = super().format(record)
        return text if text.endswith("\n") else text + "\n"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the fields that Lambda's log controls filter by."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """The line. What JSON cannot say is written as its `str`."""
        has_object = isinstance(record.msg, dict) and not record.args
        fields: dict[str, Any] = {
            "timestamp": self.formatTime(record, _TIME + "Z"),
            "level": logging.getLevelName(round_level(record.levelno)),
            "message": record.msg if has_object else record.getMessage(),
            "logger": record.name,
            **_describe_exception(record),
            "requestId": getattr(record, "aws_request_id", None),
            "location": f"{record.pathname}:{record.funcName}:{record.lineno}" if record.exc_info else None,
            "tenantId": getattr(record, "tenant_id", None),
        }
        extra = ((name, value) for name, value in vars(record).items() if name not in _STANDARD)
        fields |= {name: value for name, value in extra if name not in fields}
        known = {name: value for name, value in fields.items() if value is not None}
        return json.dumps(known, ensure_ascii=False, default=str) + "\n"


def _describe_exception(record: logging.LogRecord) -> dict[str, Any]:
    kind, error, frames = record.exc_info or (None, None, None)
    if kind is None:
        return {}
    return {
        "stackTrace": traceback.format_tb(frames),
        "errorType": kind.__name__,
        "errorMessage": str(error),
    }


class RootHandler(logging.Handler):
    """Writes records to the sink, tagged with the invocation that they belong to."""

    def __init__(self, sink: Sink, settings: LogSettings) -> None:
        super().__init__()
        self._sink = sink
        self._settings = settings
        self.setFormatter(JsonFormatter() if settings.is_json else TextFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record. A failure is reported as `logging` reports those of any handler."""
        current = get_current()
        record.aws_request_id, record.tenant_id = current.request_id, current.tenant_id
        try:
            level = record.levelno if self._settings.tells_level else logging.NOTSET
            self._sink.write(self.format(record), level=level, is_json=self._settings.is_json)
        except Exception:  # noqa: BLE001 - a line that cannot be written must not end a request
            self.handleError(record)


def install_root_handler(sink: Sink, settings: LogSettings) -> None:
    """Let the root logger write to `sink`, instead of what wrote to it before.

    To be called before the application is imported: `logging.basicConfig` then changes nothing, as on Lambda.
    """
    root = logging.getLogger()
    root.handlers = [RootHandler(sink, settings)]
    if settings.level is not None:
        root.setLevel(settings.level)
