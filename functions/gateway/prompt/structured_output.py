"""`response_format` with models that can only write text: what they are told, and what is accepted. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from gateway.prompt.json_schema import find_violation
from gateway.prompt.model_json import TooDeepError, decode_strictly_at, is_too_deep
from gateway.prompt.schema_budget import Budget
from lazy_dataclasses import dataclass

# Where a JSON object or array may begin, by what comes first in it: links and sets in prose are no attempt.
_OPENING = re.compile(r'\{(?=\s*+["}])|\[(?=\s*+[\]\[{"\-0-9tfn])')
# How much is read in vain, as a multiple of the answer, before looking for JSON is given up.
_EFFORT_PER_CHARACTER = 20
_LINES_PER_CHARACTER = 64
_LEAST_COST = 64
_CONTAINERS = frozenset({"object", "array"})
_MAX_REFERENCES = 8


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """JSON of any form, or of a schema's."""

    values: Mapping[str, Any] = field(repr=False)
    """As the caller gave it."""
    schema: Any = field(default=None, repr=False)

    def instructions(self) -> str:
        """What a model is told."""
        rule = "Answer with one JSON object and nothing else: no text around it, no code fence."
        if self.schema is None:
            return rule
        # As compact as it can be written: it is paid for with every message.
        schema = json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))
        return f"{rule} It must fit this JSON Schema:\n{schema}"

    def correction(self, problem: str) -> str:
        """What a model is told whose answer can't be used."""
        return f"Your answer can't be used: {problem}. Answer again with nothing but the corrected JSON."

    def read(self, answer: str) -> tuple[str | None, str | None]:
        """The JSON in an answer as it is written there, or what is wrong with it.

        Text and code fences around the JSON are left out. Of several values the last complete one counts: models write
        drafts before the answer, never after it. It counts also where an earlier one would fit better.
        """
        try:
            found = self._last_value(answer)
        except TooDeepError:
            return None, "the JSON is nested too deeply"
        if found is None:
            return None, "it holds no JSON object"
        value, start, end = found
        if self.schema is not None:
            # A budget of its own for each answer, so that a correction is checked as thoroughly as the first answer.
            problem = find_violation(value, self.schema, Budget())
        else:
            problem = None if isinstance(value, dict) else "$: must be object"
        return (answer[start:end], None) if problem is None else (None, problem)

    def _last_value(self, answer: str) -> tuple[Any, int, int] | None:
        """The last whole value of a type that is wanted, the outermost only, and its place; else the last of any type.

        Raises `TooDeepError`.
        """
        # Once, not for every candidate: what is too deep and broken as well is an error on one Python only.
        if (first := _OPENING.search(answer)) is not None and is_too_deep(answer, first.start()):
            raise TooDeepError("the JSON is nested too deeply")
        # An object in the explanation must not be taken for the answer where an array was asked for.
        wanted = _root_types(self.schema) if self.schema is not None else frozenset({"object"})
        last: tuple[Any, int, int] | None = None
        is_wanted = False
        at, effort = 0, _EFFORT_PER_CHARACTER * len(answer)
        while effort >= 0 and (opening := _OPENING.search(answer, at)) is not None:
            try:
                # No more tolerant than the caller's own parser.
                value, end = decode_strictly_at(answer, opening.start())
            except TooDeepError:
                raise
            except ValueError as error:
                # Not at the end of what was read: the answer may begin inside of what failed.
                at = opening.end()
                effort -= _cost(error, opening.start(), len(answer))
                continue
            fits = ("object" if isinstance(value, dict) else "array") in wanted
            if fits or not is_wanted:
                last, is_wanted = (value, opening.start(), end), fits
            at = end
        # Where looking further would take too long nobody knows which one is the last.
        return last if effort >= 0 else None


def _cost(error: ValueError, start: int, size: int) -> int:
    """What an attempt has cost, in characters: those that were read, and Python's search for the line of its error."""
    place = getattr(error, "pos", size)
    return place - start + place // _LINES_PER_CHARACTER + _LEAST_COST


def _root_types(schema: Any) -> frozenset[str]:
    """Which of objects and arrays may be what a schema describes, as far as its root says."""
    seen = schema
    for _ in range(_MAX_REFERENCES):
        if not isinstance(seen, Mapping) or not isinstance(seen.get("$ref"), str):
            break
        target: Any = schema
        for name in filter(None, seen["$ref"].removeprefix("#").split("/")):
            target = target.get(name) if isinstance(target, Mapping) else None
        seen = target
    kinds = seen.get("type") if isinstance(seen, Mapping) else None
    named = (
        {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) and _are_texts(kinds) else set()
    )
    return frozenset(named & _CONTAINERS) or _CONTAINERS


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)
