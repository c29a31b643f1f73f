"""API keys and their limits in DynamoDB."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, Unpack

from accounts import _api_keys, _budgets, _keys
from accounts._account_model import AccountKind
from accounts._dynamodb_audit import DynamoDBAudit
from accounts._exceptions import ConflictError, KeyNotFoundError
from accounts._items import Item
from accounts._key_model import Admission, ApiKey, KeySettings, KeyUse, OverLimit, Reservation, Reserved
from accounts._ledger import budget_points, tokens_of
from accounts._page import Page
from accounts._records_items import api_key_item, api_key_of, entry_of
from accounts._table import ConditionFailed, Table, Write, delete, put, update

MAX_RACES = 8
IS_ABSENT = "attribute_not_exists({pk})"
MAX_REPAIRS = 10


class DynamoDBKeys(DynamoDBAudit):
    """API keys, what they may consume and what they have."""

    def __init__(
        self, table: Table, *, clock: Callable[[], float] = time.time, rng: random.Random | None = None
    ) -> None:
        super().__init__(table, clock=clock, rng=rng)
        # How many accounts there are, as far as this process knows. It is read together with keys.
        self._fleet: dict[AccountKind, int] = {}
        # Counters to remove with the next update, by key.
        self._stale: dict[str, set[str]] = {}

    async def create_key(self, *, secret: str | None = None, **settings: Unpack[KeySettings]) -> tuple[ApiKey, str]:
        secret = secret or _api_keys.new_secret()
        key = _api_keys.build_key(secret, now=self._clock(), **settings)
        await self._table.write(
            put(api_key_item(key)),
            # Two items: one is found by the secret's hash, the other by the id, which outlives secrets.
            put({**_keys.key_entry(key.id), "hash": key.hash, "version": key.version}),
        )
        return key, secret

    async def get_key(self, key_id: str) -> ApiKey:
        return await self._current_key(await self._key_entry(key_id))

    async def update_key(
        self, key_id: str, *, expected_version: int | None = None, **changes: Unpack[KeySettings]
    ) -> ApiKey:
        for _ in range(MAX_RACES):
            entry = await self._key_entry(key_id)
            before = await self._current_key(entry)
            if expected_version not in (None, before.version):
                raise ConflictError("the key was changed meanwhile")
            after = _api_keys.change_key(before, **changes)
            # A secret that is about to end keeps its own end.
            copies = [replace(after, hash=x["hash"], secret_expires_at=x["until"]) for x in entry.get("previous", ())]
            try:
                await self._table.write(
                    self._entry_write(entry, after), *(put(api_key_item(key)) for key in [after, *copies])
                )
            except ConditionFailed:
                continue
            return after
        raise ConflictError("the key is being changed by others all the time")

    async def rotate_key(self, key_id: str, *, overlap_seconds: float) -> tuple[ApiKey, str]:
        secret = _api_keys.new_secret()
        for _ in range(MAX_RACES):
            now = self._clock()
            entry = await self._key_entry(key_id)
            before = await self._current_key(entry)
            # The id stays: budgets, ledger and logs go on.
            after = replace(before, hash=_api_keys.hash_secret(secret), version=before.version + 1)
            ending = [x for x in entry.get("previous", ()) if x["until"] > now]
            # Deleted along with this write, so that ended secrets do not pile up.
            ended = [x for x in entry.get("previous", ()) if x["until"] <= now]
            ending.append({"hash": before.hash, "until": now + max(overlap_seconds, 0.0)})
            copies = [put(api_key_item(replace(after, hash=x["hash"], secret_expires_at=x["until"]))) for x in ending]
            try:
                await self._table.write(
                    self._entry_write(entry, after, ending),
                    put(api_key_item(after)),
                    *copies,
                    *(delete(_keys.api_key(x["hash"])) for x in ended),
                )
            except ConditionFailed:
                continue
            return after, secret
        raise ConflictError("the key is being changed by others all the time")

    async def find_key(self, secret: str) -> ApiKey | None:
        key, _ = await self._find_key(secret, ())
        return key

    async def find_key_and_configs(
        self, secret: str, names: Collection[str]
    ) -> tuple[ApiKey | None, dict[str, dict[str, Any]]]:
        return await self._find_key(secret, names)

    async def _find_key(self, secret: str, names: Collection[str]) -> tuple[ApiKey | None, dict[str, dict[str, Any]]]:
        key = _keys.api_key(_api_keys.hash_secret(secret))
        # How large the fleet is decides how accounts are looked for; here it costs no call of its own.
        items = await self._items([key, _keys.fleet(), *map(_keys.config, names)])
        self._learn_fleet(items.get(_keys.fleet()["pk"]))
        item = items.get(key["pk"])
        found = api_key_of(item) if item else None
        # A disabled or expired key is answered like an unknown one.
        is_usable = found is not None and _api_keys.is_usable(found, self._clock())
        return found if is_usable else None, self._configs_of(names, items)

    async def get_keys(self, key_ids: Collection[str]) -> dict[str, ApiKey]:
        entries = await self._table.get_many([_keys.key_entry(key_id) for key_id in set(key_ids)])
        items = await self._table.get_many([_keys.api_key(entry["hash"]) for entry in entries])
        return {key.id: key for key in map(api_key_of, items)}

    async def list_keys(self, *, limit: int = 50, cursor: str | None = None) -> Page[ApiKey]:
        entries, next_cursor = await self._directory(_keys.KEYS_DIRECTORY, limit, cursor)
        items = await self._table.get_many([_keys.api_key(entry["hash"]) for entry in entries])
        return Page(sorted(map(api_key_of, items), key=lambda key: key.id), next_cursor)

    async def revoke_key(self, key_id: str) -> bool:
        entry = await self._table.get(_keys.key_entry(key_id))
        if entry is None:
            return False
        # Earlier secrets, too: a revoked key must not live on by one that is still in its overlap.
        hashes = [entry["hash"], *(previous["hash"] for previous in entry.get("previous", ()))]
        await self._table.write(*(delete(_keys.api_key(h)) for h in hashes), delete(_keys.key_entry(key_id)))
        return True

    # Limits.

    async def count_request(self, key: ApiKey, answers: int = 1) -> OverLimit | None:
        # Most keys have no limits, and cost no write.
        if key.requests_per_minute is None and not key.has_budget:
            return None
        return (await self.reserve_budget(key, Reservation(owners=(), requests=answers))).over

    async def reserve_budget(self, key: ApiKey, wanted: Reservation) -> Admission:
        if len(wanted.owners) > _budgets.MAX_OWNERS:
            raise ValueError(f"at most {_budgets.MAX_OWNERS} sends can be reserved at once")
        if not key.is_limited:
            return Admission(over=None, use=KeyUse(at=self._clock()))
        is_repaired, stale = False, self._stale.pop(key.id, set())
        for _ in range(MAX_RACES):
            now = self._clock()
            if (change := _budgets.reserve(key, wanted, now, stale)) is None:
                item = await self._table.get(_keys.limits(key.id)) or {}
                return Admission(over=_budgets.reached(key, item, wanted, now), use=_budgets.use_of(item, now))
            reserved = _budgets.reserved(key, wanted, now)
            try:
                item = await self._table.change(self._limits_write(key.id, change))
            except ConditionFailed as failed:
                item = failed.found.get(0) or {}
                # Only the answer to the write before was lost: reserving again would count it twice.
                if (earlier := _budgets.reserved_before(item, wanted)) is not None:
                    return Admission(over=None, use=_budgets.use_of(item, now), reserved=earlier)
                # Before a refusal: reservations of killed holders must not keep the key out.
                if not is_repaired and await self._repair(key.id, item, now):
                    is_repaired = True
                    continue
                if (over := _budgets.reached(key, item, wanted, now)) is None:
                    continue  # The window changed in between.
                return Admission(over=over, use=_budgets.use_of(item, now))
            # Removed with the next update, which is written anyway.
            self._stale[key.id] = _budgets.stale_counters(item, now)
            is_held = bool(wanted.owners) and (key.has_budget or reserved.is_running)
            return Admission(over=None, use=_budgets.use_of(item, now), reserved=reserved if is_held else None)
        raise ConflictError("the key's limits are being changed by others all the time")

    async def cancel_reservation(self, key_id: str, owner: str) -> None:
        await self._correct(key_id, owner, points=0, tokens=0)

    async def key_use(self, key_id: str) -> KeyUse:
        now = self._clock()
        return _budgets.use_of(await self._table.get(_keys.limits(key_id)) or {}, now)

    async def key_uses(self, key_ids: Collection[str]) -> dict[str, KeyUse]:
        now = self._clock()
        keys = {key_id: _keys.limits(key_id) for key_id in key_ids}
        items = await self._items(list(keys.values()))
        return {key_id: _budgets.use_of(items.get(key["pk"], {}), now) for key_id, key in keys.items()}

    async def repair_limits(self, key_id: str) -> int:
        item = await self._table.get(_keys.limits(key_id)) or {}
        return await self._repair(key_id, item, self._clock())

    async def _repair(self, key_id: str, item: Item, now: float) -> int:
        """Replace reservations whose holders were killed by what their entries say; returns how many."""
        expired = list(_budgets.expired(item, now).items())[:MAX_REPAIRS]
        for attribute, held in expired:
            entry = await self._entry_of_owner(key_id, held["o"], until=float(held["u"]))
            # Without an entry no account was leased, so that nothing was spent.
            points = 0 if entry is None else budget_points(entry_of(entry), held["p"])
            tokens = 0 if entry is None else tokens_of(entry_of(entry), held["t"])
            change = _budgets.correct(attribute, held, points=points, tokens=tokens)
            try:
                await self._table.write(self._limits_write(key_id, change))
            except ConditionFailed:
                continue
        return len(expired)

    async def _entry_of_owner(self, key_id: str, owner: str, *, until: float) -> Item | None:
        """The ledger entry of a lease that began before `until`."""
        raise NotImplementedError

    async def _correct(
        self,
        key_id: str,
        owner: str,
        *,
        points: int | None,
        tokens: int | None,
        expected: Reserved | None = None,
        succeeded_at: float | None = None,
    ) -> bool:
        """Replace a reservation by what was consumed; `None` keeps what was reserved. `False` if there is none.

        `expected` saves reading it first. `succeeded_at` is when the send was answered.
        """
        attribute = _budgets.reservation_name(owner)
        held = _budgets.held_of(expected) if expected is not None else await self._reservation(key_id, attribute)
        for _ in range(MAX_RACES):
            if held is None:
                return False
            change = _budgets.correct(
                attribute,
                held,
                points=held["p"] if points is None else points,
                tokens=held["t"] if tokens is None else tokens,
                succeeded_at=succeeded_at,
            )
            try:
                await self._table.write(self._limits_write(key_id, change))
            except ConditionFailed as failed:
                # Gone, it was corrected before; changed, it is tried with what it is now.
                held = (failed.found.get(0) or {}).get(attribute)
                continue
            return True
        raise ConflictError("the key's limits are being changed by others all the time")

    async def _reservation(self, key_id: str, attribute: str) -> Item | None:
        held: Item | None = (await self._table.get(_keys.limits(key_id)) or {}).get(attribute)
        return held

    def _limits_write(self, key_id: str, change: _budgets.Update) -> Write:
        return update(_keys.limits(key_id), change.expression, change.condition, names=change.names, **change.values)

    def _entry_write(self, entry: Item, after: ApiKey, previous: list[Any] | None = None) -> Write:
        kept = previous if previous is not None else entry.get("previous")
        item = {**_keys.key_entry(after.id), "hash": after.hash, "version": after.version, "previous": kept}
        return put(item, "{version} = :expected", expected=entry["version"])

    async def get_configs(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        if not names:
            return {}
        items = await self._items([_keys.fleet(), *map(_keys.config, names)])
        self._learn_fleet(items.get(_keys.fleet()["pk"]))
        return self._configs_of(names, items)

    def known_kinds(self) -> frozenset[AccountKind]:
        return frozenset(kind for kind in AccountKind if self._fleet.get(kind, 1))

    def _learn_fleet(self, item: Item | None) -> None:
        if item is not None:
            self._fleet = {kind: int(item.get(kind.value, 0)) for kind in AccountKind}

    async def _key_entry(self, key_id: str) -> Item:
        entry = await self._table.get(_keys.key_entry(key_id))
        if entry is None:
            raise KeyNotFoundError("there is no API key with this id")
        return entry

    async def _current_key(self, entry: Item) -> ApiKey:
        item = await self._table.get(_keys.api_key(entry["hash"]))
        if item is None:
            raise KeyNotFoundError("there is no API key with this id")
        return api_key_of(item)
