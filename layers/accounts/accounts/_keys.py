"""Keys and attributes of the table: how they are spelled, and how an account is written and read.

    pk                      sk                  what
    ACCOUNT#id              META                the account, its sealed credentials and session data
    ACCOUNT#id              SLOT#k              a lease: owner, until, and what it is about to spend
    ACCOUNT#id              SETTLEMENT          how far the account's points history was read
    ACCOUNT#id              BALANCE#day         the last balance of a day with a change, kept for some weeks
    DIRECTORY#accounts      kind#label digest   one account per kind and label; what lists are read from
    DIRECTORY#keys          key id              the hashes of the secrets of the key with this id
    KEY#hash                META                an API key, under each of its secrets
    LIMITS#key id           META                counters and reservations of a key
    LEDGER#day              time#owner          one send and its cost
    REQUESTS#day            time#request id     one request of a caller
    AUDIT#month             time#random         one change by the administration
    SUMS#month              hour#key#model#account   what the entries of one hour add up to
    SUMS#open               hour                an hour to be summed up again
    SUMS#days               day                 the sums of the hours of a day, packed
    REQUESTS#days           day                 how many requests there were, packed
    SESSION#key#session     META                a conversation
    DOCUMENT#kind#owner#id  META                a compressed JSON document
    CONFIG#name             META                a configuration item, as JSON, or sealed
    ALERTS                  alert id            what the owner was told of, or is to be
    FLEET                   META                how many accounts there are, by kind

Index `selectable` (sel_pk, eligible_at) holds the active accounts. Its sort value is the account's *place*:

    [0, 2)      official, may be chosen; the place is random
    [2, 4)      web, may be chosen; random as well
    later       waits until that time (epoch seconds), and may be chosen from then on

Places spread accounts evenly over any number: a page read from a random place is a fair sample, and one query from the
start finds a fleet whole that fits one page, of whatever kinds. That is why there is one partition: with shards, or a
partition per kind, the single account of a small fleet would take several reads to find. DynamoDB splits it by place
where load demands that. An account keeps its place for some hours, however often it is used: a new one with every use
would take the busy ones away from where pages begin often, and so take uses from those that should have most.

Index `due` (due_pk, due_at) has what the scheduled job looks for, by time:

    due#0             accounts but disabled ones, by their next reading. One partition, because "the longest overdue
                      first" is an order over all: at 1,000 writes a second it serves some 300 accounts read per second
    slots#0           held slots, by the first expiry of their leases: a killed holder's is found here
    unsettled#account ledger entries whose final cost is not known, by the time at which they began
    chats#0           settled ledger entries whose chat was not deleted yet, by the end of its answer

The table's TTL attribute `expires_at` is whole seconds; it only tidies up. What counts is compared to `until`. A slot
has none: it holds the beginning of a ledger entry.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from accounts._account_model import Account, AccountKind, AccountState, BotLimit, Points
from accounts._identity import normal_label
from accounts._items import Item
from accounts._session_model import ChatSession

SELECTABLE_INDEX = "selectable"
DUE_INDEX = "due"
META = "META"
DUE_PARTITION = "due#0"
ACCOUNTS_DIRECTORY = "DIRECTORY#accounts"
KEYS_DIRECTORY = "DIRECTORY#keys"
SLOTS_PARTITION = "slots#0"
CHATS_PARTITION = "chats#0"
OPEN_HOURS = "SUMS#open"
SUMS_DAYS = "SUMS#days"
REQUEST_DAYS = "REQUESTS#days"
ALERTS = "ALERTS"

SELECTABLE_PARTITION = "selectable#0"

# Where the places of each kind begin.
KIND_SPAN = 2.0
KIND_PLACES = {kind: number * KIND_SPAN for number, kind in enumerate(AccountKind)}
PLACE_SECONDS = 6 * 3_600
PLACES_END = KIND_SPAN * len(AccountKind)

_BALANCE = "BALANCE#"
LAST_BALANCE = f"{_BALANCE}~"
"""Behind every day."""

# A partition key may have 2,048 bytes, a sort key 1,024.
MAX_PART_BYTES = 256

Key = dict[str, str]


def account(account_id: str) -> Key:
    return _key(f"ACCOUNT#{_part(account_id)}", META)


def slot(account_id: str, number: int) -> Key:
    return _key(f"ACCOUNT#{_part(account_id)}", f"SLOT#{number}")


def settlement(account_id: str) -> Key:
    return _key(f"ACCOUNT#{_part(account_id)}", "SETTLEMENT")


def day_balance(account_id: str, day: str) -> Key:
    return _key(f"ACCOUNT#{_part(account_id)}", f"{_BALANCE}{day}")


def day_of_balance(item: Mapping[str, Any]) -> str:
    return str(item["sk"]).removeprefix(_BALANCE)


def directory_entry(kind: AccountKind, label: str) -> Key:
    # A digest: labels are e-mail addresses, and may be longer than a key.
    digest = hashlib.sha256(normal_label(label).encode()).hexdigest()
    return _key(ACCOUNTS_DIRECTORY, f"{kind.value}#{digest[:32]}")


def key_entry(key_id: str) -> Key:
    return _key(KEYS_DIRECTORY, _part(key_id))


def api_key(key_hash: str) -> Key:
    return _key(f"KEY#{key_hash}", META)


def limits(key_id: str) -> Key:
    return _key(f"LIMITS#{_part(key_id)}", META)


def fleet() -> Key:
    return _key("FLEET", META)


def ledger_day(day: str) -> str:
    return f"LEDGER#{_part(day)}"


def ledger_entry(day: str, entry_id: str) -> Key:
    return _key(ledger_day(day), entry_id)


def requests_day(day: str) -> str:
    return f"REQUESTS#{_part(day)}"


def request(day: str, at: float, request_id: str) -> Key:
    # Zeros in front, so that keys sort by time.
    return _key(requests_day(day), f"{round(at * 1000):014d}#{_part(request_id)}")


def audit_month(month: str) -> str:
    return f"AUDIT#{_part(month)}"


def audit_entry(month: str, entry_id: str) -> Key:
    return _key(audit_month(month), entry_id)


def sums_month(month: str) -> str:
    return f"SUMS#{_part(month)}"


def sums(month: str, hour: int, *names: str) -> Key:
    return _key(sums_month(month), "#".join([f"{hour:010d}", *map(_part, names)]))


def day_pack(partition: str, day: str) -> Key:
    return _key(partition, day)


def open_hour(hour: int) -> Key:
    return _key(OPEN_HOURS, f"{hour:010d}")


def unsettled_partition(account_id: str) -> str:
    return f"unsettled#{_part(account_id)}"


def session(key_id: str, session_id: str) -> Key:
    return _key(f"SESSION#{_part(key_id)}#{_part(session_id)}", META)


def document(kind: str, owner: str, document_id: str) -> Key:
    return _key(f"DOCUMENT#{_part(kind)}#{_part(owner)}#{_part(document_id)}", META)


def alert(alert_id: str) -> Key:
    return _key(ALERTS, _part(alert_id))


def config(name: str) -> Key:
    return _key(f"CONFIG#{_part(name)}", META)


def chance_of(account_id: str, now: float) -> float:
    """A number in [0, 1) that looks random, and stays the same for an account for some hours."""
    text = f"{account_id}#{int(now // PLACE_SECONDS)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def place_of(account: Account, now: float, chance: float) -> float:
    """The account's sort value in the index of selectable accounts. `chance` is in [0, 1), usually of `chance_of`."""
    # A time of today is far beyond every place, so that one index orders both.
    if account.eligible_at > now:
        return account.eligible_at
    return KIND_PLACES[account.kind] + KIND_SPAN * chance


