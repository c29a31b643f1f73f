"""The ASGI application: routes, keys, faults, the journal."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from local.poe_official.charges import Consumed
from local.poe_official.chat import ask_for
from local.poe_official.delivery import Delivery, disconnected
from local.poe_official.dialect import Completion, Dialect, Json, Refused, bad_request, error_object
from local.poe_official.faults import (
    ChallengePage,
    DelayResponse,
    DropConnection,
    EmptyBody,
    Fault,
    HangRequest,
    HttpError,
    NoPoints,
    WrongJson,
)
from local.poe_official.journal import Journal, RequestRecord
from local.poe_official.limits import bounded
from local.poe_official.model import Model
from local.poe_official.world import OfficialAccount, World
from local.scenarios import ScenarioQueue

UPLOAD_PREFIX = "/poe_api/"
_CHALLENGE = "<!DOCTYPE html><title>Just a moment...</title><p>Enable JavaScript and cookies to continue</p>"


_MINUTE = 60.0
_FEATURE = {"x-poe-feature-active": "chat-completions-strict"}
_RECORDED_HEADERS = {"openai-version": "2020-10-01", "access-control-allow-origin": "*", **_FEATURE}


@dataclass(slots=True)
class Settings:
    """How the simulator behaves; changed at any time.

    `pace_seconds` is between two frames of a stream, `latency_seconds` before the answer to every request.
    `requests_per_minute` is what one account may ask (500 by Poe's documentation), 0 for no limit. `compresses`:
    whole answers are compressed for clients that accept it.
    """

    pace_seconds: float = 0.02
    latency_seconds: float = 0.0
    requests_per_minute: int = 500
    compresses: bool = True


@dataclass(slots=True)
class Simulation:
    """All that the application works on."""

    settings: Settings
    world: World = field(default_factory=World)
    journal: Journal = field(default_factory=Journal)
    scenarios: ScenarioQueue[Fault, RequestRecord] = field(default_factory=ScenarioQueue)
    asked: dict[str, deque[float]] = field(default_factory=dict)  # by account: when, within the last minute

    def admit(self, account: OfficialAccount) -> None:
        """Count a request. Raises `Refused` (429) for one too many within a minute."""
        limit, now = self.settings.requests_per_minute, self.world.clock()
        times = self.asked.setdefault(account.api_key, deque())
        while times and times[0] <= now - _MINUTE:
            times.popleft()
        if limit and len(times) >= limit:
            wait = times[0] + _MINUTE - now
            raise Refused(429, "rate_limit_error", None, "Rate limit exceeded", retry_after=round(max(wait, 0.1), 1))
        times.append(now)


@dataclass(slots=True)
class Call:
    """One request with what was read from it."""

    request: Request
    record: RequestRecord
    body: Json
    account: OfficialAccount | None
    key_name: str | None = None
    faults: tuple[Fault, ...] = ()
    asked_at: float = 0.0

    def payer(self) -> OfficialAccount:
        """The account, if its key is good. Raises `Refused`: 401, or 402 when its points are used up."""
        if self.account is None or self.account.revoked:
            raise Refused(401, "authentication_error", "invalid_api_key", "Invalid API key")
        return self.account

    def buyer(self) -> OfficialAccount:
        """The account, if it can pay for an answer."""
        account = self.payer()
        if account.left <= 0:
            raise Refused(402, "insufficient_credits", 402, "You have no points left")
        return account

    def charge(self, world: World, model: Model, consumed: Consumed | None = None) -> None:
        """Book one answer."""
        consumed = consumed or Consumed()
        world.charge(self.buyer(), model, consumed, asked_at=self.asked_at, key_name=self.key_name, request=self.text)

    @property
    def text(self) -> str:
        """The body as JSON."""
        return json.dumps(self.body)


Handler = Callable[[Simulation, Call], Awaitable[ASGIApp]]


async def answer(simulation: Simulation, call: Call, dialect: Dialect) -> ASGIApp:
    """A bot's answer in the endpoint's dialect, streamed or whole."""
    account, world = call.buyer(), simulation.world
    name = dialect.model_name(call.body)
    model = ask_for(world.model(name), name, dialect.endpoint)
    question = dialect.question(call.body, model, world.store)
    # Without a word, as some models do at some endpoints.
    if dialect.endpoint in model.ignores_tools:
        question = replace(question, tools=())
    said = model.bot(question)
    # What media bots say is where their work is; it is not made of tokens.
    completion = Completion(model, name, question, *(bounded(said, question) if model.makes_text else (said,)))

    def charge(share: float) -> None:
        consumed = completion.consumed(share)
        world.charge(account, model, consumed, asked_at=call.asked_at, key_name=call.key_name, request=call.text)

    if not dialect.streams(call.body):
        charge(1.0)
        return JSONResponse(dialect.whole(completion), headers=_RECORDED_HEADERS)
    return Delivery(
        frames=dialect.frames(completion, call.body),
        faults=call.faults,
        pace_seconds=simulation.settings.pace_seconds * model.pace,
        journal=simulation.journal,
        record=call.record,
        error_frame=dialect.error,
        charge=charge,
        on_points_gone=lambda: _take_points(world, account, model.name, call),
    )


class OfficialApplication:
    """Serves every route of the simulated API; its files and `/_sim` go to `control`."""

    def __init__(self, simulation: Simulation, routes: Mapping[tuple[str, str], Handler], control: ASGIApp) -> None:
        self._simulation = simulation
        self._routes = routes
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"] == "/" or scope["path"].startswith(("/_sim", "/base/")):
            await self._control(scope, receive, send)
            return
        request = Request(scope, receive)
        record = RequestRecord(
            time.monotonic(),
            request.method,
            request.url.path,
            connection=scope["client"][1],
            headers=dict(request.headers),
        )
        self._simulation.journal.add_request(record)
        try:
            response = await self._respond(request, record)
            if isinstance(response, Response):
                record.status = response.status_code
            await response(scope, receive, send)
            record.completed = record.completed or isinstance(response, Response)
        finally:
            record.ended = time.monotonic()

    async def _respond(self, request: Request, record: RequestRecord) -> ASGIApp:
        simulation = self._simulation
        read = await _read(request)
        body = read or {}
        account, key_name = simulation.world.payer(_key(request))
        record.account = account.api_key if account else None
        record.body = body
        record.model = str(body.get("model") or "") or _bot_name(record.path)
        call = Call(request, record, body, account, key_name, asked_at=simulation.world.clock())
        if simulation.settings.latency_seconds:
            await asyncio.sleep(simulation.settings.latency_seconds)
        call.faults = simulation.scenarios.take(record)
        for fault in call.faults:
            instead = await _strike(fault, simulation.world, account)
            if isinstance(fault, DropConnection) and fault.charged:
                await self._lose(call)
            if instead is not None:
                return instead
        if read is None:
            return bad_request("We could not parse the JSON body of your request.").response()
        return self._compressed(request, await self._handle(call))

    async def _handle(self, call: Call) -> ASGIApp:
        handler = self._handler(call.record.method, call.record.path)
        try:
            if handler is None:
                raise Refused(404, "not_found_error", 404, "No such route")
            # A wrong key counts against nobody.
            if call.account is not None:
                self._simulation.admit(call.account)
            return await handler(self._simulation, call)
        except Refused as refused:
            return refused.response()

    async def _lose(self, call: Call) -> None:
        """Make an answer that is paid for and never arrives."""
        made = await self._handle(call)
        if isinstance(made, Delivery):
            made.charge(1.0)

    def _compressed(self, request: Request, response: ASGIApp) -> ASGIApp:
        """The answer with its body compressed, as recorded, where the client accepts it."""
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        if not (self._simulation.settings.compresses and accepts and type(response) is JSONResponse):
            return response
        if response.status_code == 200:
            response.body = gzip.compress(bytes(response.body), 1)
            response.headers["content-length"] = str(len(response.body))
            response.headers["content-encoding"] = "gzip"
        return response

    def _handler(self, method: str, path: str) -> Handler | None:
        exact = self._routes.get((method, path))
        if exact is not None:
            return exact
        below = (
            handler
            for (its_method, its_path), handler in self._routes.items()
            if its_method == method and its_path.endswith("/") and path.startswith(its_path)
        )
        return next(below, None)


async def _read(request: Request) -> Json | None:
    """The JSON object in the body; `None` for what is meant as one and is none."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return {}
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _key(request: Request) -> str:
    """The key, where its route looks for it; newer clients of /v1/messages send theirs as all others do.

    Source: docs/reference/poe-official.md#endpoints-and-authentication.
    """
    given = request.headers.get("authorization", "")
    if request.url.path == "/v1/messages" and "x-api-key" in request.headers:
        return request.headers["x-api-key"]
    if request.url.path.startswith(UPLOAD_PREFIX):
        return given
    return given.removeprefix("Bearer ") if given.startswith("Bearer ") else ""


def _bot_name(path: str) -> str | None:
    return path.removeprefix("/bot/") if path.startswith("/bot/") else None


async def _strike(fault: Fault, world: World, account: OfficialAccount | None) -> ASGIApp | None:
    match fault:
        case HttpError():
            return _error_response(fault)
        case ChallengePage():
            return HTMLResponse(_CHALLENGE, 403, {"cf-mitigated": "challenge", "server": "cloudflare"})
        case EmptyBody():
            return Response(b"", 200, media_type="application/json")
        case WrongJson(body=body):
            return Response(body, 200, media_type="application/json")
        case DropConnection():
            return _dropped
        case HangRequest():
            return _unanswered
        case DelayResponse(seconds=seconds):
            await asyncio.sleep(seconds)
        case NoPoints() if account is not None:
            world.spend_elsewhere(account, "Assistant", account.left)
    return None


def _error_response(fault: HttpError) -> Response:
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.kind is None:
        return Response(fault.body, fault.status, headers, fault.content_type)
    error = error_object(fault.message, fault.kind, fault.code, fault.param)
    return JSONResponse({"error": error}, fault.status, headers)


def _take_points(world: World, account: OfficialAccount, bot: str, call: Call) -> None:
    """The answer takes all that is left."""
    world.book(account, bot, account.spend(account.left), key_name=call.key_name, request=call.text)


async def _dropped(scope: Scope, receive: Receive, _send: Send) -> None:
    # A reset and no orderly end, which a client could take for an empty answer.
    scope["state"]["transport"].abort()
    await disconnected(receive)


async def _unanswered(_scope: Scope, receive: Receive, _send: Send) -> None:
    await disconnected(receive)
