"""Keys and attributes of the table: how they are spelled, and how an account is written and read.

    pk                      sk                  what
    ACCOUNT#id              META                the account, its sealed credentials and session data
    ACCOUNT#id              SLOT#k              a lease: owner, until
    ACCOUNT#id              BOT#handle          a bot not to be asked through this account, until
    DIRECTORY#accounts      kind#label digest   one account per kind and label; what lists are read from
    DIRECTORY#keys          key id              the hash of the key with this id
    KEY#hash                META                an API key
    KEY#hash                WINDOW#minute       requests counted in one minute
    SESSION#key#session     META                a conversation
    DOCUMENT#kind#owner#id  META                a compressed JSON document
    CONFIG#name             META                a configuration item, as JSON
    USAGE#day               key#model           what a key consumed with a model on one UTC day

Index `selectable` (sel_pk, eligible_at) holds the active accounts. Its sort value is the account's *place*:

    [0, 1)      official, may be chosen, not known to lack a subscription; the place is random
    [1, 2)      official, may be chosen, has no subscription; random as well
    [2, 4)      the same for web accounts
    later       waits until that time (epoch seconds), and may be chosen from then on

A new random place with every change of the account spreads load over any number of accounts: a query that starts
anywhere finds as good a sample as any other, and one query from the start finds a fleet whole that fits one page, of
whatever kinds. That is why there is one partition: with shards, or a partition per kind, the single account of a
small fleet would take several reads to find. DynamoDB splits it by place where load demands that.

Index `due` (due_pk, due_at) holds all accounts but disabled ones by the time of their next reading. It has one
partition, because "the longest overdue first" is an order over all: at 1,000 writes a second it serves some 300
accounts read per second, more than any one run reads.

The table's TTL attribute `expires_at` is whole seconds; it only tidies up. What counts is compared to `until`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from accounts._identity import normal_label
from accounts._items import Item
from accounts._model import Account, AccountKind, AccountState, ApiKey, ChatSession, Points

SELECTABLE_INDEX = "selectable"
DUE_INDEX = "due"
META = "META"
DUE_PARTITION = "due#0"
ACCOUNTS_DIRECTORY = "DIRECTORY#accounts"
KEYS_DIRECTORY = "DIRECTORY#keys"

SELECTABLE_PARTITION = "selectable#0"

# Where the places of each kind begin: for accounts that may be subscribed, then for those that are not.
KIND_PLACES = {AccountKind.OFFICIAL: 0.0, AccountKind.WEB: 2.0}
FREE_OFFSET = 1.0
PLACES_END = 4.0

# A partition key may have 2,048 bytes, a sort key 1,024.
MAX_PART_BYTES = 256

Key = dict[str, str]


def account(account_id: str) -> Key:
    return _key(f"ACCOUNT#{_part(account_id)}", META)


def slot(account_id: str, number: int) -> Key:
    return _key(f"ACCOUNT#{_part(account_id)}", f"SLOT#{number}")


def bot_limit(account_id: str, bot: str) -> Key:
    return _key(f"ACCOUNT#{_part(account_id)}", f"BOT#{_part(bot.lower())}")


def directory_entry(kind: AccountKind, label: str) -> Key:
    digest = hashlib.sha256(normal_label(label).encode()).hexdigest()
    return _key(ACCOUNTS_DIRECTORY, f"{kind.value}#{digest[:32]}")


def key_entry(key_id: str) -> Key:
    return _key(KEYS_DIRECTORY, _part(key_id))


def api_key(key_hash: str) -> Key:
    return _key(f"KEY#{key_hash}", META)


def rate_window(key_hash: str, minute: int) -> Key:
    return _key(f"KEY#{key_hash}", f"WINDOW#{minute}")


def session(key_id: str, session_id: str) -> Key:
    return _key(f"SESSION#{_part(key_id)}#{_part(session_id)}", META)


def document(kind: str, owner: str, document_id: str) -> Key:
    return _key(f"DOCUMENT#{_part(kind)}#{_part(owner)}#{_part(document_id)}", META)


def config(name: str) -> Key:
    return _key(f"CONFIG#{_part(name)}", META)


def usage_day(day: str) -> str:
    return f"USAGE#{_part(day)}"


def usage(day: str, key_id: str, model: str) -> Key:
    return _key(usage_day(day), f"{usage_prefix(key_id)}{_part(model)}")


def usage_prefix(key_id: str) -> str:
    return f"{_part(key_id)}#"


def place_of(account: Account, now: float, chance: float) -> float:
    """The account's sort value in the index of selectable accounts. `chance` is random in [0, 1)."""
    if account.eligible_at > now:
        return account.eligible_at
    return KIND_PLACES[account.kind] + (FREE_OFFSET if account.subscribed is False else 0.0) + chance


