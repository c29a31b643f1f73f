"""Which option of a request a refusal is about, where the error itself does not name it. Pure.

Recorded refusals of providers have neither `code` nor `param` (docs/reference/poe-official.md#errors-and-limits): what
there is to go by are their words. They name the option in quotation marks, in plain text, or only by its value
(`Unsupported value: 'high' is not supported …`). Only options that the request has are looked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reverse.chat import ChatRequest
from reverse.errors import ErrorCode, PoeError

_REFUSALS = frozenset({ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED_FEATURE})

# What the endpoints call an option of ours.
_OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "reasoning_effort": ("reasoning.effort", "reasoning", "output_config.effort", "output_config", "effort"),
    "response_format": ("text.format", "json_schema", "json mode", "structured output", "structured outputs"),
    "stop": ("stop_sequences", "stop sequence", "stop sequences"),
    "max_tokens": ("max_completion_tokens", "max_output_tokens"),
    "tools": ("tool calling", "function calling", "functions"),
    "output_effort": ("output_config.effort", "output_config", "effort"),
    "thinking_budget": ("thinking.budget_tokens", "budget_tokens", "thinking"),
}
# Patterns as texts: `re` compiles them with the first refusal, and keeps them. Few sandboxes meet one.
_QUOTED = r"[`'\"]([A-Za-z][\w.\[\]-]{0,63})[`'\"]"
# Words that stand in sentences about anything: they count only where the sentence says that they are an option.
_PLAIN_WORD = r"[a-z]{1,10}"
_UNAMBIGUOUS = frozenset({"temperature", "verbosity", "logprobs"})
_OPTION_WORDS = r"(?:parameters?|options?|fields?|arguments?|propert(?:y|ies)|settings?)"
# The refusal is of the option as such, not of what is in it.
_NOT_OFFERED = (
    r"(?i)"
    r"not (?:currently )?(?:supported|permitted|allowed|available|accepted)|unsupported|(?:n't| not) (?:support|accept)"
    r"|cannot both|can't both|unknown|unrecognized|unexpected|extra inputs"
)
_BOTH = r"(?i)\bboth\b|\btogether\b|mutually exclusive"
_VALUE = r"[`'\"]([^`'\"\n]{1,64})[`'\"]"


def blame(error: PoeError, request: ChatRequest) -> PoeError:
    """Set the error's `param` to the option that it is about, in our words, if its own words tell; returns it.

    A refusal of an option as such becomes `unsupported_feature`: asked without it, the bot may well answer.
    """
    if error.code not in _REFUSALS:
        return error
    options = _options(request)
    named = error.param is not None
    option = _own_name(error.param, options) if error.param else None
    # A refusal of these is not about an option, even where its words quote one.
    if option is None and not (named and error.param in ("model", "messages", "input")):
        option = refused_option(error.upstream_text or "", options)
    if option is None:
        return error
    error.param = option
    if named or re.search(_NOT_OFFERED, error.upstream_text or ""):
        error.code = ErrorCode.UNSUPPORTED_FEATURE
    return error


def refused_option(text: str, options: Mapping[str, Any]) -> str | None:
    """The name of the one of `options` that a provider's words are about."""
    quoted = [name for match in re.finditer(_QUOTED, text) if (name := _own_name(match[1], options))]
    found = quoted or _in_plain_text(text, options)
    if found:
        # Of two that exclude each other the later one is left out.
        return found[-1] if re.search(_BOTH, text) else found[0]
    return _by_value(text, options)


def _options(request: ChatRequest) -> dict[str, Any]:
    own = {
        "stop": list(request.stop) or None,
        "response_format": request.response_format,
        "max_tokens": request.max_tokens,
        "tools": list(request.tools) or None,
        "tool_choice": request.tool_choice,
    }
    return {**request.parameters, **{name: value for name, value in own.items() if value is not None}}


def _own_name(wire_name: str, options: Mapping[str, Any]) -> str | None:
    name = wire_name.lower()
    for option in options:
        if name == option.lower() or name in _OTHER_NAMES.get(option, ()):
            return option
    # "tools[0].function.name" is about `tools`.
    root = name.partition(".")[0].partition("[")[0]
    return _own_name(root, options) if root and root != name else None


def _in_plain_text(text: str, options: Mapping[str, Any]) -> list[str]:
    """Options that the text names without marking them, in the order in which it does."""
    places: dict[str, int] = {}
    lowered = text.lower()
    for option in options:
        own = option.lower()
        for name in (own, own.replace("_", " "), own.replace("_", ""), *_OTHER_NAMES.get(option, ())):
            place = _place(name, lowered)
            if place >= 0:
                places[option] = min(place, places.get(option, place))
    return sorted(places, key=lambda option: places[option])


def _place(name: str, text: str) -> int:
    """Where `text` speaks of the option `name`; -1 where it does not."""
    word = re.escape(name)
    pattern = rf"(?<![\w.]){word}(?!\w)"
    if re.fullmatch(_PLAIN_WORD, name) and name not in _UNAMBIGUOUS:
        marked = rf"\b{word}\s+{_OPTION_WORDS}\b|\b{_OPTION_WORDS}\s+{word}\b"
        pattern = rf"^{word}\s*:|{marked}|\b{_OPTION_WORDS}\b[^:]*:\s*{word}\b"
    match = re.search(pattern, text)
    return match.start() if match else -1


def _by_value(text: str, options: Mapping[str, Any]) -> str | None:
    """The only option whose value the text names first."""
    for match in re.finditer(_VALUE, text):
        found = [option for option, value in options.items() if isinstance(value, str) and value == match[1]]
        if found:
            # Efforts are the values that several options share.
            return found[0] if len(found) == 1 else "reasoning_effort" if "reasoning_effort" in found else None
    return None
