"""What is written about a request: one structured line at its end, a line per noteworthy event, metrics if wanted.

Lines hold names, numbers and codes of ours: never a header, a body, a prompt, an answer, or the text of an exception,
which may quote any of them.

The log of requests that an owner reads is kept in the table, one item per request, without a word of prompt or answer.
A request with one answer is written along with the release of its lease, which costs no write of its own. What has no
release, or several, is written before the last byte leaves: Lambda freezes the sandbox right after.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, TextIO

from accounts import NoAccountError
from accounts import RequestRecord as KeptRequest
from gateway.http.errors import GatewayError, Situation
from lazy_dataclasses import dataclass
from pool.log import quiet_libraries
from reverse.errors import PoeError
from reverse.tracing import Trace

if TYPE_CHECKING:
    from gateway.http.key_budget import KeyBudget
    from gateway.http.metrics import RequestMetrics

SERVICE = "gateway"
_MAX_FRAMES = 12
# The client went away before the answer was complete; nobody sees this status (nginx's convention).
CLIENT_GONE = 499


@dataclass(slots=True)
class RequestRecord:
    """What is known of one request; filled in as it goes through the house. Times are monotonic seconds."""

    request_id: str
    method: str
    started_at: float
    route: str = "unknown"
    status: int = 0
    key: str | None = None
    """The API key's name."""
    model: str | None = None
    alias: str | None = None
    """The owner's alias by which the model was asked for."""
    account: str | None = None
    """The account's id, as the administration shows it."""
    attempts: int = 0
    chunks: int = 0
    first_byte_at: float | None = None
    """When the first byte of the body was handed to the server."""
    finish: str | None = None
    error: str | None = None
    is_stream: bool = False
    crash: Exception | None = field(default=None, repr=False)
    """An exception nobody expected, which ended the stream of the response."""
    usage: dict[str, Any] = field(default_factory=dict)
    budget: KeyBudget | None = field(default=None, repr=False)
    """The limits of the key, once the request was admitted."""
    surface: str = ""
    """Which of the APIs was called, such as `chat`."""
    key_id: str | None = None
    first_token_at: float | None = None
    """When the upstream said the first that a caller would see."""
    points: int | None = None
    """What the sends cost, as far as it is known; `None` if that is unknown for any of them."""
    points_estimated: bool = False
    """Whether any of the points are an estimate."""
    cause: str | None = None
    """What is behind `error`: the code of the upstream's failure, or why there was no account."""
    last_failure: str | None = None
    """Code of the last send that failed, whatever came after it."""
    situation: Situation | None = None
    """What `error` is a case of; `None` where the caller went away."""
    account_kind: str | None = None
    is_listed: bool = False
    """Whether the list of models has the model."""
    trace: Trace | None = None
    """The trace that the caller named."""
    is_part: bool = False
    """Whether this is one of several answers, whose request has a record of its own."""
    is_kept: bool = False
    """Whether the request is in the log that its owner reads."""

    def fail(self, failure: GatewayError, error: BaseException) -> None:
        """Note how the request ended: what the caller is told, and the `error` behind it."""
        # What the caller was told is one thing, what was behind it another: both are needed to find out why.
        self.error, self.situation = failure.code, failure.situation
        behind = error.__cause__ if isinstance(error, GatewayError) else error
        if isinstance(behind, PoeError):
            self.cause = behind.code.value
        elif isinstance(behind, NoAccountError):
            self.cause = behind.cause or behind.reason.value

    def leave(self, code: str = "client_gone") -> None:
        """Note that the caller went away."""
        self.error, self.situation = code, None

    def part(self, index: int) -> RequestRecord:
        """A record for one of several answers to the request."""
        # A record for each answer: they run at the same time and would overwrite each other's account and finish.
        return RequestRecord(
            f"{self.request_id}-{index}",
            self.method,
            self.started_at,
            key=self.key,
            model=self.model,
            alias=self.alias,
            budget=self.budget,
            surface=self.surface,
            key_id=self.key_id,
            is_listed=self.is_listed,
            trace=self.trace,
            is_part=True,
        )

    def merge(self, part: RequestRecord) -> None:
        """Add what became of one of several answers."""
        self.attempts += part.attempts
        self.model = part.model or self.model
        self.account = self.account or part.account
        self.account_kind = self.account_kind or part.account_kind
        self.last_failure = part.last_failure or self.last_failure
        self.finish = self.finish or part.finish
        self.cause = self.cause or part.cause
        if part.first_token_at is not None:
            self.first_token_at = min(self.first_token_at or part.first_token_at, part.first_token_at)
        if part.usage:
            # Unknown stays unknown, whatever the other parts cost: a sum that is too low would be believed.
            is_known = part.points is not None and (self.points is not None or not self.usage)
            self.points = (self.points or 0) + (part.points or 0) if is_known else None
            self.points_estimated = self.points_estimated or part.points_estimated
        for name, value in part.usage.items():
            so_far = self.usage.get(name)
            # `estimated` is a flag: one estimate makes the sum one.
            self.usage[name] = (value or bool(so_far)) if isinstance(value, bool) else value + (so_far or 0)


