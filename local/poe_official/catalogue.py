"""The models that every simulator starts with: some for tests and demonstrations, then as many as the real list has."""

from __future__ import annotations

from typing import Any

from local.poe_official import bots, media
from local.poe_official.bots import commanded
from local.poe_official.model import (
    AUDIO,
    CHAT,
    IMAGES,
    MESSAGES,
    RESPONSES,
    VIDEOS,
    Model,
    budget_parameter,
    prices,
    thinks_by_budget,
)
from local.poe_official.real_list import models_of_the_real_list

__all__ = ["AUDIO", "CHAT", "IMAGES", "MESSAGES", "RESPONSES", "VIDEOS", "Model", "standard_models"]

_LEVELS = ["none", "low", "medium", "high", "xhigh"]
_EFFORT: dict[str, Any] = {"reasoning_effort": {"enum": ["minimal", "low", "medium", "high"]}}
_SEARCH: dict[str, Any] = {"web_search": {"type": "boolean"}}
_ASPECT: dict[str, Any] = {
    "aspect": {"enum": ["1:1", "3:2", "2:3", "16:9"]},
    "quality": {"enum": ["low", "medium", "high"]},
}
_IMAGE_EDITS: dict[str, Any] = {"use_mask": {"type": "boolean"}, "use_high_fidelity": {"type": "boolean"}}
_VOICES = ["Sarah", "George", "River", "Matilda", "Will", "Jessica", "Brian", "Lily"]
_VOICE: dict[str, Any] = {"voice": {"enum": _VOICES}, "speed": {"type": "number", "minimum": 0.5, "maximum": 2}}
_THINKS = {"budget": None, "required": False, "supports_reasoning_effort": True}
_VISION = ("text", "image")


def standard_models() -> list[Model]:
    """The models that every simulator starts with. One entry has nothing but an id; the real list has none such."""
    own = [*_plain_models(), *_provider_models(), *_media_models()]
    return own + models_of_the_real_list(besides=own)


def _plain_models() -> list[Model]:
    """Bots with a predictable answer, which exist nowhere else."""
    echo, story, puppet = commanded(bots.echo), commanded(bots.story), commanded(bots.echo)
    tool_user, structured = commanded(bots.toolcaller), commanded(bots.structured)
    usual = prices(request="0.00060")
    return [
        Model("Echo", echo, pricing=prices(request="0.000030")),
        Model("Story", story, tools=True, pricing=usual),
        Model(
            "Reasoner",
            bots.reasoner,
            parameters=_EFFORT,
            defaults={"reasoning_effort": "medium"},
            reasoning=_THINKS,
            listed=(CHAT, RESPONSES),
            pricing=prices(request="0.0015"),
        ),
        Model("Muser", commanded(bots.muser), tools=True, parameters={"enable_thinking": {"type": "boolean"}}),
        Model("ToolCaller", tool_user, tools=True, inputs=_VISION, pricing=usual),
        Model("Structured", structured, tools=True, pricing=usual),
        Model("Sayer", puppet, tools=True, inputs=_VISION, pricing=usual),
        Model("NoTools", echo),
        Model("Strict", echo, parameters=_ASPECT),
        Model("Picky", structured, tools=True, refuses=frozenset({"temperature", "response_format", "stop"})),
        Model("Silent", bots.silent),
        Model("Slow", echo, pace=10.0),
        Model("Suggester", bots.suggester, bot_protocol_only=True, suggests=True),
        Model("BotOnly", tool_user, bot_protocol_only=True, tools=True),
        Model("Bare", echo, bare=True),
    ]


