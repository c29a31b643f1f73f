"""A request as telemetry, once it has ended: metrics for CloudWatch, and a span for an OpenTelemetry collector.

Nothing of a request's words is in either: names, numbers and codes only, as in the log.

Metrics go into the log in the embedded metric format, one JSON object for each request. They are written here instead
of by Powertools, which gives every metric of a document the same dimensions: each combination of values is a metric
that AWS charges. Whose fault a failure was is a word of a closed list (`Fault`).
Source: the Embedded Metric Format specification in CloudWatch's documentation.

Spans are posted as OTLP/HTTP in JSON after the answer, if `GATEWAY_OTLP_ENDPOINT` names a collector. What can't be
delivered within a second is dropped. The format is that of opentelemetry-proto 1.3
(`opentelemetry/proto/trace/v1/trace.proto`, JSON mapping): ids in hexadecimal, 64-bit numbers as strings. The SDK is
left out for its size and its share of a cold start.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from gateway.http.errors import (
    ACCOUNTS_DISABLED,
    BOT_LIMIT,
    BUSY,
    CHALLENGE,
    CREDENTIALS_REFUSED,
    NO_ACCESS,
    NO_ACCOUNTS,
    NO_POINTS,
    NOT_READY,
    OVERLOADED,
    QUOTA,
    RATE_LIMIT,
    TIMEOUT,
    UNREACHABLE,
    UNUSABLE_ANSWER,
    UPSTREAM,
    WAITING,
    WRONG_KIND,
    Situation,
)
from pool.log import NAMESPACE

if TYPE_CHECKING:
    from gateway.http.request_log import Journal, RequestRecord


OTHER = "other"
NONE = "none"
# Of each process. A further model or key is counted as `other`.
MAX_MODELS = 20
MAX_KEYS = 20

Units = dict[str, str]
_EVERYWHERE: Units = {"Requests": "Count", "Errors": "Count", "CallerErrors": "Count"}
_SPENT: Units = {"Points": "Count", "PromptTokens": "Count", "CompletionTokens": "Count"}
_TIMES: Units = {"Duration": "Milliseconds", "TimeToFirstByte": "Milliseconds", "Attempts": "Count"}


class Fault(StrEnum):
    """Whose part a failure is: a closed list, for metrics."""

    CALLER = "caller"
    """The request is wrong, or its key."""
    LIMIT = "limit"
    """A limit of the key."""
    ACCOUNTS = "accounts"
    """No account could serve: points, time, access, credentials."""
    POE = "poe"
    """Poe failed, could not be reached, or answered with what can't be used."""
    GATEWAY = "gateway"
    """The gateway itself, its table included."""
    GONE = "gone"
    """The caller went away."""


# Others are told by their status: 4xx are the caller's, 5xx the gateway's.
_FAULTS: dict[Situation, Fault] = {
    **dict.fromkeys((RATE_LIMIT, QUOTA), Fault.LIMIT),
    **dict.fromkeys(
        (
            NO_POINTS,
            BOT_LIMIT,
            BUSY,
            WAITING,
            NO_ACCOUNTS,
            WRONG_KIND,
            CREDENTIALS_REFUSED,
            ACCOUNTS_DISABLED,
            NO_ACCESS,
            NOT_READY,
        ),
        Fault.ACCOUNTS,
    ),
    **dict.fromkeys((UPSTREAM, UNREACHABLE, UNUSABLE_ANSWER, OVERLOADED, CHALLENGE, TIMEOUT), Fault.POE),
}
_FIRST_SERVER_ERROR = 500


def fault_of(situation: Situation | None) -> Fault:
    """Whose part a failure is. Without a situation the caller went away."""
    if situation is None:
        return Fault.GONE
    known = _FAULTS.get(situation)
    if known is not None:
        return known
    return Fault.CALLER if situation.status < _FIRST_SERVER_ERROR else Fault.GATEWAY


class Bounded:
    """At most so many different values; what comes later is `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        """The value, or `other`."""
        # Those seen first keep their names: an alarm on a model must not change what it counts.
        if value not in self._seen and len(self._seen) >= self._most:
            return OTHER
        self._seen.add(value)
        return value


class RequestMetrics:
    """Makes the documents of one process."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._model = Bounded(MAX_MODELS)
        self._key = Bounded(MAX_KEYS)

    def document(
        self,
        values: dict[str, float],
        *,
        timestamp_ms: int,
        status: int,
        fault: str | None,
        model: str | None,
        key_id: str | None,
        account_kind: str | None,
    ) -> dict[str, Any]:
        """The document for one request. `model` is `None` where none was asked for, or where no list has it."""
        # Each combination of values is a metric that is paid for, so model, key and kind are never combined.
        dimensions = {"service": self._service, "status_class": f"{status // 100}xx"}
        directives = [_directive([["service"]], {**_EVERYWHERE, **_SPENT, **_TIMES}, values)]
        directives.append(_directive([["service", "status_class"]], {"Requests": "Count"}, values))
        # Requests without a key are counted, and can't make new dimensions: anybody could send them.
        if key_id is not None:
            dimensions |= {
                "model": OTHER if model is None else self._model(model.lower()),
                "key": self._key(key_id),
                "account_kind": account_kind or NONE,
            }
            sets = [["service", name] for name in ("model", "key", "account_kind")]
            directives.append(_directive(sets, {**_EVERYWHERE, **_SPENT}, values))
        if fault is not None:
            dimensions["fault"] = fault
            values = {**values, "Faults": 1}
            directives.append(_directive([["service", "fault"]], {"Faults": "Count"}, values))
        return {
            # One document with several directives: values are written once, and CloudWatch reads each set from it.
            "_aws": {"Timestamp": timestamp_ms, "CloudWatchMetrics": directives},
            **dimensions,
            **values,
        }


