"""Stored responses: each with its input and, unless that is much, all that was said before it.

A document of the account store holds the response, its input, the conversation before (`history`), and the id of the
response before that (`base`). A short conversation is one document, which one read gives back. Where `history` would
outgrow a segment, the document starts a new one: it holds nothing and names the response before as its base. So no
document grows with the conversation, no turn is written often, and a long conversation costs one read per segment.

A conversation whose base was deleted or has expired can't be continued, and says so.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from accounts import AccountStore, AccountStoreError
from gateway.http.errors import NOT_FOUND, TOO_LONG, GatewayError, invalid
from gateway.http.request_log import Journal
from gateway.surfaces.responses.input_items import Item
from lazy_dataclasses import dataclass

_RESPONSE = r"resp_[0-9a-f]{32}"
_ITEM = r"[a-z]{2,3}_([0-9a-f]{32})[0-9a-f]{4,8}"


def new_response_id() -> str:
    """An id that nobody can guess."""
    return f"resp_{secrets.token_hex(16)}"


def is_response_id(text: str) -> bool:
    """Whether the text looks like an id of ours; nothing else is worth asking the store for."""
    return re.fullmatch(_RESPONSE, text) is not None


def item_ids(response_id: str) -> Callable[[str], str]:
    """A maker of ids for the items of one response, given their prefix (`msg`, `fc`, `rs`, …)."""
    # The response's id is in each item's id: a reference leads to its document without an index.
    numbers = itertools.count()
    return lambda prefix: f"{prefix}_{response_id.removeprefix('resp_')}{next(numbers):04x}"


def response_of_item(item_id: str) -> str | None:
    """The response that an item of ours belongs to; `None` for ids that others made."""
    found = re.fullmatch(_ITEM, item_id)
    return f"resp_{found[1]}" if found else None


KIND = "response"
# Characters of JSON. Text compresses to a third or less: far from the store's limit, cheap to write with every turn.
SEGMENT_CHARACTERS = 100_000
# More would not fit any model.
MAX_SEGMENTS = 64
MAX_REFERENCED_RESPONSES = 64
# Base64 of files in one response. More fits a document only if it is hardly any content; finding out would cost a small
# function a second of compression after each answer.
MAX_FILE_CHARACTERS = 1_000_000
SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class ResponseHistory:
    """What was said before a response."""

    response_id: str | None = None
    """The last response of it."""
    earlier: Sequence[Item] = field(default=(), repr=False)
    """Items in documents that `base` leads to."""
    recent: Sequence[Item] = field(default=(), repr=False)
    """Items that the last response's document holds."""
    base: str | None = None

    @property
    def items(self) -> list[Item]:
        """All items, oldest first."""
        return [*self.earlier, *self.recent]

    def to_history(self) -> dict[str, Any]:
        """The fields that the next response's document keeps of it."""
        # Written out to be measured: the sizes of items say little about their JSON.
        if len(json.dumps(self.recent)) <= SEGMENT_CHARACTERS:
            return {"history": self.recent, "base": self.base}
        return {"history": [], "base": self.response_id}