def places_of(kind: AccountKind, *, subscribed_only: bool) -> tuple[float, float]:
    """Between which places the accounts of a kind are that may be chosen at once."""
    low = KIND_PLACES[kind]
    return low, low + (FREE_OFFSET if subscribed_only else 2 * FREE_OFFSET)


def account_attributes(account: Account, place: float) -> Item:
    """All attributes of an account's item that follow from the account; `None` for those to be absent."""
    points = account.points
    return {
        "sel_pk": SELECTABLE_PARTITION if account.state is AccountState.ACTIVE else None,
        "eligible_at": place,
        "due_pk": None if account.state is AccountState.DISABLED else DUE_PARTITION,
        "due_at": account.refresh_due_at,
        "account_id": account.id,
        "kind": account.kind.value,
        "label": account.label,
        "account_state": account.state.value,
        "waits_until": account.eligible_at,
        "balance": points.balance if points else None,
        "read_at": points.read_at if points else None,
        "allotment": points.allotment if points else None,
        "next_grant_at": points.next_grant_at if points else None,
        "subscribed": account.subscribed,
        "max_concurrency": account.max_concurrency,
        "consecutive_errors": account.consecutive_errors,
        "last_error": account.last_error,
        "last_used_at": account.last_used_at,
        "created_at": account.created_at,
        "updated_at": account.updated_at,
        "version": account.version,
        "credentials_version": account.credentials_version,
    }


def account_of(item: Mapping[str, Any]) -> Account:
    """The account that an item holds."""
    points = None
    if item.get("balance") is not None:
        points = Points(
            int(item["balance"]), float(item["read_at"]), item.get("allotment"), _time(item, "next_grant_at")
        )
    return Account(
        id=item["account_id"],
        kind=AccountKind(item["kind"]),
        label=item["label"],
        state=AccountState(item["account_state"]),
        eligible_at=float(item["waits_until"]),
        points=points,
        subscribed=item.get("subscribed"),
        max_concurrency=int(item["max_concurrency"]),
        consecutive_errors=int(item["consecutive_errors"]),
        last_error=item.get("last_error"),
        last_used_at=_time(item, "last_used_at"),
        refresh_due_at=float(item["due_at"]),
        created_at=float(item["created_at"]),
        updated_at=float(item["updated_at"]),
        version=int(item["version"]),
        credentials_version=int(item["credentials_version"]),
    )


def account_id_of(key: Mapping[str, Any]) -> str:
    """The id in an account's key, which is all that the index of due accounts holds."""
    return str(key["pk"]).partition("#")[2].replace("%23", "#").replace("%25", "%")


def api_key_item(key: ApiKey) -> Item:
    return {
        **api_key(key.hash),
        "key_id": key.id,
        "key_name": key.name,
        "hash": key.hash,
        "enabled": key.enabled,
        "models": list(key.models),
        "requests_per_minute": key.requests_per_minute,
        "points_per_day": key.points_per_day,
        "until": key.expires_at,
        "created_at": key.created_at,
    }


def api_key_of(item: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        id=item["key_id"],
        name=item["key_name"],
        hash=item["hash"],
        enabled=item["enabled"],
        models=tuple(item["models"]),
        requests_per_minute=item.get("requests_per_minute"),
        points_per_day=item.get("points_per_day"),
        expires_at=_time(item, "until"),
        created_at=float(item["created_at"]),
    )


def session_item(chat: ChatSession, until: float) -> Item:
    return {
        **session(chat.key_id, chat.session_id),
        **lifetime(until),
        "key_id": chat.key_id,
        "session_id": chat.session_id,
        "account_id": chat.account_id,
        "model": chat.model,
        "chat_id": chat.chat_id,
        "chat_code": chat.chat_code,
        "turns": chat.turns,
        "digest": chat.digest,
        "updated_at": chat.updated_at,
    }


def session_of(item: Mapping[str, Any]) -> ChatSession:
    return ChatSession(
        key_id=item["key_id"],
        session_id=item["session_id"],
        account_id=item["account_id"],
        model=item["model"],
        chat_id=int(item["chat_id"]),
        chat_code=item.get("chat_code"),
        turns=int(item["turns"]),
        digest=item["digest"],
        updated_at=float(item["updated_at"]),
    )


def lifetime(until: float | None) -> Item:
    """The attributes of an item that ends at a time: exact for us, in whole seconds for the table's TTL."""
    return {} if until is None else {"until": until, "expires_at": math.ceil(until)}


def _key(pk: str, sk: str) -> Key:
    return {"pk": pk, "sk": sk}


def _part(text: str) -> str:
    """A part of a key that can't be mistaken for two, and has a bounded length."""
    if len(text.encode()) > MAX_PART_BYTES or not text:
        return "sha256-" + hashlib.sha256(text.encode()).hexdigest()
    return text.replace("%", "%25").replace("#", "%23")


def _time(item: Mapping[str, Any], name: str) -> float | None:
    value = item.get(name)
    return None if value is None else float(value)