def _provider_models() -> list[Model]:
    """Models with the declarations of the real ones of that name."""
    story, puppet, structured = commanded(bots.story), commanded(bots.echo), commanded(bots.structured)
    openai: dict[str, Any] = {"owner": "OpenAI", "tools": True, "inputs": _VISION, "listed": (RESPONSES, CHAT)}
    claude: dict[str, Any] = {"owner": "Anthropic", "tools": True, "pricing": _CLAUDE_PRICES, "max_output": 32_768}
    return [
        Model("GPT-4o", story, pricing=_GPT_PRICES, context=128_000, max_output=8_192, **openai),
        Model(
            "GPT-5.2",
            puppet,
            parameters=_SEARCH | {"reasoning_effort": {"enum": _LEVELS}, "verbosity": {"enum": _LEVELS[1:4]}},
            defaults={"web_search": False, "reasoning_effort": "none", "verbosity": "medium"},
            reasoning=_THINKS,
            pricing=_GPT_PRICES,
            context=400_000,
            max_output=128_000,
            provider_name="gpt-5.2-2025-12-11",
            **openai,
        ),
        Model(
            "O3-Responses",
            bots.reasoner,
            owner="OpenAI",
            listed=(RESPONSES,),
            parameters=_EFFORT,
            reasoning=_THINKS,
            pricing=_GPT_PRICES,
            context=200_000,
            max_output=100_000,
        ),
        Model(
            "Claude-Sonnet-4.5",
            puppet,
            inputs=_VISION,
            listed=(MESSAGES, RESPONSES, CHAT),
            parameters=budget_parameter(31_999) | _SEARCH,
            defaults={"thinking_budget": 0, "web_search": False},
            reasoning=thinks_by_budget(31_999),
            context=983_040,
            provider_name="claude-sonnet-4-5-20250929",
            **claude,
        ),
        Model("Claude-Messages", puppet, listed=(MESSAGES,), context=200_000, **claude),
        Model(
            "Gemini-3-Pro",
            puppet,
            owner="Google",
            tools=True,
            inputs=(*_VISION, "video", "audio"),
            listed=(RESPONSES, CHAT),
            parameters={"thinking_level": {"enum": ["low", "high"]}} | _SEARCH,
            defaults={"thinking_level": "low", "web_search": False},
            reasoning=_THINKS,
            context=1_048_576,
            max_output=65_536,
            signs_calls=True,
        ),
        Model(
            "Grok-4",
            structured,
            owner="XAI",
            tools=True,
            inputs=_VISION,
            listed=(CHAT,),
            context=256_000,
            max_output=128_000,
        ),
        Model("Kimi-K2.5-FW", commanded(bots.echo), owner="Fireworks AI", pricing=prices(request="0.00")),
        Model(
            "Assistant",
            puppet,
            tools=True,
            inputs=(*_VISION, "video"),
            listed=(RESPONSES, CHAT),
            reasoning=_THINKS,
            context=400_000,
            max_output=128_000,
            efforts=("medium",),
            provider_name="gpt-5.2-chat-latest",
        ),
    ]


def _media_models() -> list[Model]:
    """Models whose answer is a file."""
    gpt_image: dict[str, Any] = {
        "owner": "OpenAI",
        "cost": 500,
        "output": "image",
        "listed": (IMAGES,),
        "inputs": _VISION,
        "parameters": _ASPECT | _IMAGE_EDITS,
        "defaults": {"quality": "high", "use_mask": False, "use_high_fidelity": True},
        "context": 128_000,
    }
    return [
        Model(
            "Painter",
            media.painter,
            output="image",
            inputs=_VISION,
            parameters=_ASPECT,
            context=480,
            pricing=prices(request="0.0090"),
        ),
        Model("Filmmaker", media.filmmaker, cost=2000, output="video", context=256),
        Model("Speaker", media.speaker, output="audio", parameters=_VOICE, pricing=prices(request="0.0030")),
        Model("GPT-Image-1", media.painter, **gpt_image),
        Model("GPT-Image-1.5", media.painter, **gpt_image),
        Model("Dall-E-3", media.painter, owner="OpenAI", cost=600, output="image", listed=(IMAGES,), context=800),
        Model("Sora-2", media.filmmaker, owner="OpenAI", cost=5000, output="video", listed=(VIDEOS,), context=480),
        Model("Veo-3.1", media.filmmaker, owner="Google", cost=4000, output="video", listed=(VIDEOS,), context=480),
        Model(
            "ElevenLabs-v3",
            media.speaker,
            owner="ElevenLabs",
            cost=200,
            output="audio",
            listed=(AUDIO,),
            parameters={"voice_1": {"enum": _VOICES}},
            defaults={"voice_1": _VOICES[0]},
            context=128_000,
        ),
    ]


_GPT_PRICES = prices(prompt="0.0000016", completion="0.000013", input_cache_read="0.00000016")
_CLAUDE_PRICES = prices(
    prompt="0.0000026", completion="0.000013", input_cache_read="0.00000026", input_cache_write="0.0000032"
)