def _directive(dimensions: list[list[str]], units: Units, values: dict[str, float]) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items() if name in values]
    return {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}


SECONDS = 1.0
_SERVER, _ERROR = 2, 2
_FIRST_FAILURE = 500
_SAMPLED = 1
_OK = range(200, 300)


class Telemetry:
    """Posts spans to one collector. Never raises; the first failure of a sandbox is logged."""

    def __init__(
        self,
        endpoint: str,
        journal: Journal,
        *,
        version: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        # The standard library's client: one short request, and httpx would be imported for it.
        self._address = urlsplit(f"{endpoint.rstrip('/')}/v1/traces")
        self._journal = journal
        self._version = version
        self._clock = clock
        self._now = now
        self._is_told = False

    async def export(self, record: RequestRecord) -> None:
        """Send the span of a request that has ended."""
        if record.trace is not None and not record.trace.flags & _SAMPLED:
            return  # Whoever called decided that this trace is not kept.
        body = json.dumps(self.document(record), separators=(",", ":")).encode()
        try:
            async with asyncio.timeout(SECONDS):
                # The thread is bounded by the socket's own timeout, since it can't be cancelled.
                status = await asyncio.to_thread(self._post, body)
        except (OSError, http.client.HTTPException, TimeoutError) as error:
            self._failed(type(error).__name__)
        else:
            if status not in _OK:
                self._failed(f"http_{status}")

    def document(self, record: RequestRecord) -> dict[str, Any]:
        """The span in its resource, as it is sent."""
        ended = self._now()
        # The record has monotonic times only; spans are compared with those of other machines.
        started = ended - (self._clock() - record.started_at)
        trace = record.trace
        span: dict[str, Any] = {
            "traceId": trace.trace_id if trace else os.urandom(16).hex(),
            "spanId": trace.span_id if trace else os.urandom(8).hex(),
            "name": f"{record.method} {record.route}",
            "kind": _SERVER,
            "startTimeUnixNano": _nanoseconds(started),
            "endTimeUnixNano": _nanoseconds(ended),
            "attributes": _attributes(_facts(record)),
            # OpenTelemetry's rule for servers: a 4xx is the client's error and leaves the status unset.
            "status": {"code": _ERROR} if record.status >= _FIRST_FAILURE else {},
        }
        if trace is not None:
            span["parentSpanId"] = trace.parent_id
        if record.first_token_at is not None:
            at = started + record.first_token_at - record.started_at
            span["events"] = [{"name": "first_token", "timeUnixNano": _nanoseconds(at)}]
        service = {"service.name": "poe-gateway", "service.version": self._version}
        scope = {"scope": {"name": "gateway", "version": self._version}, "spans": [span]}
        return {"resourceSpans": [{"resource": {"attributes": _attributes(service)}, "scopeSpans": [scope]}]}

    def _post(self, body: bytes) -> int:
        is_tls = self._address.scheme == "https"
        kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
        connection = kind(self._address.hostname or "", self._address.port, timeout=SECONDS)
        try:
            connection.request("POST", self._address.path, body, {"content-type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()

    def _failed(self, code: str) -> None:
        if not self._is_told:
            # Once per sandbox: a collector that is down must not write a line for each request.
            self._is_told = True
            self._journal.event("telemetry.not_sent", code=code)


def _facts(record: RequestRecord) -> dict[str, str | int | float | bool | None]:
    usage = record.usage
    return {
        "http.request.method": record.method,
        "http.route": record.route,
        "http.response.status_code": record.status,
        "error.type": record.error,
        "gen_ai.request.model": record.model,
        "gen_ai.usage.input_tokens": usage.get("prompt_tokens"),
        "gen_ai.usage.output_tokens": usage.get("completion_tokens"),
        "poe_gateway.request_id": record.request_id,
        "poe_gateway.key_id": record.key_id,
        "poe_gateway.account": record.account,
        "poe_gateway.attempts": record.attempts or None,
        "poe_gateway.points": record.points,
        "poe_gateway.cause": record.cause,
    }


def _attributes(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes in OTLP's form; what is not known is left out."""
    return [{"key": name, "value": _value(value)} for name, value in facts.items() if value is not None]


def _value(value: str | int | float | bool) -> dict[str, Any]:
    # First, since `True` is an `int` for Python.
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": value}


def _nanoseconds(seconds: float) -> str:
    return str(round(seconds * 1e9))
