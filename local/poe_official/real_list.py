"""Models of the kinds, in the numbers and with the fields of the real list, which had 362 entries in spring 2026.

Named models have the declarations of the real ones, by which reasoning is steered in five different ways. The others
are numbered; their texts are filler of the real texts' length. Source: docs/reference/poe-official.md#model-list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from local.poe_official import bots, media
from local.poe_official.bots import commanded
from local.poe_official.model import CHAT, MESSAGES, RESPONSES, Model, budget_parameter, prices, thinks_by_budget

ENTRIES = 362
# How many entries answer with what.
_OUTPUTS = {"text": 206, "image": 76, "video": 60, "audio": 16, "text,image": 4}

_TEXT_AND_IMAGE = ("text", "image")
_FLAG: dict[str, Any] = {"type": "boolean"}
_TEXT: dict[str, Any] = {"type": "string"}
_BOTH, _ALL = (RESPONSES, CHAT), (MESSAGES, RESPONSES, CHAT)
_BY_EFFORT = {"budget": None, "required": False, "supports_reasoning_effort": True}

_EFFORTS = {
    "none-xhigh": ("none", "low", "medium", "high", "xhigh"),
    "none-high": ("none", "low", "medium", "high"),
    "low-xhigh": ("low", "medium", "high", "xhigh"),
    "medium-xhigh": ("medium", "high", "xhigh"),
    "minimal-high": ("minimal", "low", "medium", "high"),
    "low-high": ("low", "medium", "high"),
}
# Name, accepted efforts, dollars per million tokens read and written, whether it declares `web_search`.
_GPT: tuple[tuple[str, str, float, float, bool], ...] = (
    ("GPT-5.4", "none-xhigh", 2.2, 14, True),
    ("GPT-5.4-Mini", "none-xhigh", 0.68, 4, True),
    ("GPT-5.4-Nano", "none-xhigh", 0.18, 1.1, True),
    ("GPT-5.4-Pro", "medium-xhigh", 27, 160, True),
    ("GPT-5.3-Codex", "low-xhigh", 1.6, 13, True),
    ("GPT-5.2-Codex", "low-xhigh", 1.6, 13, True),
    ("GPT-5.2-Pro", "medium-xhigh", 19, 150, True),
    ("GPT-5.1", "none-high", 1.1, 9, True),
    ("GPT-5.1-Codex", "low-high", 1.1, 9, True),
    ("GPT-5.1-Codex-Mini", "low-high", 0.22, 1.8, True),
    ("GPT-5.1-Codex-Max", "low-xhigh", 1.1, 9, True),
    ("GPT-5", "minimal-high", 1.1, 9, True),
    ("GPT-5-Mini", "minimal-high", 0.22, 1.8, True),
    ("GPT-5-Nano", "minimal-high", 0.045, 0.36, True),
    ("GPT-5-Codex", "low-high", 1.1, 9, True),
    ("o4-mini", "low-high", 0.99, 4, False),
    ("o3", "low-high", 1.8, 7.2, False),
    ("o3-pro", "low-high", 18, 72, False),
    ("o3-mini", "low-high", 0.99, 4, False),
    ("o1", "low-high", 14, 54, False),
    ("o1-pro", "low-high", 140, 540, False),
    ("GPT-4.1", "", 1.8, 7.2, True),
    ("GPT-4.1-Mini", "", 0.36, 1.4, True),
    ("GPT-4.1-Nano", "", 0.09, 0.36, True),
    ("GPT-4o-Mini", "", 0.14, 0.54, True),
    ("GPT-3.5-Turbo", "", 0.45, 1.4, False),
)
_OUTPUT_EFFORTS = ["max", "high", "medium", "low", "none"]
# Name, the largest thinking budget, accepted `output_effort`, dollars per million tokens read and written.
_CLAUDE: tuple[tuple[str, int | None, list[str], float, float], ...] = (
    ("Claude-Opus-4.6", None, _OUTPUT_EFFORTS, 4.3, 21),
    ("Claude-Sonnet-4.6", None, _OUTPUT_EFFORTS, 2.6, 13),
    ("Claude-Opus-4.5", 63_999, _OUTPUT_EFFORTS[1:4], 4.3, 21),
    ("Claude-Haiku-4.5", 63_999, [], 0.85, 4.3),
    ("Claude-Opus-4.1", 31_999, [], 13, 64),
    ("Claude-Sonnet-4", 31_999, [], 2.6, 13),
    ("Claude-Opus-4", 31_999, [], 13, 64),
    ("Claude-Sonnet-3.7", 63_999, [], 2.6, 13),
    ("Claude-Haiku-3.5", None, [], 0.68, 3.4),
    ("Claude-Haiku-3", None, [], 0.21, 1.1),
)
# Name, accepted `thinking_level` or the largest thinking budget, dollars per million tokens.
_GEMINI: tuple[tuple[str, tuple[str, ...] | int | None, float, float], ...] = (
    ("Gemini-3.1-Pro", ("low", "high"), 2, 12),
    ("Gemini-3.1-Flash-Lite", ("minimal", "low", "high"), 0.25, 1.5),
    ("Gemini-3-Flash", ("minimal", "low", "high"), 0.4, 2.4),
    ("Gemini-2.5-Pro", 32_768, 0.87, 7),
    ("Gemini-2.5-Flash", 24_576, 0.21, 1.8),
    ("Gemini-2.5-Flash-Lite", 24_576, 0.07, 0.28),
    ("Gemini-2.0-Flash", None, 0.1, 0.42),
    ("Gemini-2.0-Flash-Lite", None, 0.052, 0.21),
)
_GROK = ("Grok-4.1-Fast-Reasoning", "Grok-4.1-Fast", "Grok-4-Fast-Reasoning", "Grok-Code-Fast-1", "Grok-3", "Grok-2")
_BY_SWITCH = ("GLM-5", "GLM-4.6", "Qwen3.5-Plus", "Qwen3-Max-Thinking", "Kimi-K2.5", "DeepSeek-V3.2", "MiniMax-M2.1")


def models_of_the_real_list(besides: Sequence[Model]) -> list[Model]:
    """As many models as are missing to the real number, of the kinds that are missing."""
    taken = {model.id for model in besides}
    named = [model for model in _named() if model.id not in taken]
    made = Counter(model.output for model in (*besides, *named))
    numbered: list[Model] = []
    for output, wanted in _OUTPUTS.items():
        for number in range(max(0, wanted - made[output])):
            numbered.append(_numbered(output, number))
    return (named + numbered)[: ENTRIES - len(besides)]


def _named() -> Iterator[Model]:
    puppet, muser = commanded(bots.echo), commanded(bots.muser)
    for name, efforts, read, written, searches in _GPT:
        declared: dict[str, Any] = {"web_search": _FLAG} if searches else {}
        yield Model(
            name,
            puppet,
            owner="OpenAI",
            tools=True,
            inputs=_TEXT_AND_IMAGE,
            listed=_BOTH,
            parameters=declared | ({"reasoning_effort": {"enum": list(_EFFORTS[efforts])}} if efforts else {}),
            defaults={"web_search": False, "reasoning_effort": _EFFORTS[efforts][0] if efforts else None},
            reasoning=_BY_EFFORT if efforts else None,
            pricing=_dollars(read, written, cached=True),
            context=400_000 if efforts else 128_000,
            max_output=128_000 if efforts else 32_768,
            description=_filler(name, len(name) * 61),
        )
    for name, budget, output_efforts, read, written in _CLAUDE:
        declared = budget_parameter(budget) if budget else {}
        declared |= {"web_search": _FLAG} if name != "Claude-Haiku-3" else {}
        yield Model(
            name,
            puppet,
            owner="Anthropic",
            tools=True,
            inputs=_TEXT_AND_IMAGE,
            listed=_ALL,
            parameters=declared | ({"output_effort": {"enum": output_efforts}} if output_efforts else {}),
            defaults={"thinking_budget": 0, "web_search": False, "output_effort": "high"},
            reasoning=thinks_by_budget(budget) if budget else _BY_EFFORT if output_efforts else None,
            pricing=_dollars(read, written, cached=True, cache_write=read * 1.25),
            context=983_040 if "Sonnet" in name else 200_000,
            max_output={"Claude-Haiku-3": 4_096, "Claude-Haiku-3.5": 8_192}.get(name, 64_000),
            description=_filler(name, len(name) * 53),
        )
    for name, steering, read, written in _GEMINI:
        levels = {"thinking_level": {"enum": list(steering)}} if isinstance(steering, tuple) else {}
        declared = levels or (budget_parameter(steering) if isinstance(steering, int) else {})
        yield Model(
            name,
            puppet,
            owner="Google",
            tools=True,
            inputs=("text", "image", "video", "audio"),
            listed=_BOTH,
            parameters=declared | {"web_search": _FLAG},
            defaults={"thinking_level": "low", "thinking_budget": 0, "web_search": False},
            reasoning=_BY_EFFORT if levels else thinks_by_budget(steering) if isinstance(steering, int) else None,
            pricing=_dollars(read, written),
            context=1_048_576,
            max_output=65_536 if steering else 8_192,
            description=_filler(name, len(name) * 47),
            signs_calls=bool(levels),
        )
    for name in _GROK:
        yield Model(name, puppet, owner="XAI", tools=True, listed=(CHAT,), context=256_000, max_output=128_000)
    for name in _BY_SWITCH:
        declared = {"enable_thinking": _FLAG, "temperature": {"type": "number", "minimum": 0, "maximum": 2}}
        yield Model(
            name,
            muser,
            owner="Novita AI",
            tools=True,
            parameters=declared,
            defaults={"enable_thinking": True},
            pricing=_dollars(1, 3.2),
            context=196_608,
            max_output=131_072,
            description=_filler(name, 900),
        )


_KINDS: dict[str, tuple[str, str, Callable[[bots.Question], bots.Answer]]] = {
    "text": ("Open-Model", "Empirio Labs AI", commanded(bots.echo)),
    "image": ("Image-Studio", "fal", media.painter),
    "video": ("Video-Studio", "fal", media.filmmaker),
    "audio": ("Voice-Studio", "Together AI", media.speaker),
    "text,image": ("Image-Talker", "Google", media.painter),
}
# What media models of the list declare, in the order in which it is frequent.
_MEDIA_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("aspect", {"enum": ["1:1", "16:9", "9:16", "4:3", "3:4", "21:9"]}),
    ("duration", {"type": "number", "minimum": 2, "maximum": 15}),
    ("negative_prompt", _TEXT),
    ("seed", _TEXT),
    ("resolution", {"enum": ["480p", "720p", "1080p"]}),
    ("cfg_scale", {"type": "number", "minimum": 0, "maximum": 1}),
    ("style", {"enum": ["auto", "photo", "drawing", "painting", "cartoon", "sculpture", "collage"]}),
    ("silent", _FLAG),
    ("num_inference_steps", {"type": "number", "minimum": 10, "maximum": 50}),
)
_VOICES = [f"Voice {number:02d}" for number in range(1, 31)]
_TEXT_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("temperature", {"type": "number", "minimum": 0, "maximum": 2}),
    ("country", _TEXT),
    ("language", {"enum": ["English", "French", "German", "Spanish", "Japanese", "Chinese", "Arabic"]}),
    ("search_recency_filter", {"enum": ["day", "week", "month", "year"]}),
    ("enable_thinking", _FLAG),
    ("max_output_tokens", {"type": "number", "minimum": 1, "maximum": 131_072}),
    ("video_fps", {"type": "number", "minimum": 0.1, "maximum": 10}),
)
_SMALL_WINDOWS = (256, 480, 150, 200, 2000)
_OPTION_COUNTS = (0, 3, 0, 1, 6, 2, 0, 4, 1, 0, 9, 2)
_REQUEST_PRICES = ("0.0060", "0.0039", "0.00045", "0.018", "0.0015", "0.057", "0.00", "0.0024", "0.042", "0.000030")
_DESCRIPTION_LENGTHS = (120, 340, 900, 260, 1500, 80, 560, 3800, 210, 450)


@cache
def _numbered(output: str, number: int) -> Model:
    """The model with this number among those that answer with `output`."""
    kind, owner, bot = _KINDS[output]
    name = f"{kind}-{number + 1:03d}"
    is_text = output == "text"
    count = _OPTION_COUNTS[number % len(_OPTION_COUNTS)]
    options = dict((_TEXT_OPTIONS if is_text else _MEDIA_OPTIONS)[:count])
    if output == "audio":
        options = {"voice": {"enum": _VOICES}} | options
    by_request = number % 3 == 0 if is_text else number % 4 == 0 and output in ("image", "audio")
    by_token = output == "text,image" or (is_text and number % 3 == 1)
    window: int | None = _SMALL_WINDOWS[number % 5] if number % 4 == 1 else None
    return Model(
        name,
        bot,
        cost=20 if is_text else 400,
        owner=owner,
        tools=is_text and number % 6 == 0,
        inputs=_TEXT_AND_IMAGE if number % 3 == 1 else ("text",),
        output=output,
        parameters=options,
        defaults={option: _first(schema) for option, schema in list(options.items())[: count - count // 8]},
        pricing=_dollars(0.3 + number % 7, 1 + number % 9)
        if by_token
        else prices(request=_REQUEST_PRICES[number % len(_REQUEST_PRICES)])
        if by_request
        else None,
        context=window if not is_text else 131_072 if number % 5 == 0 else None,
        max_output=16_384 if is_text and number % 10 == 0 else None,
        description=_filler(name, _DESCRIPTION_LENGTHS[number % len(_DESCRIPTION_LENGTHS)]),
    )


def _first(schema: dict[str, Any]) -> Any:
    """A default value that the schema allows."""
    if "enum" in schema:
        return schema["enum"][0]
    return {"boolean": False, "string": ""}.get(schema["type"], schema.get("minimum"))


def _dollars(
    read: float, written: float, *, cached: bool = False, cache_write: float | None = None
) -> dict[str, str | None]:
    """Prices per token, given those of a million."""
    given = {"prompt": read, "completion": written}
    given |= {"input_cache_read": read / 10} if cached else {}
    given |= {"input_cache_write": cache_write} if cache_write is not None else {}
    return prices(**{name: f"{value / 1e6:.12f}".rstrip("0") for name, value in given.items()})


def _filler(name: str, length: int) -> str:
    """A description of about that length."""
    sentence = f"{name} is a simulated model with the declarations of a real one. "
    return (sentence * (length // len(sentence) + 1))[: max(length, len(sentence))].strip()