class ResponseStore:
    """The stored responses of all keys. A key sees its own only: its id is part of every document's address."""

    def __init__(self, store: AccountStore, journal: Journal, *, ttl_days: float) -> None:
        self._store = store
        self._journal = journal
        self._ttl_seconds = ttl_days * SECONDS_PER_DAY

    @property
    def is_on(self) -> bool:
        """Whether responses are stored at all."""
        return self._ttl_seconds > 0

    async def find(self, owner: str, response_id: str) -> dict[str, Any] | None:
        """The document of a response; `None` if there is none, or it is another key's. Raises `AccountStoreError`."""
        # Anything else can't be ours, and a read of the table is paid for.
        if not is_response_id(response_id):
            return None
        return await self._store.get_document(KIND, owner, response_id)

    async def delete(self, owner: str, response_id: str) -> bool:
        """Whether there was one. What was said in it stays part of later responses' conversations.

        Raises `AccountStoreError`.
        """
        return is_response_id(response_id) and await self._store.delete_document(KIND, owner, response_id)

    async def conversation(self, owner: str, response_id: str | None) -> ResponseHistory:
        """What was said up to and with a response.

        Raises `GatewayError` (400) if any part of it is gone, `AccountStoreError`.
        """
        if response_id is None:
            return ResponseHistory()
        last = await self.find(owner, response_id)
        if last is None:
            raise _previous_not_found(response_id)
        # In the order in which it was said.
        recent = [*last["history"], *last["input"], *last["response"]["output"]]
        return ResponseHistory(response_id, await self.before(owner, last["base"]), recent, last["base"])

    async def before(self, owner: str, base: str | None) -> list[Item]:
        """The items that a chain of bases leads to, oldest first. Raises `GatewayError` (400), `AccountStoreError`."""
        segments: list[list[Item]] = []
        while base is not None:
            document = await self.find(owner, base)
            if document is None:
                raise _previous_not_found(base)
            segments.append([*document["history"], *document["input"], *document["response"]["output"]])
            if len(segments) > MAX_SEGMENTS:
                raise GatewayError(TOO_LONG, param="previous_response_id")
            base = document["base"]
        return [item for segment in reversed(segments) for item in segment]

    async def resolve(self, owner: str, items: Sequence[Item], conversation: ResponseHistory) -> list[Item]:
        """The items with every reference replaced by what it refers to; those to the conversation are left out.

        Raises `GatewayError` (404) for a reference to nothing, `AccountStoreError`.
        """
        references = {item["id"] for item in items if item["type"] == "item_reference"}
        if not references:
            return list(items)
        # Clients repeat references to what the previous response holds already.
        known = {item["id"] for item in conversation.items}
        wanted = references - known
        sources = {source for item_id in wanted if (source := response_of_item(item_id)) is not None}
        if len(sources) > MAX_REFERENCED_RESPONSES:
            raise GatewayError(TOO_LONG, param="input")
        found: dict[str, Item] = {}
        # With the caller's own key: a guessed id leads nowhere.
        for document in await asyncio.gather(*(self.find(owner, source) for source in sources)):
            if document is not None:
                found |= {item["id"]: item for item in [*document["input"], *document["response"]["output"]]}
        resolved: list[Item] = []
        for item in items:
            if item["type"] != "item_reference":
                resolved.append(item)
            elif item["id"] not in known:
                if item["id"] not in found:
                    # Cut: the id is the caller's text and may be of any length.
                    message = f"Item with id '{item['id'][:80]}' not found."
                    raise GatewayError(NOT_FOUND, message, param="input", code="item_not_found")
                resolved.append(found[item["id"]])
        return resolved

    async def put(
        self, owner: str, response: Mapping[str, Any], items: Sequence[Item], conversation: ResponseHistory
    ) -> bool:
        """Whether the response was stored. An answer that was given is not lost because it can't be."""
        # Measured before it is compressed, which would take the time of the next request.
        if sum(map(_file_characters, items)) > MAX_FILE_CHARACTERS:
            self._journal.event("response.too_large_to_store")
            return False
        document = {"response": response, "input": items, **conversation.to_history()}
        try:
            await self._store.put_document(KIND, owner, response["id"], document, ttl_seconds=self._ttl_seconds)
        # The store's word for a document that is too large for an item of the table.
        except ValueError:
            self._journal.event("response.too_large_to_store")
        except AccountStoreError as error:
            self._journal.event("response.not_stored", code=type(error).__name__)
        else:
            return True
        return False


def _file_characters(item: Item) -> int:
    """How much of an item is the content of files."""
    parts = item.get("content") or item.get("output")
    if not isinstance(parts, list):
        return 0
    found = [part.get("image_url") or part.get("file_data") for part in parts if isinstance(part, dict)]
    return sum(len(value) for value in found if isinstance(value, str))


def _previous_not_found(response_id: str) -> GatewayError:
    return invalid(
        f"Previous response with id '{response_id[:80]}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )
