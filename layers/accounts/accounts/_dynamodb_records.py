"""The part of the DynamoDB store that is not about accounts: API keys, sessions, documents, configuration, usage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from accounts import _api_keys, _documents, _keys
from accounts._items import Item
from accounts._memory_records import usage_counts
from accounts._model import ApiKey, ChatSession, Page, Usage
from accounts._table import MAX_BATCH_GET, ConditionFailed, Table, Write, delete, put, update

# A window outlives its minute only so that the table's own clean-up finds it.
WINDOW_SECONDS = 3_600
USAGE_SECONDS = 400 * _api_keys.DAY_SECONDS

# A configuration longer than this is stored compressed.
MAX_PLAIN_CONFIG_CHARS = 10_000


class DynamoDBRecords:
    """API keys, sessions, documents, configuration and usage aggregates in one DynamoDB table."""

    def __init__(self, table: Table, *, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock

    async def create_key(
        self,
        *,
        name: str,
        models: Sequence[str] = (),
        requests_per_minute: int | None = None,
        points_per_day: int | None = None,
        expires_at: float | None = None,
        secret: str | None = None,
    ) -> tuple[ApiKey, str]:
        secret = secret or _api_keys.new_secret()
        key = _api_keys.build_key(
            secret,
            name=name,
            models=models,
            requests_per_minute=requests_per_minute,
            points_per_day=points_per_day,
            expires_at=expires_at,
            now=self._clock(),
        )
        await self._table.write(
            put(_keys.api_key_item(key)),
            put({**_keys.key_entry(key.id), "hash": key.hash}),
        )
        return key, secret

    async def find_key(self, secret: str) -> ApiKey | None:
        return self._usable_key(
            await self._table.get(_keys.api_key(_api_keys.hash_secret(secret)), is_consistent=False)
        )

    async def find_key_and_configs(
        self, secret: str, names: Collection[str]
    ) -> tuple[ApiKey | None, dict[str, dict[str, Any]]]:
        key = _keys.api_key(_api_keys.hash_secret(secret))
        items = await self._items([key, *map(_keys.config, names)])
        return self._usable_key(items.get(key["pk"])), _configs(names, items)

    async def list_keys(self, *, limit: int = 50, cursor: str | None = None) -> Page[ApiKey]:
        entries, next_cursor = await self._directory(_keys.KEYS_DIRECTORY, limit, cursor)
        items = await self._table.get_many([_keys.api_key(entry["hash"]) for entry in entries])
        return Page(sorted(map(_keys.api_key_of, items), key=lambda key: key.id), next_cursor)

    async def revoke_key(self, key_id: str) -> bool:
        entry = await self._table.get(_keys.key_entry(key_id))
        if entry is None:
            return False
        await self._table.write(delete(_keys.api_key(entry["hash"])), delete(_keys.key_entry(key_id)))
        return True

    async def count_request(self, key: ApiKey, answers: int = 1) -> _api_keys.OverLimit | None:
        now = self._clock()
        if key.points_per_day is not None and await self._points_spent(key.id, now) >= key.points_per_day:
            return _api_keys.over_budget(now)
        if key.requests_per_minute is None:
            return None
        if answers > key.requests_per_minute:
            return _api_keys.over_rate(now)
        window = update(
            _keys.rate_window(key.hash, _api_keys.minute_of(now)),
            "SET {expires_at} = :expires_at ADD {requests} :answers",
            "attribute_not_exists({requests}) OR {requests} <= :room",
            expires_at=int(now) + WINDOW_SECONDS,
            answers=answers,
            room=key.requests_per_minute - answers,
        )
        try:
            await self._table.write(window)
        except ConditionFailed:
            return _api_keys.over_rate(now)
        return None

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
            await self._table.write(delete(_keys.document(kind, owner, document_id), "attribute_exists({pk})"))
        except ConditionFailed:
            return False
        return True

    async def get_config(self, name: str) -> dict[str, Any] | None:
        item = await self._table.get(_keys.config(name))
        return _config_of(item) if item else None

    async def get_configs(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        return _configs(names, await self._items([*map(_keys.config, names)]))

    async def put_config(self, name: str, value: Mapping[str, Any]) -> None:
        text = json.dumps(dict(value))
        # Small ones stay legible in the table.
        stored = {"config": text} if len(text) <= MAX_PLAIN_CONFIG_CHARS else {"packed": _documents.pack(value)}
        await self._table.write(put({**_keys.config(name), **stored}))

    async def usage(self, *, day: str, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        rows = await self._usage_rows("{pk} = :day", limit, day=_keys.usage_day(day))
        names = ("key_id", "model", "requests", "errors", "prompt_tokens", "completion_tokens", "points")
        return [{name: row[name] for name in names} for row in rows]

    def _usable_key(self, item: Item | None) -> ApiKey | None:
        key = _keys.api_key_of(item) if item else None
        return key if key is not None and _api_keys.is_usable(key, self._clock()) else None

    async def _items(self, keys: Sequence[_keys.Key]) -> dict[str, Item]:
        """Those of these items that there are, by their partition: for kinds that have one item in each."""
        return {item["pk"]: item for item in await self._table.get_many(keys)}

    def _booking(self, usage: Usage, now: float) -> Write:
        """The write that adds one request to its day's aggregate."""
        counts: dict[str, Any] = usage_counts(usage)
        return update(
            _keys.usage(_api_keys.utc_day(now), usage.key_id, usage.model),
            "SET {expires_at} = :expires_at, {key_id} = :key_id, {model} = :model ADD "
            + ", ".join(f"{{{name}}} :{name}" for name in counts),
            expires_at=int(now) + USAGE_SECONDS,
            key_id=usage.key_id,
            model=usage.model,
            **counts,
        )

    async def _points_spent(self, key_id: str, now: float) -> int:
        rows = await self._usage_rows(
            "{pk} = :day AND begins_with({sk}, :key)",
            1000,
            day=_keys.usage_day(_api_keys.utc_day(now)),
            key=_keys.usage_prefix(key_id),
        )
        return sum(int(row["points"]) for row in rows)

    async def _usage_rows(self, condition: str, limit: int, **values: Any) -> list[Mapping[str, Any]]:
        rows: list[Mapping[str, Any]] = []
        after: Mapping[str, Any] | None = None
        while len(rows) < limit:
            found = await self._table.query(condition, limit=limit - len(rows), after=after, **values)
            rows += found.items
            if (after := found.next_key) is None:
                break
        return rows

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
        if item is None or item.get("until", self._clock() + 1) <= self._clock():
            return None
        return item


def _configs(names: Collection[str], items: Mapping[str, Item]) -> dict[str, dict[str, Any]]:
    found = {name: items.get(_keys.config(name)["pk"]) for name in names}
    return {name: _config_of(item) for name, item in found.items() if item}


def _config_of(item: Item) -> dict[str, Any]:
    if "packed" in item:
        return _documents.unpack(item["packed"])
    value: dict[str, Any] = json.loads(item["config"])
    return value
