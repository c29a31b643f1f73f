"""Which models there are: an embedded list, so that a fresh deployment answers at once, and a newer one in the table.

Names are matched without regard to case, and by alias. A name that nobody lists is passed to Poe as it is: Poe has
more bots than any list, and says itself when there is none.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accounts import AccountStore, AccountStoreError

CONFIG_NAME = "models"
REFRESH_SECONDS = 300.0
CHAT_ENDPOINT = "/v1/chat/completions"
_DATA = Path(__file__).parent / "data" / "models.json"


@dataclass(frozen=True, slots=True)
class Model:
    """One model as callers see it."""

    id: str
    bot: str
    """The name that Poe knows; usually the id."""
    owned_by: str
    tokens: int | None
    """Size of the context window."""
    created: int
    aliases: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = (CHAT_ENDPOINT,)

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's model object; `tokens` and `endpoints` are extensions that the original gateway had."""
        model: dict[str, Any] = {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": self.owned_by,
            "endpoints": list(self.endpoints),
        }
        return model if self.tokens is None else model | {"tokens": self.tokens}


class Catalogue:
    """The models, looked up by name. The embedded list is read when first needed."""

    def __init__(self, store: AccountStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._models: Sequence[Model] = ()
        self._by_name: dict[str, Model] = {}
        self._refresh_at: float | None = None

    async def models(self) -> Sequence[Model]:
        """All models, sorted by id."""
        await self._refresh()
        return self._models

    async def find(self, name: str) -> Model | None:
        """The model with this name or alias."""
        found = self._embedded().get(name.lower())
        if found is None:
            await self._refresh()
            found = self._by_name.get(name.lower())
        return found

    async def bot(self, name: str) -> str:
        """The name to ask Poe for."""
        found = await self.find(name)
        return name if found is None else found.bot

    def _embedded(self) -> dict[str, Model]:
        if not self._by_name:
            self._take(json.loads(_DATA.read_text(encoding="utf-8")))
        return self._by_name

    def _take(self, document: Mapping[str, Any]) -> None:
        models = _parse(document)
        self._models = sorted(models, key=lambda model: model.id.lower())
        # A model's own name wins over another's alias.
        self._by_name = {alias.lower(): model for model in models for alias in model.aliases}
        self._by_name |= {model.id.lower(): model for model in models}

    async def _refresh(self) -> None:
        """Take the table's list if there is one; the last good list stays when the table can't be read."""
        self._embedded()
        now = self._clock()
        if self._refresh_at is not None and now < self._refresh_at:
            return
        self._refresh_at = now + REFRESH_SECONDS
        try:
            document = await self._store.get_config(CONFIG_NAME)
        except AccountStoreError:
            return
        if document and document.get("models"):
            self._take(document)


def _parse(document: Mapping[str, Any]) -> list[Model]:
    created = int(document.get("created", 0))
    return [
        Model(
            id=str(item["id"]),
            bot=str(item.get("bot") or item["id"]),
            owned_by=str(item.get("owned_by", "poe")),
            tokens=item.get("tokens"),
            created=int(item.get("created", created)),
            aliases=tuple(item.get("aliases", ())),
            endpoints=tuple(item.get("endpoints", (CHAT_ENDPOINT,))),
        )
        for item in document["models"]
    ]
