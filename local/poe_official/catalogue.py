"""The simulated model list, with every oddity of the real one (docs/reference/poe-official.md#model-list, spring 2026).

Ids are in lower case, `created` is in milliseconds, prices are strings, most entries declare no endpoint, fields are
null or missing, one entry has nothing but an id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.poe_official import bots, media
from local.poe_official.bots import Bot, commanded

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
IMAGES, VIDEOS, AUDIO = "/v1/images", "/v1/videos", "/v1/audio"

_FIRST_CREATED_MS = 1_754_006_400_000  # 1 August 2025
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Model:
    """One bot. `cost` is in points per answer; `pace` multiplies the time between frames.

    `listed` is what its entry says, `serves` where it really answers: not the same for bots that declare no endpoint.
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
    reasoning: Mapping[str, Any] | None = None
    pricing: Mapping[str, str] | None = None
    context: int | None = None
    bare: bool = False
    bot_protocol_only: bool = False
    suggests: bool = False

    @property
    def id(self) -> str:
        """The id in the list."""
        return self.name.lower()

    def serves(self, endpoint: str) -> bool:
        """Whether the model answers at `endpoint`; what declares nothing answers on chat, mostly."""
        if endpoint == "/bot":
            return True
        if self.bot_protocol_only:
            return False
        return endpoint in (self.listed or (CHAT,))

    def entry(self, position: int) -> dict[str, Any]:
        """Its entry in the list."""
        if self.bare:
            return {"id": self.id, "object": "model"}
        return {
            "id": self.id,
            "object": "model",
            "created": _FIRST_CREATED_MS + position * _DAY_MS,
            "description": f"Simulated bot {self.name}.",
            "owned_by": self.owner,
            "root": self.name,
            "architecture": {
                "input_modalities": list(self.inputs),
                "output_modalities": [self.output],
                "modality": f"{','.join(self.inputs)}->{self.output}",
            },
            "supported_features": ["tools"] if self.tools else [],
            "supported_endpoints": list(self.listed),
            "pricing": self.pricing,
            "context_window": {"context_length": self.context, "max_output_tokens": 8192} if self.context else None,
            "context_length": self.context,
            "metadata": {"display_name": self.name, "image": None, "url": f"https://poe.com/{self.name}"},
            "reasoning": self.reasoning,
            "parameters": [
                {"name": name, "schema": schema, "default_value": None, "description": f"The {name}."}
                for name, schema in self.parameters.items()
            ],
        }


_EFFORT = {"reasoning_effort": {"type": "string", "enum": ["minimal", "low", "medium", "high"]}}
_ASPECT = {"aspect": {"type": "string", "enum": ["1:1", "16:9"]}, "quality": {"type": "string"}}
_TOKEN_PRICES = {
    "prompt": "0.0000011",
    "completion": "0.000009",
    "image": "0",
    "request": "0",
    "input_cache_read": "0.00000011",
    "input_cache_write": "0.0000014",
}
_VISION = ("text", "image")
_THINKS = {"budget": None, "required": False, "supports_reasoning_effort": True}
_THINKS_BY_BUDGET = {"budget": {"min": 0, "max": 32000}, "required": True, "supports_reasoning_effort": False}


def standard_models() -> list[Model]:
    """The models that every simulator starts with."""
    echo, story, puppet = commanded(bots.echo), commanded(bots.story), commanded(bots.echo)
    tool_user, structured = commanded(bots.toolcaller), commanded(bots.structured)
    priced: dict[str, Any] = {"pricing": _TOKEN_PRICES, "context": 128_000}
    return [
        Model("Echo", echo, cost=1),
        Model("Story", story, tools=True),
        Model("Reasoner", bots.reasoner, cost=50, parameters=_EFFORT, reasoning=_THINKS, listed=(CHAT, RESPONSES)),
        Model("ToolCaller", tool_user, tools=True, inputs=_VISION),
        Model("Structured", structured, tools=True),
        Model("Sayer", puppet, tools=True, inputs=_VISION),
        Model("Painter", media.painter, cost=300, output="image", parameters=_ASPECT),
        Model("Filmmaker", media.filmmaker, cost=2000, output="video"),
        Model("Speaker", media.speaker, cost=100, output="audio"),
        Model("NoTools", echo),
        Model("Strict", echo, parameters=_ASPECT),
        Model("Silent", bots.silent),
        Model("Slow", echo, pace=10.0),
        Model("Suggester", bots.suggester, bot_protocol_only=True, suggests=True),
        Model("BotOnly", tool_user, bot_protocol_only=True, tools=True),
        Model("Bare", echo, bare=True),
        Model("GPT-4o", story, owner="OpenAI", tools=True, inputs=_VISION, listed=(CHAT, RESPONSES), **priced),
        Model(
            "GPT-5.2",
            puppet,
            owner="OpenAI",
            tools=True,
            inputs=_VISION,
            listed=(CHAT, RESPONSES),
            parameters=_EFFORT,
            reasoning=_THINKS,
            **priced,
        ),
        Model("O3-Responses", bots.reasoner, owner="OpenAI", listed=(RESPONSES,), parameters=_EFFORT, **priced),
        Model(
            "Claude-Sonnet-4.5",
            puppet,
            owner="Anthropic",
            tools=True,
            inputs=_VISION,
            listed=(CHAT, MESSAGES),
            parameters={"thinking_budget": {"type": "integer"}},
            reasoning=_THINKS_BY_BUDGET,
            **priced,
        ),
        Model("Claude-Messages", puppet, owner="Anthropic", tools=True, listed=(MESSAGES,), **priced),
        Model(
            "Gemini-3-Pro", puppet, owner="Google", tools=True, inputs=(*_VISION, "video", "audio"), context=1_000_000
        ),
        Model("Grok-4", structured, owner="xAI", tools=True, parameters={"enable_thinking": {"type": "boolean"}}),
        Model("Kimi-K2.5-FW", echo, owner="Fireworks"),
        Model("Assistant", puppet, tools=True, inputs=_VISION),
        Model("GPT-Image-1", media.painter, owner="OpenAI", cost=500, output="image", listed=(IMAGES,)),
        Model("Dall-E-3", media.painter, owner="OpenAI", cost=600, output="image", listed=(IMAGES,)),
        Model("Sora-2", media.filmmaker, owner="OpenAI", cost=5000, output="video", listed=(CHAT, VIDEOS)),
        Model("Veo-3.1", media.filmmaker, owner="Google", cost=4000, output="video", listed=(VIDEOS,)),
        Model("ElevenLabs-v3", media.speaker, owner="ElevenLabs", cost=200, output="audio", listed=(AUDIO,)),
    ]
