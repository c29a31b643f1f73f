"""OpenAI's optional fields: which of them a model gets, and which are reported as ignored. Pure; the one such place.

A field is sent where the upstream is known to take it, or where the model declares an option of that name. Everything
else that a caller gave, and that would have changed the answer, is listed in the header `x-gateway-ignored`. Values
that mean what happens anyway (`store: false`, `presence_penalty: 0`) are neither sent nor reported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from typing import Any

from accounts import AccountKind
from gateway.models.capabilities import ModelFacts
from lazy_dataclasses import dataclass
from reverse.declared import Steering, fitted, steer_by_word

PARALLEL_TOOL_CALLS = "parallel_tool_calls"
REASONING_EFFORT = "reasoning_effort"
# Fields that Poe's official API takes for every model (docs/reference/poe-official.md#chat-parameters).
_OFFICIAL_ALWAYS = frozenset({"temperature", "top_p", PARALLEL_TOOL_CALLS})
# These mean the same for every model, so a surface must declare them; others are left to models that declare them.
_MEANT_FOR_ALL = _OFFICIAL_ALWAYS | {REASONING_EFFORT}
_IS_NEUTRAL: dict[str, Callable[[Any], bool]] = {
    "presence_penalty": lambda value: value == 0,
    "frequency_penalty": lambda value: value == 0,
    "logit_bias": lambda value: value == {},
    "logprobs": lambda value: value is False,
    "modalities": lambda value: value == ["text"],
    "service_tier": lambda value: value in ("auto", "default"),
    "store": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
}
# More names than any request needs; a header has its limits.
_MAX_REPORTED = 32
_MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Options:
    """The optional fields of one request that are neither handled elsewhere nor neutral."""

    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The bot's own options, which the caller names as such: passed on as they are."""
    dropped: tuple[str, ...] = ()
    """The caller's names of what can't be honoured with any account."""

    def sent(self, kind: AccountKind, facts: ModelFacts) -> dict[str, Any]:
        """What goes with the request to an account of this kind, as the model declares it.

        An effort becomes the options by which the model is steered; numbers are moved to the declared bounds.
        """
        chosen = {name: value for name, value in self.fields.items() if _is_sent(name, kind, facts)}
        if (steering := self._steering(facts)) is not None:
            chosen.pop(REASONING_EFFORT, None)
            # What the caller names itself wins over what is derived from its effort.
            chosen = {**steering.options, **chosen}
        return {name: _fitted(name, value, facts) for name, value in {**chosen, **self.parameters}.items()}

    def _steering(self, facts: ModelFacts) -> Steering | None:
        effort = self.fields.get(REASONING_EFFORT)
        return steer_by_word(effort, facts.schemas) if isinstance(effort, str) and facts.schemas else None

    def doubtful(self, facts: ModelFacts) -> frozenset[str]:
        """Names of what the model does not declare: an upstream that refuses it can be asked without."""
        return frozenset(name for name in self.fields if not facts.declares(name) and name not in self.parameters)

    def ignored(
        self, kind: AccountKind, facts: ModelFacts, name_of: Callable[[str], str] = lambda name: name
    ) -> tuple[str, ...]:
        """Names of what an account of this kind does not get, and the gateway does not see to itself.

        `name_of` gives the caller's name of an option.
        """
        unsent = {name for name in self.fields if name != PARALLEL_TOOL_CALLS and not _is_sent(name, kind, facts)}
        if (steering := self._steering(facts)) is not None:
            unsent = (unsent - {REASONING_EFFORT}) | (set() if steering.is_exact else {REASONING_EFFORT})
        given = {**self.fields, **self.parameters}
        unsent |= {name for name, value in given.items() if _is_moved(name, value, facts)}
        return tuple(sorted({*self.dropped, *map(name_of, unsent)}))


def _fitted(name: str, value: Any, facts: ModelFacts) -> Any:
    schema = (facts.schemas or {}).get(name)
    return value if schema is None else fitted(value, schema)


def _is_moved(name: str, value: Any, facts: ModelFacts) -> bool:
    """Whether a number is out of the declared bounds; another spelling of a word is the same word."""
    # Told to the caller: the answer was made with another number than the one that was asked for.
    return not isinstance(value, str) and bool(_fitted(name, value, facts) != value)


def _is_sent(name: str, kind: AccountKind, facts: ModelFacts) -> bool:
    declared = facts.declares(name)
    if declared:
        return True
    # The web API takes declared options only; it has no place for OpenAI's fields.
    if not kind.traits.is_native:
        return False
    if name == REASONING_EFFORT:
        # Poe's documentation says that it is ignored; recorded replies show that it is passed on and checked
        # (docs/reference/poe-official.md#chat-parameters).
        return facts.takes_reasoning_effort is not False and (declared is None or bool(facts.takes_reasoning_effort))
    return name in _OFFICIAL_ALWAYS


def sort_options(
    declared: Mapping[str, Any],
    undeclared: Mapping[str, Any],
    *,
    parameters: Mapping[str, Any],
    dropped: Iterable[str] = (),
    foreign: Collection[str] = (),
) -> Options:
    """The options of a request.

    `declared` are those that the caller's API has, by Poe's names; `undeclared` are further fields, which only models
    that declare them get. `foreign` are Poe's names of fields that the caller's API calls otherwise.
    """
    unknown = {name: value for name, value in undeclared.items() if not _is_neutral(name, value)}
    # In this API the field has another name, so that somebody mixed up two APIs: told, not guessed.
    misplaced = [name for name in unknown if name in _MEANT_FOR_ALL or name in foreign]
    fields = {name: value for name, value in declared.items() if not _is_neutral(name, value)}
    # Options of single models have no place in OpenAI's API: they come as fields of their own.
    fields |= {name: value for name, value in unknown.items() if name not in misplaced}
    return Options(fields, parameters, (*dropped, *misplaced))


def _is_neutral(name: str, value: Any) -> bool:
    """Whether a value means what happens anyway."""
    check = _IS_NEUTRAL.get(name)
    return check is not None and check(value)


def ignored_header(names: Iterable[str]) -> str:
    """The value of `x-gateway-ignored`: names only, made safe for a header, cut to a sane number."""
    safe = ("".join(character if _is_plain(character) else "_" for character in name[:_MAX_NAME]) for name in names)
    # Names of fields are the caller's words: nothing of them may end a header or begin another.
    return ", ".join([*safe][:_MAX_REPORTED])


def _is_plain(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "._-[]")
