"""`response_format` with models that can only write text: what they are told, and what is accepted. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.prompt.json_schema import find_violation
from gateway.prompt.model_json import TooDeepError, decode_strictly_at, is_too_deep
from gateway.prompt.schema_budget import Budget

# Where a JSON object or array may begin; more candidates than this are not tried.
_OPENING = re.compile(r"[{\[]")
_MAX_CANDIDATES = 20


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
        schema = json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))
        return f"{rule} It must fit this JSON Schema:\n{schema}"

    def correction(self, problem: str) -> str:
        """What a model is told whose answer can't be used."""
        return f"Your answer can't be used: {problem}. Answer again with nothing but the corrected JSON."

    def read(self, answer: str) -> tuple[str | None, str | None]:
        """The JSON in an answer as it is written there, or what is wrong with it.

        Text and code fences around the JSON are left out.
        """
        problem = "it holds no JSON object"
        try:
            candidates = self._candidates(answer)
        except TooDeepError:
            return None, "the JSON is nested too deeply"
        budget = Budget()
        for start, value in candidates:
            violation = None
            if self.schema is None and not isinstance(value, dict):
                violation = "$: must be object"
            elif self.schema is not None:
                violation = find_violation(value, self.schema, budget)
            if violation is None:
                return answer[start[0] : start[1]], None
            problem = violation
        return None, problem

    def _candidates(self, answer: str) -> list[tuple[tuple[int, int], Any]]:
        """Where whole JSON values stand in the answer, the outermost only. Raises `TooDeepError`."""
        found: list[tuple[tuple[int, int], Any]] = []
        at = 0
        # Once, not for every candidate: what is too deep and broken as well is an error on one Python only.
        if (first := _OPENING.search(answer)) is not None and is_too_deep(answer, first.start()):
            raise TooDeepError("the JSON is nested too deeply")
        for _ in range(_MAX_CANDIDATES):
            opening = _OPENING.search(answer, at)
            if opening is None:
                break
            try:
                # No more tolerant than the caller's own parser.
                value, end = decode_strictly_at(answer, opening.start())
            except TooDeepError:
                raise
            except ValueError:
                at = opening.end()
                continue
            found.append(((opening.start(), end), value))
            at = end
        return found
