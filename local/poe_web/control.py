"""The simulator's own addresses, under `/_sim/`: what it holds and saw as JSON, scenarios, and a page for people."""

from __future__ import annotations

import dataclasses
import json
import time
from importlib import resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.poe_web.accounts import SimulatedAccount
from local.poe_web.journal import sequential_round_trips
from local.poe_web.scenarios import CATALOGUE, scenario_from_json
from local.poe_web.simulation import Settings, Simulation
from local.scenarios import UnknownScenario, scenario_to_json

_ACCOUNT_FIELDS: dict[str, type] = {
    "points": int,
    "subscribed": bool,
    "allotment": int,
    "addon_points": int,
    "next_grant": int,
    "handle": str,
    "form_key": str,
    "signed_out": bool,
}


class BadRequest(ValueError):
    """A body that does not say what it should; the text tells which part."""


def account_to_json(account: SimulatedAccount) -> dict[str, Any]:
    """What the state shows of an account; its `p_b` is invented, so it is shown too."""
    chats = [
        {"chatId": c.chat_id, "chatCode": c.code, "bot": c.bot, "title": c.title, "messages": len(c.messages)}
        for c in account.chats.values()
    ]
    return {
        "p_b": account.p_b,
        **{name: getattr(account, name) for name in _ACCOUNT_FIELDS},
        "spent": account.spent,
        "running": account.running,
        "peak_concurrency": account.peak_concurrency,
        "sockets": len(account.channel.sockets),
        "chats": chats,
    }


def control_routes(simulation: Simulation) -> list[Route]:
    """The routes under `/_sim/`."""
    control = _Control(simulation)
    return [
        Route("/_sim/", control.page),
        Route("/_sim/state", control.state),
        Route("/_sim/requests", control.requests),
        Route("/_sim/sent", control.sent),
        Route("/_sim/round_trips", control.round_trips),
        Route("/_sim/faults", control.faults),
        Route("/_sim/files/{file_id:int}/{name:path}", control.file),
        Route("/_sim/accounts", control.add_account, methods=["POST"]),
        Route("/_sim/charges", control.charges, methods=["GET", "POST"]),
        Route("/_sim/scenarios", control.add_scenario, methods=["POST"]),
        Route("/_sim/settings", control.change_settings, methods=["POST"]),
        Route("/_sim/disconnect", control.disconnect, methods=["POST"]),
        Route("/_sim/reset", control.reset, methods=["POST"]),
    ]


