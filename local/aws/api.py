"""moto's WSGI application, made to behave like one service: calls one at a time, counted, and callable in process."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from io import BytesIO
from threading import Lock
from typing import Any

from werkzeug.test import Client

from local.aws import COUNTERS_PATH, REGION
from local.aws.moto_application import TARGETS, MotoApplication
from local.aws.store_faults import FaultPlan
from local.aws.transactions import OPERATION, cheap_rollback

_WRITE_NAMES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
_WRITES = frozenset(f"{TARGETS['dynamodb']}.{name}" for name in _WRITE_NAMES)
_TRANSACTION = f"{TARGETS['dynamodb']}.{OPERATION}"
_UNAVAILABLE = json.dumps({"__type": "InternalServerError", "message": "nothing can be saved at the moment"}).encode()

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class CallError(Exception):
    """AWS's stand-in refused a call; the message is its own."""


class LocalApi:
    """A WSGI application.

    moto checks a condition and writes in two steps that another thread may come between, and DynamoDB does not: so one
    call runs at a time, which makes conditional writes as exclusive here as they are there.
    """

    def __init__(self, application: WSGIApplication | None = None, *, faults: FaultPlan | None = None) -> None:
        self._app = application or MotoApplication()
        self._faults = faults
        self._lock = Lock()
        self._calls: Counter[str] = Counter()
        self._in_process = Client(self._serve_one)
        self._is_closed = False
        self.accepts_writes = True
        """Whether items may be changed: not while nothing can be saved."""

    @property
    def total_calls(self) -> int:
        return self._calls.total()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") == COUNTERS_PATH:
            body = json.dumps(self._calls).encode()
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
            return [body]
        if target := environ.get("HTTP_X_AMZ_TARGET"):
            # Refused ones, too: AWS charges for a condition that failed.
            self._calls[_action_of(target)] += 1
            if self._faults is not None and target.startswith(TARGETS["dynamodb"]):
                return self._serve_with_faults(self._faults, environ, start_response)
        return self._serve_caller(environ, start_response)

    def close(self) -> None:
        """Refuse what comes over a socket from now on; what was accepted before is done when this returns."""
        with self._lock:
            self._is_closed = True

    def call(self, service: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Make a call without a socket, not counted. Raises `CallError`."""
        scope = f"local/20260101/{REGION}/{service}/aws4_request"
        reply = self._in_process.post(
            "/",
            headers={
                "X-Amz-Target": f"{TARGETS[service]}.{action}",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
                "Content-Type": "application/x-amz-json-1.1",
            },
            data=json.dumps(parameters),
        )
        if reply.status_code != 200:
            raise CallError(f"{action}: {reply.get_data(as_text=True)[:500]}")
        answer: dict[str, Any] = json.loads(reply.get_data() or b"{}")
        return answer

    def _serve_with_faults(
        self, faults: FaultPlan, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        operation = environ["HTTP_X_AMZ_TARGET"].partition(".")[2]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        refusal = faults.before(operation, body)
        if refusal is None:
            answer = self._serve_caller({**environ, "wsgi.input": BytesIO(body)}, start_response)
            if (refusal := faults.after(operation)) is None:
                return answer
        # The last status given counts: nothing was sent yet.
        return _refuse(start_response, *refusal)

    def _serve_caller(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """What is carried out can be saved: the last snapshot is taken after `close`."""
        with self._lock:
            is_write = environ.get("HTTP_X_AMZ_TARGET") in _WRITES
            if self._is_closed or (is_write and not self.accepts_writes):
                return _refuse(start_response, "500 Internal Server Error", _UNAVAILABLE)
            if environ.get("HTTP_X_AMZ_TARGET") == _TRANSACTION:
                body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                with cheap_rollback(body):
                    return list(self._app({**environ, "wsgi.input": BytesIO(body)}, start_response))
            return list(self._app(environ, start_response))

    def _serve_one(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            # Read to its end here: a lazy body would do its work outside the lock.
            return list(self._app(environ, start_response))


def _refuse(start_response: StartResponse, status: str, body: bytes) -> Iterable[bytes]:
    headers = [("Content-Type", "application/x-amz-json-1.0"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def _action_of(target: str) -> str:
    """`DynamoDB_20120810.GetItem` as `dynamodb.GetItem`."""
    prefix, _, action = target.partition(".")
    service = next((name for name, known in TARGETS.items() if known == prefix), prefix)
    return f"{service}.{action}"
