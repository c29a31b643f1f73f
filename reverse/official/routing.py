"""Which endpoint a question goes to. Pure."""

from __future__ import annotations

from enum import StrEnum

from reverse.chat import ChatRequest
from reverse.official.catalogue import Endpoint, ModelInfo


class Route(StrEnum):
    """A way to ask a bot."""

    CHAT = "chat"
    """Chat completions, streamed: what nearly every bot answers."""
    CHAT_WHOLE = "chat_whole"
    """Chat completions in one piece: what bots that make media need (docs/reference/poe-official.md#media-in-chat)."""
    RESPONSES = "responses"
    MESSAGES = "messages"
    IMAGES = "images"
    """The image endpoint; models that list only this one answer on chat too."""
    AUDIO = "audio"
    """The audio endpoint, for models that list no other."""
    BOT_QUERY = "bot_query"
    """The bot protocol, for bots that chat completions do not know."""


# From about 4,000 tokens on a provider caches a prompt; below it the endpoint makes no difference in price.
_LONG_PROMPT_CHARS = 16_000

# `thinking_budget` and `output_effort` have words of their own there.
_MESSAGES_PARAMETERS = frozenset(
    {"temperature", "top_p", "top_k", "parallel_tool_calls", "thinking_budget", "output_effort"}
)
# Higher ones are a matter of chat completions.
_MAX_MESSAGES_TEMPERATURE = 1.0


def choose_route(request: ChatRequest, model: ModelInfo | None, tool_endpoint: str | None = None) -> Route:
    """The route for `request`, by what is known of the model. A bot that nothing is known of is asked on chat.

    `tool_endpoint` is the operator's word for where this model calls tools, for requests that use them.
    A route never changes what the answer may be: where another endpoint serves a request better, it is asked there
    only if it takes all that the request holds, and knows how long the answer may become.
    """
    # Found out by trying (`doctor`), which beats what the list declares.
    if tool_endpoint is not None and uses_tools(request):
        return Route(tool_endpoint)
    if model is None or not model.endpoints:
        # Most bots that declare no endpoint answer on chat all the same (docs/reference/poe-official.md#model-list).
        return Route.CHAT_WHOLE if model is not None and model.makes_media else Route.CHAT
    if Endpoint.MESSAGES in model.endpoints:
        # Chat is what is known best; another endpoint has to offer something for it.
        is_better = uses_tools(request) or _gains_from_cache(request)
        if Endpoint.CHAT not in model.endpoints or (is_better and _fits_messages(request, model)):
            return Route.MESSAGES
    if Endpoint.CHAT in model.endpoints:
        return Route.CHAT_WHOLE if model.makes_media else Route.CHAT
    if Endpoint.RESPONSES in model.endpoints:
        return Route.RESPONSES
    if Endpoint.AUDIO in model.endpoints:
        return Route.AUDIO
    # Recorded of models that list only /v1/images (docs/reference/poe-official.md#media-in-chat).
    return Route.CHAT_WHOLE


def may_be_images_only(request: ChatRequest, model: ModelInfo | None) -> bool:
    """Whether a bot that chat does not know is worth a question at the image endpoint, which knows one prompt only."""
    has_files = any(message.attachments for message in request.messages)
    return model is not None and Endpoint.IMAGES in model.endpoints and not has_files


def may_be_bot_only(model: ModelInfo | None) -> bool:
    """Whether a bot that chat does not know is worth a question in the bot protocol: it declares no endpoint."""
    return model is None or not model.endpoints


def uses_tools(request: ChatRequest) -> bool:
    """Whether tools are part of it: a provider's own endpoint calls them reliably."""
    return bool(request.tools) or any(message.tool_calls for message in request.messages)


def _gains_from_cache(request: ChatRequest) -> bool:
    """Whether the prompt is long enough for the provider's cache."""
    return sum(len(message.text) for message in request.messages) >= _LONG_PROMPT_CHARS


def _fits_messages(request: ChatRequest, model: ModelInfo) -> bool:
    """Whether /v1/messages has words for all of it, and a limit that is no cut."""
    temperature = request.parameters.get("temperature")
    is_warm = isinstance(temperature, int | float) and temperature > _MAX_MESSAGES_TEMPERATURE
    has_format = request.response_format is not None and request.response_format.get("type") != "text"
    # The endpoint demands a limit, and a guessed one could cut the answer.
    knows_limit = request.max_tokens is not None or model.max_output_tokens is not None
    return knows_limit and not is_warm and not has_format and _MESSAGES_PARAMETERS.issuperset(request.parameters)