class _Control:
    """The endpoints. `since` and `until` are seconds of `time.monotonic` on this machine, as `now` in the state."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def page(self, _: Request) -> Response:
        """The page."""
        return HTMLResponse(resources.files(__package__).joinpath("control.html").read_text("utf-8"))

    async def state(self, _: Request) -> Response:
        """Accounts, bots, settings, and the scenarios that still wait."""
        simulation, world = self._simulation, self._simulation.world
        bots = [
            {"handle": b.handle, "author": b.author, "cost": b.cost, "description": b.description, "deleted": b.deleted}
            for b in world.bots
        ]
        return JSONResponse(
            {
                "now": time.monotonic(),
                "settings": dataclasses.asdict(simulation.settings),
                "accounts": [account_to_json(account) for account in world.accounts.values()],
                "bots": bots,
                "scenarios": [scenario_to_json(scenario) for scenario in simulation.scenarios.waiting],
            }
        )

    async def requests(self, request: Request) -> Response:
        """The requests that arrived in a period."""
        since, until = _period(request)
        records = self._simulation.journal.requests
        return JSONResponse([dataclasses.asdict(r) for r in records if since <= r.time <= until])

    async def sent(self, request: Request) -> Response:
        """The events sent in a period."""
        since, until = _period(request)
        records = self._simulation.journal.sent
        return JSONResponse([dataclasses.asdict(r) for r in records if since <= r.time <= until])

    async def round_trips(self, request: Request) -> Response:
        """The sequential round trips of a period."""
        since, until = _period(request)
        count = sequential_round_trips(self._simulation.journal.requests, since, until)
        return JSONResponse({"round_trips": count})

    async def faults(self, _: Request) -> Response:
        """Every fault with its fields and their defaults."""
        return JSONResponse({name: _describe(kind) for name, kind in CATALOGUE.by_name.items()})

    async def file(self, request: Request) -> Response:
        """A file that a message refers to, to anybody who has its address."""
        stored = self._simulation.world.files.get(request.path_params["file_id"])
        if stored is None:
            return Response("Not Found", 404)
        return Response(stored.data, media_type=stored.mime_type or "application/octet-stream")

    async def add_account(self, request: Request) -> Response:
        """Put in an account, or change the fields given of one that is there."""
        try:
            body = await _object(request)
            p_b = body.pop("p_b", None)
            if not isinstance(p_b, str) or not p_b:
                raise BadRequest("p_b has to be a string")
            _check(body, _ACCOUNT_FIELDS)
        except BadRequest as error:
            return _refused(error)
        world = self._simulation.world
        account = world.accounts.get(p_b) or world.add_account(SimulatedAccount(p_b))
        for name, value in body.items():
            setattr(account, name, value)
        return JSONResponse(account_to_json(account), 201)

    async def charges(self, request: Request) -> Response:
        """Every charge of the account `p_b`, exactly; POST `{"p_b", "bot", "points"}` spends elsewhere first."""
        world = self._simulation.world
        try:
            body = await _object(request) if request.method == "POST" else dict(request.query_params)
            account = world.accounts.get(str(body.get("p_b")))
            if account is None:
                raise BadRequest("p_b has to be an account's")
            if request.method == "POST":
                _check({name: value for name, value in body.items() if name != "p_b"}, {"bot": str, "points": int})
                bot = world.bots.named(str(body.get("bot")))
                if bot is None or not world.spend_elsewhere(account, bot, int(body.get("points", 0))):
                    raise BadRequest("bot has to be a bot's, and points no more than there are")
        except BadRequest as error:
            return _refused(error)
        return JSONResponse([dataclasses.asdict(charge) for charge in account.charges])

    async def add_scenario(self, request: Request) -> Response:
        """Append a scenario."""
        try:
            scenario = scenario_from_json(await _object(request))
        except (BadRequest, UnknownScenario) as error:
            return _refused(error)
        self._simulation.scenarios.waiting.append(scenario)
        return JSONResponse(scenario_to_json(scenario), 201)

    async def change_settings(self, request: Request) -> Response:
        """Change the fields given of the settings."""
        settings = self._simulation.settings
        try:
            body = await _object(request)
            _check(body, {f.name: str if f.name == "base_host" else float for f in dataclasses.fields(Settings)})
        except BadRequest as error:
            return _refused(error)
        for name, value in body.items():
            setattr(settings, name, value)
        return JSONResponse(dataclasses.asdict(settings))

    async def disconnect(self, request: Request) -> Response:
        """Cut the sockets of the account `p_b`: without a close frame, or with one if `how` is `close`."""
        try:
            body = await _object(request)
            account = self._simulation.world.accounts.get(str(body.get("p_b")))
            how = body.get("how", "abrupt")
            if account is None or how not in ("abrupt", "close"):
                raise BadRequest("p_b has to be an account's, and how abrupt or close")
        except BadRequest as error:
            return _refused(error)
        count = len(account.channel.sockets)
        account.channel.cut(how)
        return JSONResponse({"disconnected": count})

    async def reset(self, request: Request) -> Response:
        """Forget scenarios and logs; with `{"accounts": true}` running answers, accounts and files as well."""
        try:
            body = await _object(request)
        except BadRequest as error:
            return _refused(error)
        self._simulation.scenarios.waiting.clear()
        self._simulation.journal.clear()
        if body.get("accounts") is True:
            await self._simulation.start_over()
        return JSONResponse({"reset": True})


def _describe(kind: type) -> dict[str, Any]:
    fields = {f.name: None if f.default is dataclasses.MISSING else f.default for f in dataclasses.fields(kind)}
    return {"about": (kind.__doc__ or "").strip().splitlines()[0], "fields": fields}


def _period(request: Request) -> tuple[float, float]:
    def number(name: str, default: float) -> float:
        try:
            return float(request.query_params.get(name, default))
        except ValueError:
            return default

    return number("since", float("-inf")), number("until", float("inf"))


async def _object(request: Request) -> dict[str, Any]:
    body = await request.body()
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        raise BadRequest("the body is no JSON") from None
    if not isinstance(value, dict):
        raise BadRequest("the body has to be an object")
    return value


def _check(body: dict[str, Any], types: dict[str, type]) -> None:
    for name, value in body.items():
        wanted = types.get(name)
        fits = wanted is not None and (isinstance(value, wanted) or (wanted is float and type(value) is int))
        if not fits or (wanted is int and isinstance(value, bool)):
            raise BadRequest(f"{name!r} is not a field, or has the wrong type")


def _refused(error: ValueError) -> Response:
    return JSONResponse({"error": str(error)}, 400)
