"""Which endpoints of the documented API really call a tool with a model: some ignore it without a word."""

from __future__ import annotations

from contextlib import aclosing

from reverse.chat import ChatRequest, Message
from reverse.doctor._report import Examination, Skipped
from reverse.events import ToolCallDelta
from reverse.official import PoeOfficialClient, Route
from reverse.official.catalogue import Endpoint, ModelInfo

_TOOL = {
    "type": "function",
    "function": {
        "name": "report",
        "description": "Takes a word.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]},
    },
}
_PROMPT = 'Call the tool "report" with the word OK. [[call: report {"word": "OK"}]]'
_MAX_TOKENS = 2_000
ROUTES = {
    Endpoint.CHAT: Route.CHAT,
    Endpoint.MESSAGES: Route.MESSAGES,
    Endpoint.RESPONSES: Route.RESPONSES,
}


async def check_tools(examination: Examination, client: PoeOfficialClient, model: ModelInfo | None) -> None:
    """Ask with a tool at every endpoint that the model lists: one step each, which costs points."""
    for endpoint, route in ROUTES.items():

        async def ask(route: Route = route, endpoint: Endpoint = endpoint) -> str:
            if model is None or not model.supports_tools:
                raise Skipped("the model declares no tools")
            if model.endpoints and endpoint not in model.endpoints:
                raise Skipped("the model does not list this endpoint")
            if not model.endpoints and route is not Route.CHAT:
                raise Skipped("the model lists no endpoint")
            return await _call(client, model.id, route)

        await examination.step(f"tool at {route.value}", ask, needs=["message"])


async def _call(client: PoeOfficialClient, bot: str, route: Route) -> str:
    request = ChatRequest(bot, [Message("user", _PROMPT)], tools=[_TOOL], max_tokens=_MAX_TOKENS)
    called = False
    async with aclosing(client.stream(request, route=route)) as events:
        async for event in events:
            called = called or isinstance(event, ToolCallDelta)
    if called:
        return f'called; "tool_endpoints": {{"{bot}": "{route.value}"}} asks there always'
    return "answered without calling the tool"
