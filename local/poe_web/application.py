"""The ASGI application that plays poe.com: it applies faults and records every request in the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from local.poe_web import page
from local.poe_web.accounts import SimulatedAccount
from local.poe_web.graphql import BadCall, answer_call, read_call, target_of
from local.poe_web.journal import Journal, RequestRecord
from local.poe_web.request_faults import DelayResponse, Late, ResponseFault, Struck, WorldFault, rejection
from local.poe_web.scenarios import Fault, Target
from local.poe_web.simulation import Simulation
from local.poe_web.updates import serve_updates
from local.poe_web.uploads import BadUpload, ReceivedFile, keep, read_parts, token_for

Work = Callable[[tuple[Fault, ...]], Awaitable[Response]]


class Recorder:
    """Enters every request of `app` in the journal, with its status and the moment at which its answer had left.

    `scope["state"]["answered"]` is an event that is set then, or when there will be no answer.
    """

    def __init__(self, app: ASGIApp, journal: Journal) -> None:
        self._app, self._journal = app, journal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan" or scope["path"].startswith("/_sim"):
            return await self._app(scope, receive, send)
        headers = dict(scope["headers"])
        agent = headers.get(b"user-agent", b"").decode("latin-1") or None
        record = RequestRecord(time.monotonic(), scope.get("method", "GET"), scope["path"], user_agent=agent)
        self._journal.add_request(record)
        answered = asyncio.Event()
        scope["state"].update(record=record, answered=answered)

        async def sending(message: Message) -> None:
            await send(message)
            if message["type"].endswith("response.start"):
                record.status = message["status"]
            elif message["type"] == "websocket.accept":
                record.status, record.ended = 101, time.monotonic()
            elif message["type"].endswith("response.body") and not message.get("more_body"):
                record.ended = time.monotonic()
                answered.set()

        try:
            await self._app(scope, receive, sending)
        finally:
            record.ended = record.ended or time.monotonic()
            answered.set()


def web_routes(simulation: Simulation) -> list[Route | WebSocketRoute]:
    """The addresses of poe.com that web clients use."""
    site = _Site(simulation)
    return [
        Route("/", site.home),
        Route("/login", site.login),
        Route("/_next/{path:path}", site.script),
        Route("/api/settings", site.settings),
        Route("/api/gql_POST", site.graphql, methods=["POST"]),
        Route("/api/gql_upload_POST", site.graphql, methods=["POST"]),
        Route("/api/finish_upload_POST", site.finish_upload, methods=["POST"]),
        WebSocketRoute("/up/{box}/updates", site.updates),
    ]


class _Site:
    """The endpoints."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def home(self, request: Request) -> Response:
        """The bootstrap page, or the way to the login page for who is not signed in."""
        account = self._account(request)

        async def work(_: tuple[Fault, ...]) -> Response:
            if account is None:
                return RedirectResponse("/login?redirect_url=%2F", 302)
            settings = account.channel.settings(self._simulation.settings.base_host)
            return HTMLResponse(page.bootstrap_page(self._simulation.world.public_url, account.form_key, settings))

        return await self._exchange(account, Target("/", account=account.p_b if account else None), work)

    async def login(self, request: Request) -> Response:
        """The login page."""
        return await self._static(request, HTMLResponse(page.LOGIN_PAGE))

    async def script(self, request: Request) -> Response:
        """One of the page's scripts, to anybody."""
        body = page.SCRIPTS.get(request.url.path)
        missing = Response("Not Found", 404)
        return await self._static(request, Response(body, media_type="text/javascript") if body else missing)

    async def _static(self, request: Request, response: Response) -> Response:
        async def work(_: tuple[Fault, ...]) -> Response:
            return response

        return await self._exchange(None, Target(request.url.path, auxiliary=True), work)

    async def settings(self, request: Request) -> Response:
        """The channel settings, for older clients."""
        account = self._account(request)

        async def work(_: tuple[Fault, ...]) -> Response:
            if account is None:
                return rejection("Unauthorized", 401)
            return JSONResponse({"tchannelData": account.channel.settings(self._simulation.settings.base_host)})

        return await self._exchange(account, Target(request.url.path, account=account.p_b if account else None), work)

    async def graphql(self, request: Request) -> Response:
        """A GraphQL call, JSON or with files."""
        account = self._account(request)
        record: RequestRecord = request.state.record
        try:
            call = await read_call(request)
        except BadCall as error:
            record.note = str(error)
            return Response(status_code=400)
        record.query_name = call.query_name

        async def work(faults: tuple[Fault, ...]) -> Response:
            return await answer_call(self._simulation, request, account, call, faults)

        return await self._exchange(account, target_of(self._simulation, account, request.url.path, call), work)

    async def finish_upload(self, request: Request) -> Response:
        """A file ahead of its message; it has to be the only part. The token in the answer stands for it."""
        account = self._account(request)
        try:
            parts = await read_parts(request)
        except BadUpload:
            parts = {}

        async def work(_: tuple[Fault, ...]) -> Response:
            if account is None:
                return rejection("Unauthorized", 401)
            if request.headers.get("poe-formkey") != account.form_key:
                return rejection("Invalid form key")
            file = parts.get("file")
            if not isinstance(file, ReceivedFile) or len(parts) != 1:
                return Response(status_code=400)
            token = token_for(file)
            account.uploads[token] = keep(self._simulation.world, file)
            return JSONResponse({"fileHashJwt": token})

        return await self._exchange(account, Target(request.url.path, account=account.p_b if account else None), work)

    async def updates(self, websocket: WebSocket) -> None:
        """The realtime socket."""
        await serve_updates(self._simulation, websocket)

    def _account(self, request: Request) -> SimulatedAccount | None:
        account = self._simulation.world.account_for(request.cookies.get("p-b"))
        request.state.record.account = account.p_b if account else None
        return account

    async def _exchange(self, account: SimulatedAccount | None, target: Target, work: Work) -> Response:
        """Do the work of one request, under the faults that are meant for it."""
        faults = self._simulation.scenarios.take(target)
        await asyncio.sleep(self._simulation.settings.latency_seconds)
        bot = self._simulation.world.bots.named(target.bot, target.account) if target.bot else None
        for fault in faults:
            if isinstance(fault, WorldFault):
                fault.strike(Struck(account, bot, self._simulation.world))
        broken = next((fault for fault in faults if isinstance(fault, ResponseFault)), None)
        if broken is None or broken.applied:
            response = await work(faults)
        if broken is not None:
            response = broken.response_to(target.operation)
        for fault in faults:
            if isinstance(fault, DelayResponse):
                response = Late(response, fault.seconds)
        return response


def web_application(simulation: Simulation, extra: list[Route]) -> ASGIApp:
    """The whole ASGI application; `extra` are the simulator's own routes."""
    return Recorder(Starlette(routes=[*web_routes(simulation), *extra]), simulation.journal)
