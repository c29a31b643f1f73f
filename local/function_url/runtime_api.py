"""The Runtime API as one sandbox sees it: version 2018-06-01, served on the sandbox's own loopback port."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Protocol

import h11

from local.function_url.connection import HttpConnection
from local.function_url.event import join_headers
from local.function_url.invocation import Invocation

_INVOCATION_PATH = re.compile(r"/2018-06-01/runtime/invocation/([^/]+)/(response|error)")
_NEXT_PATH = "/2018-06-01/runtime/invocation/next"
_INIT_ERROR_PATH = "/2018-06-01/runtime/init/error"
_MAX_ERROR_BYTES = 256 * 1024


class RuntimeHost(Protocol):
    """The sandbox behind the API."""

    arn: str

    def runtime_polled(self, poll: RuntimeConnection) -> None:
        """The runtime is ready for work; `poll.hand_out` gives it some."""

    def runtime_left(self, poll: RuntimeConnection) -> None:
        """The connection of a poll was closed unanswered."""

    def init_failed(self, error_type: str) -> None: ...

    def find_invocation(self, request_id: str) -> Invocation | None: ...


class RuntimeConnection(HttpConnection):
    """One connection of a runtime: polls and responses one after the other, or each response on one of its own."""

    def __init__(self, host: RuntimeHost, connections: set[HttpConnection]) -> None:
        super().__init__(connections)
        self._host = host
        self._is_polling = False
        # Of the request being read:
        self._route = ""
        self._headers: dict[str, str] = {}
        self._invocation: Invocation | None = None
        self._is_streaming_in = False
        self._error_body = bytearray()

    def request_started(self, request: h11.Request) -> None:
        self._headers = join_headers(request.headers)
        self._is_streaming_in = False
        self._error_body.clear()
        self._route, self._invocation = self._find_route(request)
        if self._route == "response" and self._invocation is not None:
            mode = self._headers.get("lambda-runtime-function-response-mode")
            if mode not in (None, "streaming"):
                self._route = "bad_mode"
                return
            self._is_streaming_in = True
            self._invocation.response_started(
                streaming=mode == "streaming", content_type=self._headers.get("content-type", ""), source=self
            )

    def _find_route(self, request: h11.Request) -> tuple[str, Invocation | None]:
        method, path = request.method.decode("ascii"), request.target.decode("ascii")
        if method == "GET" and path == _NEXT_PATH:
            return "next", None
        if method == "POST" and path == _INIT_ERROR_PATH:
            return "init_error", None
        if method == "POST" and (match := _INVOCATION_PATH.fullmatch(path)):
            invocation = self._host.find_invocation(match[1])
            # Answered already, or not this sandbox's: a runtime may answer once.
            if invocation is None or not invocation.is_waiting:
                return "bad_request_id", None
            return match[2], invocation
        return "unknown", None

    def body_received(self, data: bytes) -> None:
        if self._is_streaming_in and self._invocation is not None:
            self._invocation.response_received(data)
        # Only the type is read of it, and a stack trace may be long.
        elif len(self._error_body) < _MAX_ERROR_BYTES:
            self._error_body += data

    def request_ended(self, trailers: Sequence[tuple[bytes, bytes]]) -> None:
        match self._route:
            case "next":
                self._is_polling = True
                self._host.runtime_polled(self)
            case "response":
                self._is_streaming_in = False
                if self._invocation is not None:
                    self._invocation.response_ended(join_headers(trailers).get("lambda-runtime-function-error-type"))
                self._reply(202, {"status": "OK"})
            case "error":
                if self._invocation is not None:
                    self._invocation.fail(self._error_type())
                self._reply(202, {"status": "OK"})
            case "init_error":
                self._host.init_failed(self._error_type())
                self._reply(202, {"status": "OK"})
            case "bad_mode":
                self._refuse(400, "Runtime.InvalidResponseModeHeader")
            case "bad_request_id":
                self._refuse(400, "InvalidRequestID")
            case _:
                self._refuse(404, "NotFound")

    def hand_out(self, invocation: Invocation) -> None:
        """Answer the open poll."""
        self._is_polling = False
        self.respond(
            200,
            [
                ("Content-Type", "application/json"),
                ("Lambda-Runtime-Aws-Request-Id", invocation.request_id),
                ("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_epoch_ms)),
                ("Lambda-Runtime-Invoked-Function-Arn", self._host.arn),
                ("Lambda-Runtime-Trace-Id", invocation.trace_id),
            ],
            invocation.event,
        )

    def eof_received(self) -> bool:
        # A runtime that closed its side is gone: nothing to keep half open.
        super().eof_received()
        return False

    def disconnected(self) -> None:
        if self._is_polling:
            self._is_polling = False
            self._host.runtime_left(self)
        if self._is_streaming_in and self._invocation is not None:
            self._invocation.fail("Runtime.TruncatedResponse")

    def _error_type(self) -> str:
        if header := self._headers.get("lambda-runtime-function-error-type"):
            return header[:200]
        try:
            return str(json.loads(self._error_body)["errorType"])[:200]
        except (ValueError, KeyError, TypeError):
            return "Runtime.Unknown"

    def _refuse(self, status: int, error_type: str) -> None:
        self._reply(status, {"errorType": error_type, "errorMessage": error_type})

    def _reply(self, status: int, body: dict[str, str]) -> None:
        self.respond(status, [("Content-Type", "application/json")], json.dumps(body).encode())
