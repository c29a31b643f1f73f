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
    """The image endpoint, for models that list no other."""
    AUDIO = "audio"
    """The audio endpoint, for models that list no other."""
    BOT_QUERY = "bot_query"
    """The bot protocol, for bots that chat completions do not know."""


# From about 4,000 tokens on a provider caches a prompt; below it the endpoint makes no difference in price.
_LONG_PROMPT_CHARS = 16_000

_MESSAGES_PARAMETERS = frozenset({"temperature", "top_p", "top_k"})


def choose_route(request: ChatRequest, model: ModelInfo | None) -> Route:
    """The route for `request`, by what is known of the model. A bot that nothing is known of is asked on chat."""
    if model is None or not model.endpoints:
        # Most bots that declare no endpoint answer on chat all the same (docs/reference/poe-official.md#model-list).
        return Route.CHAT_WHOLE if model is not None and model.makes_media else Route.CHAT
    if Endpoint.MESSAGES in model.endpoints and (Endpoint.CHAT not in model.endpoints or _gains_from_cache(request)):
        return Route.MESSAGES
    if Endpoint.CHAT in model.endpoints:
        return Route.CHAT_WHOLE if model.makes_media else Route.CHAT
    if Endpoint.RESPONSES in model.endpoints:
        return Route.RESPONSES
    if Endpoint.IMAGES in model.endpoints:
        return Route.IMAGES
    if Endpoint.AUDIO in model.endpoints:
        return Route.AUDIO
    return Route.CHAT_WHOLE


def may_be_bot_only(model: ModelInfo | None) -> bool:
    """Whether a bot that chat does not know is worth a question in the bot protocol: it declares no endpoint."""
    return model is None or not model.endpoints


def _gains_from_cache(request: ChatRequest) -> bool:
    """Whether the prompt is long enough for the cache, and has nothing that only chat completions take."""
    if request.response_format is not None or not _MESSAGES_PARAMETERS.issuperset(request.parameters):
        return False
    return sum(len(message.text) for message in request.messages) >= _LONG_PROMPT_CHARS
