"""One simulated bot, and its entry in the list of models.

Shapes are those of the list recorded in spring 2026 (docs/reference/poe-official.md#model-list): ids are in lower
case, `created` is in milliseconds, prices are dollars as strings, media models have a `context_length` that is no chat
window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.poe_official.bots import Bot

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
IMAGES, VIDEOS, AUDIO = "/v1/images", "/v1/videos", "/v1/audio"

_FIRST_CREATED_MS = 1_694_610_718_936  # the oldest entry of the recorded list
_STEP_MS = 216_271_733
_PRICES = ("prompt", "completion", "image", "request", "input_cache_read", "input_cache_write")


def prices(**given: str) -> dict[str, str | None]:
    """The `pricing` of an entry: dollars per token, or per answer (`request`); null for what is not priced."""
    return {name: given.get(name) for name in _PRICES}


@dataclass(frozen=True, slots=True)
class Model:
    """One bot.

    `cost` is in points per answer, for models whose `pricing` is unknown. `pace` multiplies the time between frames.
    `listed` is what its entry says about endpoints. `parameters` are JSON Schemas by name, `defaults` their default
    values. `refuses` names fields of the endpoint that the provider behind it does not take; `efforts` are the values
    of `reasoning_effort` that it takes without declaring them. `signs_calls`: tool calls carry a thought signature,
    which has to come back. `ignores_tools`: endpoints at which tools are passed over without a word. `provider_name`
    is what its provider calls it.
    """

    name: str
    bot: Bot
    cost: int = 20
    pace: float = 1.0
    owner: str = "Poe"
    listed: tuple[str, ...] = ()
    tools: bool = False
    inputs: tuple[str, ...] = ("text",)
    output: str = "text"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    reasoning: Mapping[str, Any] | None = None
    pricing: Mapping[str, str | None] | None = None
    context: int | None = None
    max_output: int | None = None
    description: str = ""
    bare: bool = False
    bot_protocol_only: bool = False
    suggests: bool = False
    refuses: frozenset[str] = frozenset()
    efforts: tuple[str, ...] = ()
    signs_calls: bool = False
    ignores_tools: frozenset[str] = frozenset()
    provider_name: str = ""

    @property
    def id(self) -> str:
        """The id in the list."""
        return self.name.lower()

    @property
    def outputs(self) -> tuple[str, ...]:
        """What it answers with."""
        return tuple(self.output.split(","))

    @property
    def makes_text(self) -> bool:
        """Whether its answer is made of tokens of text."""
        return "text" in self.outputs

    def serves(self, endpoint: str) -> bool:
        """Whether the model answers at `endpoint`.

        What declares nothing answers on chat, and so do image models that list the image endpoint only (recorded).
        """
        if endpoint == "/bot":
            return True
        if self.bot_protocol_only:
            return False
        if endpoint == CHAT and self.listed == (IMAGES,):
            return True
        return endpoint in (self.listed or (CHAT,))

    def entry(self, position: int) -> dict[str, Any]:
        """Its entry in the list."""
        if self.bare:
            return {"id": self.id, "object": "model"}
        window = {"context_length": self.context, "max_output_tokens": self.max_output} if self.context else None
        features = ["web_search"] if self.tools and "web_search" in self.parameters else []
        picture = f"https://qph.cf2.poecdn.net/main-thumb-pb-{position + 1000}-200-{self.id.replace('.', '-')}.jpeg"
        return {
            "id": self.id,
            "object": "model",
            "created": _FIRST_CREATED_MS + position * _STEP_MS,
            "description": self.description or f"Simulated bot {self.name}.",
            "owned_by": self.owner,
            "root": self.id,
            "architecture": {
                "input_modalities": list(self.inputs),
                "output_modalities": list(self.outputs),
                "modality": f"{','.join(self.inputs)}->{self.output}",
            },
            "supported_features": features + (["tools"] if self.tools else []),
            "supported_endpoints": list(self.listed),
            "pricing": dict(self.pricing) if self.pricing is not None else None,
            "context_window": window,
            "context_length": self.context,
            "metadata": {
                "display_name": self.name,
                "image": {"url": picture, "alt": f"{self.name} model icon", "width": 200, "height": 200},
                "url": f"https://poe.com/{self.id}",
            },
            "reasoning": self.reasoning,
            "parameters": [_parameter(name, schema, self.defaults) for name, schema in self.parameters.items()],
        }


def _parameter(name: str, schema: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """A declaration; those without a default leave the field out (recorded)."""
    declared = {"name": name, "schema": schema}
    if name in defaults:
        declared["default_value"] = defaults[name]
    return declared | {"description": f"The {name.replace('_', ' ')} of the answer."}


def thinks_by_budget(most: int) -> dict[str, Any]:
    """The `reasoning` of a model that is told how many tokens to think."""
    budget = {"max_tokens": most, "min_tokens": 0}
    return {"budget": budget, "required": False, "supports_reasoning_effort": False}


def budget_parameter(most: int) -> dict[str, Any]:
    """The declaration that goes with it."""
    return {"thinking_budget": {"type": "number", "minimum": 0, "maximum": most}}
