"""Ledger entries, requests, sums and API keys as items of the table, and back. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from accounts import _keys
from accounts._account_model import AccountKind
from accounts._alerts import Alert
from accounts._audit_model import AuditEntry
from accounts._items import Item
from accounts._key_model import ApiKey, KeyRole, Reserved
from accounts._lease_model import Intention
from accounts._ledger import Held, day_of, month_of
from accounts._ledger_model import LedgerEntry, RequestRecord, SettledBy, SettlementState, Sums

T = TypeVar("T")

LEDGER_SECONDS = 400 * 86_400
# Of a slot's item: enough to write the entry of a holder that was killed.
_INTENTION = ("key_id", "model", "surface", "request_id", "attempt", "estimate")
_RESERVED = ("points", "tokens", "day", "is_running")


def slot_attributes(owner: str, kind: AccountKind, started_at: float, until: float, held: Intention | None) -> Item:
    """What a slot item holds besides its key."""
    item: Item = {"owner": owner, "kind": kind.value, "started_at": started_at, "until": until}
    if held is not None:
        item |= {name: getattr(held, name) for name in _INTENTION}
        if held.reserved is not None:
            item["reserved"] = {name: getattr(held.reserved, name) for name in _RESERVED}
        # Only with an intention: a slot without one has nothing to book, and is simply taken again.
        item |= {"due_pk": _keys.SLOTS_PARTITION, "due_at": until}
    return item


def held_of(item: Mapping[str, Any]) -> Held:
    """What a slot item tells of its lease."""
    intention = None
    if "key_id" in item:
        reserved = Reserved(**item["reserved"]) if "reserved" in item else None
        values: dict[str, Any] = {name: item.get(name) for name in _INTENTION}
        intention = Intention(**values, reserved=reserved)
    return Held(
        account_id=_keys.account_id_of(item),
        kind=AccountKind(item["kind"]),
        owner=item["owner"],
        started_at=float(item["started_at"]),
        until=float(item["until"]),
        intention=intention,
    )


def entry_attributes(entry: LedgerEntry) -> Item:
    """All attributes of an entry's item but its key; `None` for those to be absent."""
    item = _plain(entry, "id")
    # An entry is in the index while something is to be done about it: its cost first, then its chat.
    due_pk, due_at = None, None
    if entry.settled_by is None:
        due_pk, due_at = _keys.unsettled_partition(entry.account_id), entry.started_at
    elif entry.chat_due_at is not None:
        due_pk, due_at = _keys.CHATS_PARTITION, entry.chat_due_at
    return item | {
        "due_pk": due_pk,
        "due_at": due_at,
        "expires_at": math.ceil(entry.started_at) + LEDGER_SECONDS,
    }


def entry_key(entry: LedgerEntry) -> _keys.Key:
    return _keys.ledger_entry(day_of(entry.started_at), entry.id)


SUMMED = (
    *("sk", "kind", "account_id", "key_id", "model", "started_at", "outcome", "prompt_tokens", "completion_tokens"),
    *("estimate", "reported", "settled", "settled_by"),
)
"""The attributes of an entry that its hour's sums are made of."""
_NOT_SUMMED = {"surface": "", "request_id": "", "attempt": 0}


def summed_entry_of(item: Mapping[str, Any]) -> LedgerEntry:
    """An entry of which nothing but `SUMMED` was read."""
    # The fields that were not read must have some value, which nobody looks at.
    return entry_of({**_NOT_SUMMED, **item})


def entry_of(item: Mapping[str, Any]) -> LedgerEntry:
    values = _fields_of(LedgerEntry, item) | {"id": item["sk"], "kind": AccountKind(item["kind"])}
    if "settled_by" in item:
        values["settled_by"] = SettledBy(item["settled_by"])
    return LedgerEntry(**values)


def request_item(record: RequestRecord) -> Item:
    item = _plain(record, "ttl_seconds")
    key = _keys.request(day_of(record.at), record.at, record.request_id)
    return {**key, **item, "expires_at": math.ceil(record.at + record.ttl_seconds)}


def request_of(item: Mapping[str, Any]) -> RequestRecord:
    return RequestRecord(**_fields_of(RequestRecord, item))


def audit_item(entry: AuditEntry) -> Item:
    key = _keys.audit_entry(month_of(entry.at), entry.id)
    return {**key, **_plain(entry, "id"), "expires_at": math.ceil(entry.at) + LEDGER_SECONDS}


def audit_of(item: Mapping[str, Any]) -> AuditEntry:
    values = _fields_of(AuditEntry, item) | {"id": item["sk"], "fields": tuple(item.get("fields", ()))}
    values = {"actor_id": None, "target": None} | values
    return AuditEntry(**values)


def alert_item(alert: Alert, *, expires_at: float) -> Item:
    told = dict(alert.told)
    return {**_keys.alert(alert.id), **_plain(alert), "told": told, "expires_at": math.ceil(expires_at)}


def alert_of(item: Mapping[str, Any]) -> Alert:
    values = _fields_of(Alert, item)
    return Alert(**values | {"told": {name: float(at) for name, at in item.get("told", {}).items()}})


def sums_item(sums: Sums) -> Item:
    # All names are in the key, so that summing up again replaces, and adds nothing.
    key = _keys.sums(month_of(sums.hour), sums.hour, sums.key_id, sums.model, sums.account_id)
    return {**key, **sums._asdict(), "expires_at": sums.hour + LEDGER_SECONDS}


def sums_of(item: Mapping[str, Any]) -> Sums:
    return Sums(**{name: item[name] for name in Sums._fields if name in item})


def api_key_item(key: ApiKey) -> Item:
    return {**_keys.api_key(key.hash), **_plain(key)}


def api_key_of(item: Mapping[str, Any]) -> ApiKey:
    values = _fields_of(ApiKey, item) | {"role": KeyRole(item["role"])}
    # DynamoDB has lists only, and a frozen dataclass wants what can't be changed.
    values |= {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return ApiKey(**values)


def settlement_item(account_id: str, state: SettlementState) -> Item:
    return {**_keys.settlement(account_id), **_plain(state)}


def settlement_of(item: Mapping[str, Any]) -> SettlementState:
    return SettlementState(**_fields_of(SettlementState, item))


def _plain(value: Any, *without: str) -> Item:
    """A dataclass as attributes; enumerations by their values, tuples as lists."""
    item: Item = {}
    for field in fields(value):
        if field.name in without:
            continue
        content = getattr(value, field.name)
        item[field.name] = str(content) if isinstance(content, (AccountKind, KeyRole, SettledBy)) else content
    return item


def _fields_of(kind: type[Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that are fields of the dataclass, numbers as floats where a time is meant."""
    values = {field.name: item[field.name] for field in fields(kind) if field.name in item}
    return {
        # A whole number comes back as `int`, and a time is a `float` everywhere else.
        name: float(value) if name.endswith(("_at", "_seconds", "_until")) or name in ("at", "since") else value
        for name, value in values.items()
    }