class Journal:
    """Writes the lines. The logger is made at the first line: at a cold start that is after the first byte."""

    def __init__(
        self,
        *,
        level: str = "info",
        with_metrics: bool = False,
        stream: TextIO | None = None,
        service: str = SERVICE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._level = level.upper()
        self._with_metrics = with_metrics
        self._stream = stream
        self._service = service
        self._clock = clock
        self._made: Any = None
        self._metrics: RequestMetrics | None = None
        # At the start, before a library writes an address or a header into the log.
        quiet_libraries()

    def request_ended(self, record: RequestRecord) -> None:
        """The one line of a request, and its metrics."""
        now = self._clock()
        line: dict[str, Any] = {
            "request_id": record.request_id,
            "method": record.method,
            "route": record.route,
            "status": record.status,
            "duration_ms": _milliseconds(now - record.started_at),
        }
        if record.first_byte_at is not None:
            line["first_byte_ms"] = _milliseconds(record.first_byte_at - record.started_at)
        for name in ("key", "model", "alias", "account", "finish", "error", "cause", "last_failure"):
            if (value := getattr(record, name)) is not None:
                line[name] = value
        if record.attempts:
            line |= {"attempts": record.attempts, "stream": record.is_stream, "chunks": record.chunks}
        if record.points is not None:
            line |= {"points": record.points, "points_estimated": record.points_estimated}
        self._logger.info("request.ended", extra=line | record.usage | _trace(record))
        if self._with_metrics:
            self._write_metrics(line, record)

    def event(self, name: str, record: RequestRecord | None = None, **fields: str | int | float | None) -> None:
        """Something worth knowing happened: `name` is a constant, `fields` hold nothing that users or Poe wrote."""
        # Warnings, so that they are written with `log_level=warning`, too.
        about = {} if record is None else {"request_id": record.request_id, "account": record.account, **_trace(record)}
        self._logger.warning(name, extra=about | fields)

    def crash(self, error: BaseException, record: RequestRecord | None = None) -> None:
        """An exception nobody expected: its type and where it came from, never its text."""
        request_id = record.request_id if record else None
        # No `exc_info`: a formatted traceback has the exception's text, which may quote a prompt.
        line: dict[str, Any] = {"request_id": request_id, "error_type": type(error).__name__, "frames": _frames(error)}
        line |= _trace(record) if record else {}
        self._logger.error("request.crashed", extra=line)

    def _write_metrics(self, line: dict[str, Any], record: RequestRecord) -> None:
        """Write them to the standard output, which Lambda's log is."""
        from gateway.http.metrics import Fault, RequestMetrics, fault_of

        self._metrics = self._metrics or RequestMetrics(self._service)
        fault = fault_of(record.situation) if record.error is not None else None
        is_callers = fault in (Fault.CALLER, Fault.LIMIT)
        is_ours = fault is not None and not is_callers and fault is not Fault.GONE
        counts: dict[str, float | None] = {
            "Requests": 1,
            "Errors": int(is_ours),
            "CallerErrors": int(is_callers),
            "Duration": line["duration_ms"],
            "TimeToFirstByte": line.get("first_byte_ms") if record.attempts else None,
            "Attempts": record.attempts or None,
            "Points": record.points,
            "PromptTokens": record.usage.get("prompt_tokens"),
            "CompletionTokens": record.usage.get("completion_tokens"),
        }
        document = self._metrics.document(
            {name: value for name, value in counts.items() if value is not None},
            timestamp_ms=round(time.time() * 1000),
            status=record.status,
            fault=fault,
            model=record.model if record.is_listed else None,
            key_id=record.key_id,
            account_kind=record.account_kind,
        )
        # Not through the logger, which would wrap the document; CloudWatch reads metrics from a whole line only.
        sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
        sys.stdout.flush()

    @property
    def _logger(self) -> Any:
        if self._made is None:
            # 40 ms of imports that no caller has to wait for.
            from aws_lambda_powertools import Logger

            self._made = Logger(service=self._service, level=self._level, stream=self._stream, location=None)
        return self._made


def _trace(record: RequestRecord) -> dict[str, str]:
    trace = record.trace
    return {} if trace is None else {"trace_id": trace.trace_id, "span_id": trace.span_id, "parent_id": trace.parent_id}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _frames(error: BaseException) -> list[str]:
    frames: list[str] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    # The innermost ones: where it happened tells more than how the request came there.
    return frames[-_MAX_FRAMES:]


_OK = 200


class RequestKeeper:
    """Makes items of records. `seconds` is how long they are kept; 0 keeps nothing."""

    def __init__(
        self,
        seconds: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._now = now

    def is_wanted(self, record: RequestRecord) -> bool:
        """Whether the request is still to be kept: it had a key and a model, and is no part of another."""
        is_known = record.key_id is not None and record.model is not None
        # Requests without a valid key are not kept: anybody could fill the table with them.
        return self._seconds > 0 and is_known and not record.is_part and not record.is_kept

    def item(self, record: RequestRecord, *, status: int | None = None, code: str | None = None) -> KeptRequest | None:
        """What is kept of a request, which is noted as kept; `None` if nothing is to be."""
        if not self.is_wanted(record):
            return None
        # Set before anything is written, so that the release and the end of the request do not both write it.
        record.is_kept = True
        usage = record.usage
        return KeptRequest(
            request_id=record.request_id,
            at=self._now(),
            key_id=record.key_id or "",
            model=(record.model or "").lower(),
            surface=record.surface,
            # The release may come before the status line: an answer that ended well is a 200.
            status=status or record.status or _OK,
            code=code or record.error,
            cause=record.cause,
            account_id=record.account,
            attempts=record.attempts,
            first_token_seconds=_between(record.started_at, record.first_token_at),
            total_seconds=_between(record.started_at, self._clock()),
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            points=record.points,
            points_estimated=record.points_estimated,
            is_estimated=bool(usage.get("estimated", True)),
            ttl_seconds=self._seconds,
        )


def _between(start: float, end: float | None) -> float | None:
    return None if end is None else round(max(0.0, end - start), 3)
