"""`/_sim`: the simulator's own routes, to look at it and to steer it from another process; and a page at `/`."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from local.poe_official.application import Simulation
from local.poe_official.scenarios import CATALOGUE, scenario_from_json
from local.poe_official.usage import charges
from local.poe_official.world import OfficialAccount
from local.scenarios import UnknownScenario, scenario_to_json

_SHOWN = 50
_HISTORY = ("settle_seconds", "listing_seconds")
_CHANGEABLE: dict[str, type] = dict.fromkeys(("pace_seconds", "latency_seconds", *_HISTORY), float)
_CHANGEABLE |= {"requests_per_minute": int, "compresses": bool}


class _Control:
    """The handlers."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    async def scenarios(self, request: Request) -> Response:
        """GET lists what waits, POST adds one or a list, DELETE forgets all."""
        queue = self._simulation.scenarios
        if request.method == "DELETE":
            queue.waiting.clear()
        if request.method == "POST":
            try:
                given = await _given(request)
                queue.waiting.extend(
                    [scenario_from_json(one) for one in (given if isinstance(given, list) else [given])]
                )
            except (UnknownScenario, ValueError) as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse([scenario_to_json(scenario) for scenario in queue.waiting])

    async def accounts(self, request: Request) -> Response:
        """GET lists accounts, POST `{"api_key", "points", …}` adds one, or changes the fields given of one.

        `spent` is the exact sum of its charges, whatever its history shows by now.
        """
        accounts = self._simulation.world.accounts
        if request.method == "POST":
            given = await _given(request)
            known = {one.name for one in dataclasses.fields(OfficialAccount)} - {"history"}
            if not isinstance(given, dict) or not given.get("api_key") or not given.keys() <= known:
                return JSONResponse({"error": f"api_key is needed; other fields: {sorted(known)}"}, 400)
            account = accounts.setdefault(given["api_key"], OfficialAccount(given["api_key"]))
            for name, value in given.items():
                setattr(account, name, value)
        shown = [
            dataclasses.asdict(account)
            | {"history": len(account.history), "left": account.left, "spent": account.spent}
            for account in accounts.values()
        ]
        return JSONResponse(shown)

    async def keys(self, request: Request) -> Response:
        """POST `{"api_key", "account", "name"}` gives an account one more key, for another program."""
        given, world = await _given(request), self._simulation.world
        match given:
            case {"api_key": str(key), "account": str(account), "name": str(name)} if account in world.accounts:
                world.other_keys[key] = (account, name)
                return JSONResponse(given)
        return JSONResponse({"error": "api_key, account (the first key of one) and name are needed"}, 400)

    async def charges(self, request: Request) -> Response:
        """GET lists every charge of the account `api_key` as it really is.

        POST `{"api_key", "bot", "points"}` books what was spent elsewhere; `usage_type` and `key_name` are optional.
        """
        given = await _given(request) if request.method == "POST" else dict(request.query_params)
        found = self._simulation.world.accounts.get(str(given.get("api_key"))) if isinstance(given, dict) else None
        if found is None or not isinstance(given, dict):
            return JSONResponse({"error": "api_key has to be the first key of an account"}, 400)
        if request.method == "POST":
            fields = {name: given[name] for name in ("usage_type", "key_name") if name in given}
            if not isinstance(given.get("bot"), str) or not isinstance(given.get("points"), int):
                return JSONResponse({"error": "bot and points are needed"}, 400)
            self._simulation.world.spend_elsewhere(found, given["bot"], given["points"], **fields)
        return JSONResponse(charges(found))

    async def settings(self, request: Request) -> Response:
        """GET shows, PATCH changes `Settings`, and the `settle_seconds` and `listing_seconds` of the history."""
        settings, world = self._simulation.settings, self._simulation.world
        if request.method == "PATCH":
            given = await _given(request)
            for name, value in given.items() if isinstance(given, dict) else ():
                place = world if name in _HISTORY else settings
                if name in _CHANGEABLE and isinstance(value, int | float):
                    setattr(place, name, _CHANGEABLE[name](value))
        return JSONResponse(dataclasses.asdict(settings) | {name: getattr(world, name) for name in _HISTORY})

    async def requests(self, request: Request) -> Response:
        """GET lists the latest requests without headers and bodies; DELETE forgets both logs."""
        journal = self._simulation.journal
        if request.method == "DELETE":
            journal.requests.clear()
            journal.sent.clear()
        shown = [dataclasses.asdict(record) for record in journal.requests[-1000:]]
        return JSONResponse([{n: v for n, v in one.items() if n not in ("headers", "body")} for one in shown])

    async def sent(self, request: Request) -> Response:
        """The frames sent since `since`, in seconds of `time.monotonic` on this machine; all without it."""
        try:
            since = float(request.query_params.get("since", "-inf"))
        except ValueError:
            return JSONResponse({"error": "since is a number of seconds"}, 400)
        return JSONResponse([dataclasses.asdict(one) for one in self._simulation.journal.sent if one.time >= since])

    async def faults(self, _request: Request) -> Response:
        """The names of the faults and their fields."""
        return JSONResponse(
            {name: [one.name for one in dataclasses.fields(kind)] for name, kind in CATALOGUE.by_name.items()}
        )

    async def file(self, request: Request) -> Response:
        """A made or uploaded file."""
        found = self._simulation.world.files.get(request.path_params["file_id"])
        return Response(found[2], media_type=found[1]) if found else Response(b"", 404)

    async def page(self, _request: Request) -> Response:
        """Accounts, latest requests, a form for scenarios."""
        world, journal = self._simulation.world, self._simulation.journal
        accounts = _rows((account.api_key, account.left) for account in world.accounts.values())
        latest = _rows(
            (record.method, record.path, record.model, record.status) for record in journal.requests[: -_SHOWN - 1 : -1]
        )
        waiting = html.escape(json.dumps([scenario_to_json(one) for one in self._simulation.scenarios.waiting]))
        options = "".join(f"<option>{name}</option>" for name in CATALOGUE.by_name)
        return HTMLResponse(_PAGE.format(accounts=accounts, latest=latest, options=options, waiting=waiting))

    async def pick(self, request: Request) -> Response:
        """The form of the page: one fault for the next request."""
        form = await request.form()
        try:
            self._simulation.scenarios.waiting.append(scenario_from_json({"faults": [str(form.get("fault"))]}))
        except UnknownScenario as error:
            return JSONResponse({"error": str(error)}, 400)
        return Response(status_code=303, headers={"location": "/"})