def places_of(kind: AccountKind) -> tuple[float, float]:
    """Between which places the accounts of a kind are that may be chosen at once."""
    low = KIND_PLACES[kind]
    return low, low + KIND_SPAN


def account_attributes(account: Account, place: float) -> Item:
    """All attributes of an account's item that follow from the account; `None` for those to be absent."""
    points = account.points
    return {
        # Without it the item is not in the index, and costs its searches nothing.
        "sel_pk": SELECTABLE_PARTITION if account.state is AccountState.ACTIVE else None,
        "eligible_at": place,
        "due_pk": None if account.state is AccountState.DISABLED else DUE_PARTITION,
        "due_at": account.refresh_due_at,
        "account_id": account.id,
        "kind": account.kind.value,
        "label": account.label,
        "account_state": account.state.value,
        "speed_until": account.speed_until,
        "points_until": account.points_until,
        "credentials_until": account.credentials_until,
        "errors_until": account.errors_until,
        "bot_limits": {
            bot: {"until": limit.until, "code": limit.code, "balance": limit.balance}
            for bot, limit in account.bot_limits.items()
        }
        or None,
        "balance": points.balance if points else None,
        "read_at": points.read_at if points else None,
        "allotment": points.allotment if points else None,
        "next_grant_at": points.next_grant_at if points else None,
        "usd_per_point": points.usd_per_point if points else None,
        "addon": points.addon if points else None,
        "subscribed": account.subscribed,
        "max_concurrency": account.max_concurrency,
        "consecutive_errors": account.consecutive_errors,
        "doubts": account.doubts,
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
            int(item["balance"]),
            float(item["read_at"]),
            item.get("allotment"),
            _number(item, "next_grant_at"),
            _number(item, "usd_per_point"),
            item.get("addon"),
        )
    return Account(
        id=item["account_id"],
        kind=AccountKind(item["kind"]),
        label=item["label"],
        state=AccountState(item["account_state"]),
        speed_until=_wait(item, "speed_until"),
        points_until=_wait(item, "points_until"),
        credentials_until=_wait(item, "credentials_until"),
        errors_until=_wait(item, "errors_until"),
        bot_limits={
            bot: BotLimit(float(limit["until"]), limit["code"], limit.get("balance"))
            for bot, limit in sorted(item.get("bot_limits", {}).items())
        },
        points=points,
        subscribed=item.get("subscribed"),
        max_concurrency=int(item["max_concurrency"]),
        consecutive_errors=int(item["consecutive_errors"]),
        doubts=int(item.get("doubts", 0)),
        last_error=item.get("last_error"),
        last_used_at=_number(item, "last_used_at"),
        refresh_due_at=float(item["due_at"]),
        created_at=float(item["created_at"]),
        updated_at=float(item["updated_at"]),
        version=int(item["version"]),
        credentials_version=int(item["credentials_version"]),
    )


def account_id_of(key: Mapping[str, Any]) -> str:
    """The id in an account's key, which is all that the index of due accounts holds."""
    # In the opposite order of `_part`, else an escaped percent sign would unfold twice.
    return str(key["pk"]).partition("#")[2].replace("%23", "#").replace("%25", "%")


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
    # Rounded up: the table must not delete what still counts.
    return {} if until is None else {"until": until, "expires_at": math.ceil(until)}


def _key(pk: str, sk: str) -> Key:
    return {"pk": pk, "sk": sk}


def _part(text: str) -> str:
    """A part of a key that can't be mistaken for two, and has a bounded length."""
    # DynamoDB refuses empty and long keys; callers may send either as a session's name.
    if len(text.encode()) > MAX_PART_BYTES or not text:
        return "sha256-" + hashlib.sha256(text.encode()).hexdigest()
    # A caller's text that holds a `#` must not reach into another's items.
    return text.replace("%", "%25").replace("#", "%23")


def _wait(item: Mapping[str, Any], name: str) -> float:
    return float(item.get(name, 0.0))


def _number(item: Mapping[str, Any], name: str) -> float | None:
    value = item.get(name)
    return None if value is None else float(value)
