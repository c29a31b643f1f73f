"""Sessions, documents and configuration in DynamoDB, and what the other parts of the store build on."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from accounts import _documents, _keys
from accounts._items import Item
from accounts._session_model import ChatSession
from accounts._table import MAX_BATCH_GET, ConditionFailed, Table, delete, put

# A configuration longer than this is stored compressed.
MAX_PLAIN_CONFIG_CHARS = 10_000


class DynamoDBRecords:
    """Sessions, documents and configuration in one DynamoDB table."""

    def __init__(
        self, table: Table, *, clock: Callable[[], float] = time.time, rng: random.Random | None = None
    ) -> None:
        self._table = table
        self._clock = clock
        # Spreading load is no secret.
        self._rng = rng or random.Random()  # noqa: S311
        # Large documents, such as the list of models, are read again and again and seldom change: what was unpacked,
        # and of what, by name.
        self._unpacked: dict[str, tuple[bytes, dict[str, Any]]] = {}

    async def get_session(self, key_id: str, session_id: str) -> ChatSession | None:
        item = await self._unexpired(_keys.session(key_id, session_id))
        return _keys.session_of(item) if item else None

    async def put_session(self, session: ChatSession, *, ttl_seconds: float) -> None:
        await self._table.write(put(_keys.session_item(session, self._clock() + ttl_seconds)))

    async def delete_session(self, key_id: str, session_id: str) -> None:
        await self._table.write(delete(_keys.session(key_id, session_id)))

    async def get_document(self, kind: str, owner: str, document_id: str) -> dict[str, Any] | None:
        item = await self._unexpired(_keys.document(kind, owner, document_id))
        return _documents.unpack(item["document"]) if item else None

    async def put_document(
        self, kind: str, owner: str, document_id: str, document: Mapping[str, Any], *, ttl_seconds: float | None
    ) -> None:
        until = None if ttl_seconds is None else self._clock() + ttl_seconds
        key = _keys.document(kind, owner, document_id)
        await self._table.write(put({**key, **_keys.lifetime(until), "document": _documents.pack(document)}))

    async def delete_document(self, kind: str, owner: str, document_id: str) -> bool:
        try:
            # The condition tells whether there was one, without a read before.
            await self._table.write(delete(_keys.document(kind, owner, document_id), "attribute_exists({pk})"))
        except ConditionFailed:
            return False
        return True

    async def get_config(self, name: str) -> dict[str, Any] | None:
        item = await self._table.get(_keys.config(name))
        return _config_of(item) if item else None

    def _configs_of(self, names: Collection[str], items: Mapping[str, Item]) -> dict[str, dict[str, Any]]:
        found = {name: items.get(_keys.config(name)["pk"]) for name in names}
        return {name: self._unpacked_config(name, item) for name, item in found.items() if item}

    def _unpacked_config(self, name: str, item: Item) -> dict[str, Any]:
        if "packed" not in item:
            return _config_of(item)
        packed = bytes(item["packed"])
        known = self._unpacked.get(name)
        if known is None or known[0] != packed:
            known = self._unpacked[name] = (packed, _config_of(item))
        # Not the one that is kept: its owner may change it.
        return dict(known[1])

    async def put_config(self, name: str, value: Mapping[str, Any]) -> None:
        text = json.dumps(dict(value))
        # Small ones stay legible in the table.
        stored = {"config": text} if len(text) <= MAX_PLAIN_CONFIG_CHARS else {"packed": _documents.pack(value)}
        await self._table.write(put({**_keys.config(name), **stored}))

    async def delete_config(self, name: str) -> bool:
        try:
            await self._table.write(delete(_keys.config(name), "attribute_exists({pk})"))
        except ConditionFailed:
            return False
        return True

    async def _items(self, keys: Sequence[_keys.Key], *, is_consistent: bool = True) -> dict[str, Item]:
        """Those of these items that there are, by their partition: for kinds that have one item in each."""
        return {item["pk"]: item for item in await self._table.get_many(keys, is_consistent=is_consistent)}

    async def _directory(
        self, partition: str, limit: int, cursor: str | None
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """One page of a directory. The cursor is the sort key of the entry before it."""
        after = {"pk": partition, "sk": cursor[:1024]} if cursor else None
        found = await self._table.query(
            "{pk} = :pk", limit=max(1, min(limit, MAX_BATCH_GET)), after=after, pk=partition
        )
        return list(found.items), str(found.next_key["sk"]) if found.next_key else None

    async def _unexpired(self, key: _keys.Key) -> Mapping[str, Any] | None:
        item = await self._table.get(key)
        # DynamoDB's TTL deletes within days, and not at the time.
        if item is None or item.get("until", self._clock() + 1) <= self._clock():
            return None
        return item


def _config_of(item: Item) -> dict[str, Any]:
    if "packed" in item:
        return _documents.unpack(item["packed"])
    value: dict[str, Any] = json.loads(item["config"])
    return value