def control_application(simulation: Simulation) -> ASGIApp:
    """The application for `/` and `/_sim`."""
    control = _Control(simulation)
    return Starlette(
        routes=[
            Route("/", control.page),
            Route("/_sim/pick", control.pick, methods=["POST"]),
            Route("/_sim/scenarios", control.scenarios, methods=["GET", "POST", "DELETE"]),
            Route("/_sim/accounts", control.accounts, methods=["GET", "POST"]),
            Route("/_sim/keys", control.keys, methods=["POST"]),
            Route("/_sim/charges", control.charges, methods=["GET", "POST"]),
            Route("/_sim/settings", control.settings, methods=["GET", "PATCH"]),
            Route("/_sim/requests", control.requests, methods=["GET", "DELETE"]),
            Route("/_sim/sent", control.sent),
            Route("/_sim/faults", control.faults),
            Route("/base/{kind}/{file_id}", control.file),
        ]
    )


async def _given(request: Request) -> object:
    try:
        return await request.json()
    except ValueError:
        return None


def _rows(rows: Iterable[Iterable[object]]) -> str:
    return "".join(f"<tr>{''.join(f'<td>{html.escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)


_PAGE = """<!DOCTYPE html><meta charset="utf-8"><title>Poe API simulator</title>
<style>body{{font:15px sans-serif;margin:2em}}td{{padding:.1em 1em .1em 0}}</style>
<h1>Poe API simulator</h1>
<h2>Accounts</h2><table>{accounts}</table>
<h2>Scenario for the next request</h2>
<form method="post" action="/_sim/pick"><select name="fault">{options}</select> <button>Add</button></form>
<p>Waiting: <code>{waiting}</code></p>
<h2>Latest requests</h2><table>{latest}</table>
"""
