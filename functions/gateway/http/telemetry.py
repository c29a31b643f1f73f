"""Spans for an OpenTelemetry collector: one for each request, posted as OTLP/HTTP in JSON after the answer.

Off unless `GATEWAY_OTLP_ENDPOINT` names a collector, and then not imported. Nothing of a request's words is in a span:
names, numbers and codes only, as in the log. What can't be delivered within a second is dropped.

The format is that of opentelemetry-proto 1.3 (`opentelemetry/proto/trace/v1/trace.proto`, JSON mapping): ids in
hexadecimal, 64-bit numbers as strings. The SDK is left out for its size and its share of a cold start.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from gateway.http.request_log import Journal, RequestRecord

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
