"""The part of the in-memory store that is not about accounts: API keys, sessions, documents, configuration, usage."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from accounts import _api_keys, _documents
from accounts._model import ApiKey, ChatSession, Page, Usage

T = TypeVar("T")


class InMemoryRecords:
    """API keys, sessions, documents, configuration and usage aggregates in plain dictionaries."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}
        self._windows: dict[tuple[str, int], int] = {}
        self._sessions: dict[tuple[str, str], tuple[float, ChatSession]] = {}
        self._stored_documents: dict[tuple[str, str, str], tuple[float | None, bytes]] = {}
        self._config: dict[str, dict[str, Any]] = {}
        self._usage: dict[tuple[str, str, str], dict[str, int]] = {}

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
        self._keys[key.hash] = key
        return key, secret

    async def find_key(self, secret: str) -> ApiKey | None:
        key = self._keys.get(_api_keys.hash_secret(secret))
        return key if key is not None and _api_keys.is_usable(key, self._clock()) else None

    async def find_key_and_configs(
        self, secret: str, names: Collection[str]
    ) -> tuple[ApiKey | None, dict[str, dict[str, Any]]]:
        return await self.find_key(secret), await self.get_configs(names)

    async def list_keys(self, *, limit: int = 50, cursor: str | None = None) -> Page[ApiKey]:
        return page_of({key.id: key for key in self._keys.values()}, limit, cursor)

    async def revoke_key(self, key_id: str) -> bool:
        found = [key.hash for key in self._keys.values() if key.id == key_id]
        for digest in found:
            del self._keys[digest]
        return bool(found)

    async def count_request(self, key: ApiKey, answers: int = 1) -> _api_keys.OverLimit | None:
        now = self._clock()
        if key.points_per_day is not None and self._points_spent(key.id, now) >= key.points_per_day:
            return _api_keys.over_budget(now)
        if key.requests_per_minute is None:
            return None
        window = key.hash, _api_keys.minute_of(now)
        if self._windows.get(window, 0) + answers > key.requests_per_minute:
            return _api_keys.over_rate(now)
        self._windows = {kept: count for kept, count in self._windows.items() if kept[1] == window[1]}
        self._windows[window] = self._windows.get(window, 0) + answers
        return None

    async def get_session(self, key_id: str, session_id: str) -> ChatSession | None:
        expires_at, session = self._sessions.get((key_id, session_id), (0.0, None))
        return session if expires_at > self._clock() else None

    async def put_session(self, session: ChatSession, *, ttl_seconds: float) -> None:
        self._sessions[session.key_id, session.session_id] = (self._clock() + ttl_seconds, session)

    async def delete_session(self, key_id: str, session_id: str) -> None:
        self._sessions.pop((key_id, session_id), None)

    async def get_document(self, kind: str, owner: str, document_id: str) -> dict[str, Any] | None:
        found = self._stored_documents.get((kind, owner, document_id))
        if found is None or (found[0] is not None and found[0] <= self._clock()):
            return None
        return _documents.unpack(found[1])

    async def put_document(
        self, kind: str, owner: str, document_id: str, document: Mapping[str, Any], *, ttl_seconds: float | None
    ) -> None:
        expires_at = None if ttl_seconds is None else self._clock() + ttl_seconds
        self._stored_documents[kind, owner, document_id] = (expires_at, _documents.pack(document))

    async def delete_document(self, kind: str, owner: str, document_id: str) -> bool:
        return self._stored_documents.pop((kind, owner, document_id), None) is not None

    async def get_config(self, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self._config.get(name))

    async def get_configs(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        return {name: copy.deepcopy(self._config[name]) for name in names if name in self._config}

    async def put_config(self, name: str, value: Mapping[str, Any]) -> None:
        _documents.pack(value)
        self._config[name] = copy.deepcopy(dict(value))

    async def usage(self, *, day: str, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        rows = [
            {"key_id": key_id, "model": model, **counts}
            for (booked_day, key_id, model), counts in sorted(self._usage.items())
            if booked_day == day
        ]
        return rows[:limit]

    def _book(self, usage: Usage, now: float) -> None:
        row = self._usage.setdefault((_api_keys.utc_day(now), usage.key_id, usage.model), dict.fromkeys(_COUNTS, 0))
        for name, amount in usage_counts(usage).items():
            row[name] += amount

    def _points_spent(self, key_id: str, now: float) -> int:
        day = _api_keys.utc_day(now)
        return sum(row["points"] for (d, k, _), row in self._usage.items() if (d, k) == (day, key_id))


_COUNTS = ("requests", "errors", "prompt_tokens", "completion_tokens", "points")


def usage_counts(usage: Usage) -> dict[str, int]:
    """What one request adds to its day's aggregate."""
    amounts = (1, int(usage.is_error), usage.prompt_tokens, usage.completion_tokens, usage.points)
    return dict(zip(_COUNTS, amounts, strict=True))


def page_of(values: Mapping[str, T], limit: int, cursor: str | None) -> Page[T]:
    """The part of a mapping, sorted by name, that follows the cursor."""
    names = sorted(name for name in values if cursor is None or name > cursor)
    shown = names[:limit]
    return Page([values[name] for name in shown], shown[-1] if len(names) > limit else None)
