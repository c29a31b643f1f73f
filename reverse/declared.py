"""What a bot's declared options say: values that fit them, and how the bot is told how much to think. Pure.

Bots of Poe are steered in five ways, whichever they declare (docs/reference/poe-official.md#reasoning): by a word
(`reasoning_effort`, `thinking_level`, `output_effort`), by a number of tokens (`thinking_budget`), or by a switch
(`enable_thinking` and its like). `Schemas` are the JSON Schemas of a bot's options by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

from lazy_dataclasses import dataclass

Schemas = Mapping[str, Mapping[str, Any]]

# Words for how much to think, from nothing to all that there is.
LEVELS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_BY_WORD = ("reasoning_effort", "thinking_level", "effort", "output_effort")
_BUDGET = "thinking_budget"
_SWITCHES = ("enable_thinking", "deep_thinking", "enable_reasoning", "reasoning_enabled", "thinking")
# Steers the length of the answer besides the thinking: left alone where there is nothing to think about.
_OF_THE_ANSWER = "output_effort"
# Tokens of thinking that a word stands for; beyond these a bot may think as much as it can.
_TOKENS = {"none": 0, "minimal": 1_024, "low": 4_096, "medium": 16_384, "high": 32_768}
_ENABLED, _DISABLED = ("enabled", "on", "true", "auto"), ("disabled", "off", "false", "none")


@dataclass(frozen=True, slots=True)
class Steering:
    """The options that tell a bot how much to think; `is_exact` unless it gets another word or number than asked."""

    options: Mapping[str, Any]
    is_exact: bool = True


def schemas_of(parameters: Iterable[Any] | None) -> dict[str, Mapping[str, Any]] | None:
    """The schemas in a list of declarations `{name, schema}`; `None` where there is no list."""
    if parameters is None:
        return None
    found: dict[str, Mapping[str, Any]] = {}
    for parameter in parameters:
        if isinstance(parameter, Mapping) and isinstance(name := parameter.get("name"), str):
            schema = parameter.get("schema")
            found[name] = schema if isinstance(schema, Mapping) else {}
    return found


def fitted(value: Any, schema: Mapping[str, Any]) -> Any:
    """The value as the declaration allows it: a number within its bounds, a word in the declared spelling.

    What can't be made to fit is returned as it is.
    """
    words = schema.get("enum")
    if isinstance(words, list):
        return next((word for word in words if _same(word, value)), value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    value = max(value, lowest) if _is_number(lowest) else value
    return min(value, highest) if _is_number(highest) else value


def steer_by_word(level: str, schemas: Schemas) -> Steering | None:
    """The options that stand for an effort; `None` for a bot that declares no way to steer it, or an unknown word."""
    options: dict[str, Any] = {}
    is_exact = True
    thinks = level != "none"
    for name in _BY_WORD:
        allowed = _words(schemas.get(name))
        if not allowed or (name == _OF_THE_ANSWER and not thinks and _BUDGET in schemas):
            continue
        options[name] = _nearest(level, allowed)
        is_exact = _same(options[name], level)
        # The first name that the bot declares: telling it twice could contradict itself.
        break
    if _BUDGET in schemas and level in LEVELS:
        tokens = _TOKENS.get(level)
        # Beyond "high" a bot may think as much as it declares.
        wanted = schemas[_BUDGET].get("maximum", _TOKENS["high"]) if tokens is None else tokens
        options[_BUDGET] = fitted(wanted, schemas[_BUDGET])
    if not options and level in LEVELS:
        options = _switched(thinks, schemas)
    return Steering(options, is_exact) if options else None


def steer_by_tokens(tokens: int, schemas: Schemas) -> Steering | None:
    """The options that stand for a number of tokens to think; `None` for a bot that declares no way to steer it."""
    if _BUDGET in schemas:
        value = fitted(tokens, schemas[_BUDGET])
        return Steering({_BUDGET: value}, is_exact=value == tokens)
    return steer_by_word(next((word for word, limit in _TOKENS.items() if tokens <= limit), "high"), schemas)


def _switched(on: bool, schemas: Schemas) -> dict[str, Any]:
    for name in _SWITCHES:
        schema = schemas.get(name)
        if schema is None:
            continue
        words = _words(schema)
        # A switch without words is a boolean.
        if not words:
            return {name: on}
        found = next((word for word in words if word.lower() in (_ENABLED if on else _DISABLED)), None)
        if found is not None:
            return {name: found}
    return {}


def _words(schema: Mapping[str, Any] | None) -> list[str]:
    words = (schema or {}).get("enum")
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def _nearest(level: str, allowed: list[str]) -> str:
    """The allowed word next to `level`, the higher one of two; a word that nobody knows is left to the bot."""
    same = next((word for word in allowed if _same(word, level)), None)
    if same is not None or level not in LEVELS:
        return same or level
    ranked = {word: LEVELS.index(word.lower()) for word in allowed if word.lower() in LEVELS}
    rank = LEVELS.index(level)
    return min(ranked, key=lambda word: (abs(ranked[word] - rank), -ranked[word]), default=level)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    # `1 == True` in Python.
    return type(one) is type(other) and bool(one == other)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
