"""Names of the owner's own for models: what programs insist on, what it stands for, and what may take its place. Pure.

A document names each alias with its model, and if wanted with the models that may answer in its place:

    {"aliases": {
        "gpt-4-turbo": "GPT-5",
        "claude-sonnet-4-5-2025*": {"model": "Claude-Sonnet-4.5", "fallbacks": ["Claude-Haiku-4.5"]},
        "openai/*": "*"
    }}

An exact alias comes before everything, also before a model of that name. A pattern is for names that are not on the
list of models: it takes no model away from those who name it. Of several the one with most text besides its `*` counts.
A `*` as model is what the pattern's `*` stood for; a name made so may be an alias again, or match another pattern.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from lazy_dataclasses import dataclass

MAX_ALIASES = 500
MAX_PATTERNS = 100
MAX_STARS = 4
MAX_NAME_CHARS = 200
MAX_FALLBACKS = 5
_STAR = "*"


class AliasError(ValueError):
    """The document can't be used. `field` says where, by its path."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"'{field}' {problem}")
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """One name, or pattern of names, and what it stands for."""

    name: str
    """As the owner wrote it."""
    model: str
    fallbacks: tuple[str, ...] = ()

    @property
    def is_pattern(self) -> bool:
        return _STAR in self.name

    def to_json(self) -> Any:
        """As it is stored: short where there are no fallbacks."""
        return {"model": self.model, "fallbacks": list(self.fallbacks)} if self.fallbacks else self.model


def key_of(name: str) -> str:
    """Names are compared without regard to case and spaces."""
    return name.lower().replace(" ", "")


class AliasTable:
    """The aliases, looked up by name."""

    def __init__(self, aliases: Sequence[Alias] = ()) -> None:
        self.aliases = tuple(sorted(aliases, key=lambda alias: key_of(alias.name)))
        self._exact = {key_of(alias.name): alias for alias in aliases if not alias.is_pattern}
        patterns = [(key_of(alias.name).split(_STAR), alias) for alias in self.aliases if alias.is_pattern]
        # Sorted once, so that the first match is the most specific one.
        self._patterns = sorted(patterns, key=lambda pattern: -sum(map(len, pattern[0])))

    def to_json(self) -> dict[str, Any]:
        """The document."""
        return {"aliases": {alias.name: alias.to_json() for alias in self.aliases}}

    def exact(self, name: str) -> Alias | None:
        """The alias with just this name."""
        return self._exact.get(key_of(name))

    def matching(self, name: str) -> Alias | None:
        """The alias whose pattern the name matches, with the model that is meant by it."""
        found = self._match(name, is_whole=False)
        if found is None or found.model != _STAR:
            return found
        # Patterns that only take off a prefix lead to a name, which may have an alias of its own.
        plain = _behind_star(found.name, name)
        further = self.exact(plain) or self._match(plain, is_whole=True)
        # One step only: an alias that leads to an alias again could go round in circles.
        return further or Alias(name=found.name, model=plain, fallbacks=found.fallbacks)

    def _match(self, name: str, *, is_whole: bool) -> Alias | None:
        """`is_whole` looks for patterns with a model of their own only."""
        key = key_of(name)
        for parts, alias in self._patterns:
            if not (is_whole and alias.model == _STAR) and _matches(parts, key):
                return alias
        return None


NO_ALIASES = AliasTable()


def _matches(parts: Sequence[str], name: str) -> bool:
    """Whether the name has these parts in this order, with anything between them; each is looked for once."""
    first, *middle, last = parts
    at, end = len(first), len(name) - len(last)
    # The beginning and the end must not overlap: `ab*ba` does not match `aba`.
    if at > end or not name.startswith(first) or not name.endswith(last):
        return False
    for part in middle:
        # The leftmost place is as good as any, so that no backtracking is needed.
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _behind_star(pattern: str, name: str) -> str:
    """What the pattern's one `*` stands for in a name that matches, as it was written."""
    before, after = (key_of(part) for part in pattern.split(_STAR))
    # Without spaces like the key, but in the caller's case, which Poe is asked with.
    plain = name.replace(" ", "")
    return plain[len(before) : len(plain) - len(after)]


def read_aliases(document: Mapping[str, Any]) -> AliasTable:
    """The table of a document. Raises `AliasError`, also for fields that there are not: a typo would change nothing."""
    for field in document:
        if field != "aliases":
            raise AliasError(str(field)[:MAX_NAME_CHARS], "must be left out: there is no such field")
    given = document.get("aliases")
    given = {} if given is None else given
    if not isinstance(given, Mapping) or len(given) > MAX_ALIASES:
        raise AliasError("aliases", f"must be an object of at most {MAX_ALIASES} names")
    found: dict[str, Alias] = {}
    for name, value in given.items():
        alias = _read(name, value)
        # Which one counted would depend on the order of an object's names.
        if found.setdefault(key_of(alias.name), alias) is not alias:
            raise AliasError(f"aliases.{alias.name}", "is there twice: case and spaces make no difference")
    if sum(alias.is_pattern for alias in found.values()) > MAX_PATTERNS:
        raise AliasError("aliases", f"must have at most {MAX_PATTERNS} patterns")
    return AliasTable(list(found.values()))


def _read(name: Any, value: Any) -> Alias:
    field = f"aliases.{str(name)[:MAX_NAME_CHARS]}"
    if not _is_name(name) or name.count(_STAR) > MAX_STARS:
        raise AliasError(field, f"must be a name of at most {MAX_NAME_CHARS} characters and {MAX_STARS} '*'")
    # The short form, which `to_json` writes as well.
    entry = value if isinstance(value, Mapping) else {"model": value}
    # Refused, since a typo in `fallbacks` would show on the day when they are needed.
    for unknown in entry.keys() - {"model", "fallbacks"}:
        raise AliasError(f"{field}.{str(unknown)[:MAX_NAME_CHARS]}", "must be left out: there is no such field")
    model, fallbacks = entry.get("model"), entry.get("fallbacks")
    if not _is_name(model) or (model != _STAR and _STAR in model):
        raise AliasError(f"{field}.model", "must be the name of a model")
    if model == _STAR and name.count(_STAR) != 1:
        raise AliasError(f"{field}.model", "can be '*' only where the alias has one '*'")
    if fallbacks is None:
        fallbacks = []
    if not isinstance(fallbacks, list) or len(fallbacks) > MAX_FALLBACKS or not all(map(_is_model, fallbacks)):
        raise AliasError(f"{field}.fallbacks", f"must be an array of at most {MAX_FALLBACKS} names of models")
    # Asking a model again that just failed would cost a send for nothing.
    if len({key_of(one) for one in (model, *fallbacks)}) != 1 + len(fallbacks):
        raise AliasError(f"{field}.fallbacks", "must name each model once, and not the alias's own")
    return Alias(name=name.strip(), model=model.strip(), fallbacks=tuple(one.strip() for one in fallbacks))


def _is_model(name: Any) -> bool:
    return _is_name(name) and _STAR not in name


def _is_name(name: Any) -> TypeGuard[str]:
    return isinstance(name, str) and bool(name.strip()) and len(name) <= MAX_NAME_CHARS and name.isprintable()
