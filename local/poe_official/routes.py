"""Every route of the simulated API. A path that ends in `/` stands for all paths below it."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from local.poe_official import media_routes, oauth, usage
from local.poe_official.application import Call, Handler, Simulation, answer
from local.poe_official.bot_protocol import REPORTS, BotProtocol, settings, sync_settings
from local.poe_official.chat import ChatCompletions, ask_for
from local.poe_official.dialect import bad_request
from local.poe_official.messages import Messages
from local.poe_official.responses import Responses
from local.poe_official.uploads import upload


async def _chat_completions(simulation: Simulation, call: Call) -> ASGIApp:
    return await answer(simulation, call, ChatCompletions())


async def _responses(simulation: Simulation, call: Call) -> ASGIApp:
    return await answer(simulation, call, Responses())


async def _messages(simulation: Simulation, call: Call) -> ASGIApp:
    if "anthropic-version" not in call.request.headers:
        raise bad_request("anthropic-version: header is required")
    return await answer(simulation, call, Messages())


async def _bot(simulation: Simulation, call: Call) -> ASGIApp:
    name = call.record.model or ""
    if name.startswith(("fetch_settings/", "update_settings/")):
        return sync_settings(simulation, call, name)
    if call.body.get("type") in REPORTS:
        call.payer()
        return JSONResponse({})
    if call.body.get("type") == "settings":
        call.payer()
        model = ask_for(simulation.world.model(name), name, "/bot")
        return JSONResponse(settings(model, simulation.world.bot_settings))
    return await answer(simulation, call, BotProtocol(name))


async def _models(simulation: Simulation, _call: Call) -> ASGIApp:
    """Needs no key."""
    entries = [model.entry(position) for position, model in enumerate(simulation.world.models.values())]
    return JSONResponse({"object": "list", "data": entries})


async def _current_balance(_simulation: Simulation, call: Call) -> ASGIApp:
    return usage.balance(call.payer())


async def _points_history(simulation: Simulation, call: Call) -> ASGIApp:
    query = call.request.query_params
    return usage.history(simulation.world, call.payer(), query.get("limit"), query.get("starting_after"))


ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/chat/completions"): _chat_completions,
    ("POST", "/v1/responses"): _responses,
    ("POST", "/v1/messages"): _messages,
    ("POST", "/v1/images"): media_routes.images,
    ("POST", "/v1/audio"): media_routes.audio,
    ("POST", "/v1/videos"): media_routes.create_video,
    ("POST", "/v1/videos/extensions"): media_routes.extend_video,
    ("POST", "/v1/videos/"): media_routes.video,
    ("GET", "/v1/videos/"): media_routes.video,
    ("GET", "/v1/models"): _models,
    ("GET", "/usage/current_balance"): _current_balance,
    ("GET", "/usage/points_history"): _points_history,
    ("POST", "/bot/"): _bot,
    ("POST", "/poe_api/file_upload_3RD_PARTY_POST"): upload,
    ("GET", "/oauth/authorize"): oauth.authorize,
    ("POST", "/token"): oauth.token,
}
