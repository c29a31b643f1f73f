"""Answers that are made of the list of models, kept as they were encoded. Pure.

Programs read the list again and again, and it seldom changes: it is encoded once for each way in which it is shown.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from gateway.models.model import Model
from lazy_dataclasses import dataclass

# A body of all models has about 400 KB.
MOST_KEPT = 6


@dataclass(frozen=True, slots=True)
class Body:
    """A value as JSON."""

    content: bytes
    tag: str
    """The entity tag, with its quotes."""


def encode(value: Any) -> Body:
    """The value as JSON, with its tag."""
    # Serialised here, since the tag is made of the bytes.
    content = json.dumps(value, separators=(",", ":")).encode()
    # Of the body itself: it depends on the key, the aliases and the list, whose ages say nothing of the answer.
    return Body(content, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


class KeptBodies:
    """The bodies last used of those made of the list at hand."""

    def __init__(self) -> None:
        self._models: Sequence[Model] | None = None
        self._bodies: OrderedDict[Hashable, Body] = OrderedDict()

    def body(self, models: Sequence[Model], view: Hashable, make: Callable[[], Any]) -> Body:
        """The body for these models, shown in this way; `make` gives its value where it is not at hand.

        `models` is compared by identity. `view` must name all else that the value depends on: above all, what the
        caller may see. What `make` raises is raised, and nothing is kept.
        """
        if models is not self._models:
            self._models = models
            self._bodies.clear()
        found = self._bodies.get(view)
        if found is None:
            found = self._bodies[view] = encode(make())
        self._bodies.move_to_end(view)
        # The one that was not used for longest goes first.
        while len(self._bodies) > MOST_KEPT:
            self._bodies.popitem(last=False)
        return found
