"""The application: lifespan, routing, and everything that happens around every request.

FastAPI is not imported at a cold start: that takes 440 ms of processor time on top of everything else that is loaded,
of which an invocation has little. This module is the thin front: Starlette's router, on which FastAPI is built,
dispatches the routes of callers. The one FastAPI application has the same routes, the administration and the
description; it is loaded in a thread with the first request that only it can serve.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Collection
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from pathlib import Path

from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts import AccountKind, AccountStoreError
from gateway.admin.gate import GuardedApplication
from gateway.bootstrap import build_services
from gateway.console.front import ORIGINAL_PATH, SECURITY_HEADERS, ConsoleFront, is_console
from gateway.http.deadline import ClientGoneError, to_the_end
from gateway.http.errors import INTERNAL, GatewayError, encode_error, gateway_error
from gateway.http.request_log import CLIENT_GONE, RequestRecord
from gateway.http.sse import PART_SEND
from gateway.settings import Settings
from gateway.surfaces.context import SCOPE_KEY, RequestContext, Services, speaks_anthropic
from gateway.surfaces.messages import encoder as anthropic
from gateway.surfaces.routes import build_routes
from lazy_dataclasses import make_methods
from reverse import tracing
from reverse.tls import tls_context
from reverse.tracing import read_traceparent

# Which span of the caller's trace this was (W3C Trace Context, the draft of its level 3).
TRACE_HEADER = b"traceresponse"
_SANE_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
# How long the last byte of an answer waits for the table at most.
_KEEP_SECONDS = 2.0
_SLASHES = re.compile("/{2,}")


class Gateway:
    """The ASGI application. Services are made at the lifespan's startup, else with the first request.

    `is_thin` is how it is deployed. Otherwise all requests go through the FastAPI application, with the same answers.
    `is_deployed` says that a chat comes right after the start, for which the way to Poe is prepared.
    """

    def __init__(
        self, make_services: Callable[[], Services], *, is_thin: bool = True, is_deployed: bool = False
    ) -> None:
        self._make_services = make_services
        self._is_deployed = is_deployed
        self._made: Services | None = None
        # The guard stands outside: without a key nobody makes the sandbox load FastAPI.
        rest = ConsoleFront(GuardedApplication(_load_application, serves_everything=not is_thin))
        self._router: ASGIApp = Router(build_routes(), default=rest, redirect_slashes=False) if is_thin else rest
        self._handle: ASGIApp | None = None

    @property
    def services(self) -> Services:
        """Made on first use. Raises `SettingsError`."""
        if self._made is None:
            self._made = self._make_services()
        return self._made

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                # Made with the first request, because the services, and so the settings, may be made only then.
                if self._handle is None:
                    self._handle = _with_cors(self._serve, self.services.settings.cors_origins)
                await self._handle(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close", "code": 1003, "reason": ""})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            services = self.services
            # Inside the lifespan, which Lambda runs in its init phase with a whole processor.
            preload()
            kinds: Collection[AccountKind] = tuple(AccountKind)
            if self._is_deployed:
                # Made once here, shared by Poe and AWS: reading the certificates costs the first request otherwise.
                tls_context()
                kinds = await services.warm_up()
            for kind in kinds:
                preload(kind)
            if self._is_deployed:
                await services.connect(kinds)
        except Exception as error:  # noqa: BLE001 - the server is told, whatever it is
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        # Taken away first: a server that starts again gets new services, not closed ones.
        made, self._made = self._made, None
        if made is not None:
            await made.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: context in, errors out as envelopes, one line at the end."""
        services = self.services
        # Base addresses that end with a slash lead to `//chat/completions`.
        original_path = _SLASHES.sub("/", scope["path"])
        path = _plain_path(original_path)
        record = _begin_record(scope, path)
        # Once the status line has left, a failure can't become an error response any more.
        is_started = False

        async def send_noted(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                record.status = message["status"]
                # Asked for when the status line leaves: by then the key's use has been read.
                limits = record.budget.headers().items() if record.budget is not None else ()
                told = [(name.encode(), value.encode()) for name, value in limits]
                headers = [*message.get("headers", ()), *ids, *told]
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                # Before the last byte leaves: Lambda freezes the sandbox right after.
                await _keep(services, record)
            await send(message)

        is_anthropic = speaks_anthropic(path, scope["headers"])
        ids = _id_headers(record, is_anthropic=is_anthropic)
        # On errors, too, whoever answers.
        ids += SECURITY_HEADERS if is_console(path) else ()
        inner: Scope = {
            # A copy: what the server, or a middleware, reads of its own scope must not change.
            **scope,
            "path": path,
            ORIGINAL_PATH: original_path,
            "app": self,
            SCOPE_KEY: RequestContext(services, record),
            PART_SEND: send,
        }
        try:
            await self._router(inner, receive, send_noted)
        except ClientGoneError:
            record.status = CLIENT_GONE
            record.leave()
        # Re-raised: the server that stops this must see it end by that.
        except asyncio.CancelledError:
            # An event stream has said better what happened.
            if record.error is None:
                record.leave("cancelled")
            raise
        except Exception as error:  # noqa: BLE001 - the one place where every failure becomes an answer
            failure = gateway_error(error, now=time.time())
            record.fail(failure, error)
            if failure.situation is INTERNAL:
                services.journal.crash(error, record)
            if not is_started:
                await send_error(send_noted, failure, anthropic_id=record.request_id if is_anthropic else None)
        finally:
            # The router has noted the endpoint in the scope, whatever came of it.
            record.route = _route_name(inner)
            await _wind_up(services, record)


async def _wind_up(services: Services, record: RequestRecord) -> None:
    """What is left to do when a request is over, however it ended."""
    if record.crash is not None:
        services.journal.crash(record.crash, record)
    await _keep(services, record)
    if record.budget is not None:
        # Reservations of answers that were never begun would keep the key's budget for an hour.
        await to_the_end(record.budget.close(), name="budget-end")
    # After all that can add to the record, once per request, however it ended.
    services.journal.request_ended(record)
    if services.telemetry is not None:
        # Last, and within a second: the caller has its answer, and a collector may be slow.
        await to_the_end(services.telemetry.export(record), name="telemetry")


async def _keep(services: Services, record: RequestRecord) -> None:
    """Write the request to the log that its owner reads, unless a release did so. What fails is only logged."""
    request = services.keeper.item(record)
    if request is None:
        return
    try:
        async with asyncio.timeout(_KEEP_SECONDS):
            await services.store.record_request(request)
    except (AccountStoreError, TimeoutError) as error:
        services.journal.event("request.not_kept", record, code=type(error).__name__)


def _load_application() -> ASGIApp:
    # In a thread of `GuardedApplication`: importing it takes several hundred milliseconds.
    from gateway.fastapi_app import create_application

    return create_application()


def create_app(
    make_services: Callable[[], Services] | None = None, *, is_thin: bool = True, is_deployed: bool = False
) -> Gateway:
    """The application; by default with services as the environment's settings say, read when they are first needed."""
    make = make_services or (lambda: build_services(Settings.from_env(os.environ)))
    return Gateway(make, is_thin=is_thin, is_deployed=is_deployed)


async def send_error(send: Send, error: GatewayError, *, anthropic_id: str | None = None) -> None:
    """The envelope as a whole response; Anthropic's, with the request's id in it, where one is given."""
    status, body = error.status, encode_error(error)
    if anthropic_id is not None:
        status, body = anthropic.error_status(error), anthropic.encode_error(error, anthropic_id)
    headers = {"content-type": "application/json", "content-length": str(len(body)), **error.headers()}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _begin_record(scope: Scope, path: str) -> RequestRecord:
    """The record of a request that begins. What is asked on its behalf belongs to its trace."""
    trace = read_traceparent([value for name, value in scope["headers"] if name == b"traceparent"])
    tracing.current.set(None if trace is None else trace.header)
    surface = path.split("/", 2)[1]
    return RequestRecord(_request_id(scope), scope["method"], time.monotonic(), surface=surface, trace=trace)


def _id_headers(record: RequestRecord, *, is_anthropic: bool) -> list[tuple[bytes, bytes]]:
    """The headers by which a caller can name the request; Anthropic's clients read one of their own."""
    request_id = record.request_id.encode()
    headers = [(b"x-request-id", request_id), *([(b"request-id", request_id)] if is_anthropic else [])]
    return headers if record.trace is None else [*headers, (TRACE_HEADER, record.trace.header.encode())]


def _request_id(scope: Scope) -> str:
    """The caller's request id if it is a sane one, else a new one."""
    for name, value in scope["headers"]:
        # It goes into log lines and headers, so that only harmless characters are taken over.
        if name == b"x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
            return bytes(value).decode("ascii")
    return f"req_{uuid.uuid4().hex}"


def _plain_path(path: str) -> str:
    """The path as routes know it: base addresses are typed with and without `/v1`, and with a slash at the end."""
    # More than once, where a base address with `/v1` is given to a program that adds its own.
    while path == "/v1" or path.startswith("/v1/"):
        path = path[3:]
    return path.rstrip("/") or "/"


def _route_name(scope: Scope) -> str:
    endpoint = scope.get("endpoint")
    # The function's name, never the path: that may hold ids, and names spans.
    return getattr(endpoint, "__name__", "unknown")


EXPOSED_HEADERS = (
    "x-request-id",
    "request-id",
    "retry-after",
    "x-should-retry",
    "x-gateway-ignored",
    "x-gateway-model",
    "traceresponse",
    "x-gateway-truncated",
    *(
        f"x-ratelimit-{fact}-{what}"
        for what in ("requests", "tokens", "points")
        for fact in ("limit", "remaining", "reset")
    ),
)
"""What pages may read of an answer. Behind a Function URL the template says the same."""


def _with_cors(app: ASGIApp, origins: tuple[str, ...]) -> ASGIApp:
    # Behind a Function URL AWS answers preflights; two sets of headers would be refused by browsers.
    if not origins:
        return app
    from starlette.middleware.cors import CORSMiddleware

    # Without credentials: callers send their key in a header, which needs none.
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "PUT", "DELETE"),
        allow_headers=("*",),
        expose_headers=EXPOSED_HEADERS,
        max_age=86400,
    )


MODULES = Path(__file__).with_name("preload.json")


def preload(kind: AccountKind | None = None) -> None:
    """Import what the first chat needs: over accounts of this kind, or else over any.

    Lambda runs the init phase with a whole processor, and an invocation at 512 MB with 0.29 of one. What is loaded is
    recorded, not listed by hand: `python -m local preload` starts a sandbox, watches what its first chats import and
    which dataclasses they use, and writes `preload.json`; a test fails where a first chat imports anything, or is the
    first to use a class. FastAPI, which chats do without, stays out. What another version of Python lacks is left out.
    """
    for name in json.loads(MODULES.read_text(encoding="utf-8"))["any" if kind is None else kind.value]:
        module, _, class_name = name.partition(":")
        with suppress(ImportError, AttributeError):
            loaded = import_module(module)
            if class_name:
                make_methods(attrgetter(class_name)(loaded))
