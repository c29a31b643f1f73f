"""What is known of a model beyond its name, read from a catalogue entry that may leave out anything. Pure.

Unknown is not "no": a question that only the upstream can answer is left to the upstream.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Any

from accounts import AccountKind
from lazy_dataclasses import dataclass
from reverse.declared import Schemas, schemas_of


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
