"""/v1/models: what each bot can do and costs. Pure.

The list's oddities (docs/reference/poe-official.md#model-list, recorded spring 2026): `created` is in milliseconds,
prices are strings, three of four entries declare no endpoint although most of them answer on chat, any field may be
missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from lazy_dataclasses import dataclass
from reverse.official.json_values import (
    JSONObject,
    flag_at,
    number_at,
    object_at,
    objects_at,
    text_at,
    texts_at,
    time_at,
)


class Endpoint(StrEnum):
    """Where a model can be asked."""

    CHAT = "/v1/chat/completions"
    RESPONSES = "/v1/responses"
    MESSAGES = "/v1/messages"
    IMAGES = "/v1/images"
    VIDEOS = "/v1/videos"
    AUDIO = "/v1/audio"


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per token, per image, or per answer (`request`). `None` where the list gives no price."""

    prompt: Decimal | None = None
    completion: Decimal | None = None
    image: Decimal | None = None
    request: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ReasoningSupport:
    """Whether a model thinks visibly, must, and how it is told how much."""

    required: bool = False
    effort: bool = False
    budget: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """An option that a model declares; undeclared ones are refused. `schema` is JSON Schema.

    Source: docs/reference/poe-official.md#chat-parameters.
    """

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    default: Any = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One entry of the list. `created_at` is epoch seconds; `endpoints` is empty where none is declared."""

    id: str
    owned_by: str = ""
    display_name: str = ""
    description: str = ""
    created_at: float | None = None
    input_modalities: frozenset[str] = frozenset()
    output_modalities: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    endpoints: frozenset[str] = frozenset()
    prices: Prices | None = None
    context_length: int | None = None
    max_output_tokens: int | None = None
    reasoning: ReasoningSupport | None = None
    parameters: tuple[Parameter, ...] = ()

    @property
    def supports_tools(self) -> bool:
        """Whether the model declares tool calls."""
        return "tools" in self.features

    @property
    def makes_media(self) -> bool:
        """Whether the model answers with files only: then it must be asked without streaming.

        Source: docs/reference/poe-official.md#media-in-chat.
        """
        # Undeclared is no reason to believe it: most bots answer with text.
        return bool(self.output_modalities) and "text" not in self.output_modalities


def parse_models(body: JSONObject) -> list[ModelInfo]:
    """The entries of the list that have an id."""
    # Read leniently: one odd entry must not cost the whole list, without which no bot could be named.
    return [_model(item) for item in objects_at(body, "data") if text_at(item, "id")]


def _model(item: JSONObject) -> ModelInfo:
    architecture, metadata = object_at(item, "architecture"), object_at(item, "metadata")
    window = object_at(item, "context_window")
    return ModelInfo(
        id=text_at(item, "id") or "",
        owned_by=text_at(item, "owned_by") or "",
        display_name=text_at(metadata, "display_name") or text_at(item, "root") or text_at(item, "id") or "",
        description=text_at(item, "description") or "",
        created_at=time_at(item, "created"),
        input_modalities=frozenset(texts_at(architecture, "input_modalities")),
        output_modalities=frozenset(texts_at(architecture, "output_modalities")),
        features=frozenset(texts_at(item, "supported_features")),
        endpoints=frozenset(texts_at(item, "supported_endpoints")),
        prices=_prices(object_at(item, "pricing")),
        context_length=number_at(window, "context_length") or number_at(item, "context_length"),
        max_output_tokens=number_at(window, "max_output_tokens"),
        reasoning=_reasoning(object_at(item, "reasoning")),
        parameters=tuple(
            Parameter(
                name=text_at(parameter, "name") or "",
                schema=object_at(parameter, "schema"),
                default=parameter.get("default_value"),
                description=text_at(parameter, "description") or "",
            )
            for parameter in objects_at(item, "parameters")
            if text_at(parameter, "name")
        ),
    )


def _prices(pricing: JSONObject) -> Prices | None:
    if not pricing:
        return None
    return Prices(
        prompt=_decimal(pricing.get("prompt")),
        completion=_decimal(pricing.get("completion")),
        image=_decimal(pricing.get("image")),
        request=_decimal(pricing.get("request")),
        cache_read=_decimal(pricing.get("input_cache_read")),
        cache_write=_decimal(pricing.get("input_cache_write")),
    )


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        # By way of text, since a float as it is would bring digits that Poe never wrote.
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _reasoning(values: JSONObject) -> ReasoningSupport | None:
    if not values:
        return None
    return ReasoningSupport(
        required=flag_at(values, "required") or False,
        effort=flag_at(values, "supports_reasoning_effort") or False,
        budget=bool(values.get("budget")),
    )
