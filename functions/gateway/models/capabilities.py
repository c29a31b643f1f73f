"""What a model can do, and which of OpenAI's optional fields it therefore gets. Pure; the one such place.

The facts are read from a catalogue entry that may leave out anything. Unknown is not "no": a question that only the
upstream can answer is left to the upstream.

A field is sent where the upstream is known to take it, or where the model declares an option of that name. Everything
else that a caller gave, and that would have changed the answer, is listed in the header `x-gateway-ignored`. Values
that mean what happens anyway (`store: false`, `presence_penalty: 0`) are neither sent nor reported.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from typing import Any

from accounts import AccountKind
from lazy_dataclasses import dataclass
from reverse.declared import Schemas, Steering, fitted, schemas_of, steer_by_word


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts that decide how a request is normalised; `None` means that nobody said."""

    context_tokens: int | None = None
    parameters: frozenset[str] | None = None
    """Names of the options that the model declares."""
    input_modalities: frozenset[str] | None = None
    takes_reasoning_effort: bool | None = None
    kinds: frozenset[str] = frozenset()
    """The kinds of account that list it."""
    schemas: Schemas | None = field(default=None, repr=False)
    """The JSON Schemas of the declared options."""

    def declares(self, name: str) -> bool | None:
        """Whether the model declares an option of this name."""
        return None if self.parameters is None else name in self.parameters

    def accepts(self, modality: str) -> bool | None:
        """Whether the model takes input of this kind: `text`, `image`, `audio`, `video`, `file`."""
        return None if self.input_modalities is None else modality in self.input_modalities


UNKNOWN = ModelFacts()


def best_first(listed_by: Collection[str]) -> tuple[AccountKind, ...]:
    """Kinds of account to ask for a model: those that list it, then the others, which may know it all the same."""
    # `sorted` is stable: within a group the order is that of the enum.
    return tuple(sorted(AccountKind, key=lambda kind: kind.value not in listed_by))


def facts_of(entry: object) -> ModelFacts:
    """The facts in a catalogue entry: a mapping in the shape of Poe's model list, or an object with such attributes.

    What has an unexpected type counts as not said.
    """
    if entry is None:
        return UNKNOWN
    # Poe's own word for it, also true of models that take their effort under another name.
    reasoning = _value(entry, "reasoning")
    effort = reasoning.get("supports_reasoning_effort") if isinstance(reasoning, Mapping) else None
    made = _names(_value(entry, "output_modalities"))
    parameters = _value(entry, "parameters")
    return ModelFacts(
        # Of a model that makes media this number is no window of a conversation (150 to 2,048 in the real list).
        context_tokens=_count(_value(entry, "context_length", "tokens")) if made is None or "text" in made else None,
        # Most entries of Poe's list declare no options at all, which says nothing about those that every model takes.
        parameters=_names(parameters) or None,
        # Beside the names: what a value must look like decides how it is fitted.
        schemas=schemas_of(parameters if isinstance(parameters, list | tuple) else None) or None,
        input_modalities=_input_modalities(entry),
        takes_reasoning_effort=effort if isinstance(effort, bool) else None,
        kinds=_names(_value(entry, "kinds")) or frozenset(),
    )


def _value(entry: object, *names: str) -> Any:
    for name in names:
        # Entries of the table are mappings, those of the catalogue objects.
        found = entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name, None)
        if found is not None:
            return found
    return None


def _input_modalities(entry: object) -> frozenset[str] | None:
    given = _value(entry, "input_modalities")
    if given is None:
        architecture = _value(entry, "architecture")
        given = architecture.get("input_modalities") if isinstance(architecture, Mapping) else None
    # An empty list says no more than none; taken at its word it would refuse every file.
    return _names(given) or None


def _names(values: Any) -> frozenset[str] | None:
    """Names from an array of names, of objects with a name, or from an object by name."""
    if isinstance(values, Mapping):
        return frozenset(str(name) for name in values)
    if not isinstance(values, list | tuple | set | frozenset):
        return None
    names = (item.get("name") if isinstance(item, Mapping) else getattr(item, "name", item) for item in values)
    return frozenset(name for name in names if isinstance(name, str))


def _count(value: Any) -> int | None:
    # 0 as a window would refuse everything.
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


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
