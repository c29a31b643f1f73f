"""Limits of keys: the windows they are counted in, and the updates that reserve and correct. Pure.

One item per key has a counter per window, named after it, and the reservations that are under way. A reservation is a
conditional update of that item, so concurrent requests can't overrun a limit between them. A window that is over
leaves a counter that nobody reads; it is removed with a later update.

    r29384722      requests in that minute        running      requests under way
    pd20261130     points on that day             v_<digest>   a reservation: what it reserved, on which day, until
    pm202611       points in that month           used_at      when the key was last used
    td…, tm…       tokens                         succeeded_at when a send of it was last answered
    seq            counts the updates
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from accounts._key_model import ApiKey, KeyUse, LimitName, OverLimit, Reservation, Reserved
from accounts._ledger import DAY_SECONDS, day_of, next_month
from lazy_dataclasses import dataclass

MINUTE_SECONDS = 60
# A reservation whose holder was killed before it leased an account is given back after this. What was spent under it
# is booked by then: a lost lease is found sooner.
RESERVATION_SECONDS = 3_600.0
MAX_OWNERS = 100
# Counters of past windows that may pile up before they are removed with a write of their own.
MAX_STALE = 60

_COUNTERS = ("r", "pd", "pm", "td", "tm")


@dataclass(frozen=True, slots=True)
class Windows:
    """The names of the counters that are in force at a time."""

    now: float

    @property
    def minute(self) -> str:
        return f"r{int(self.now // MINUTE_SECONDS)}"

    @property
    def day(self) -> str:
        return day_of(self.now).replace("-", "")

    @property
    def names(self) -> dict[str, str]:
        """Counter by its short name."""
        day, month = self.day, self.day[:6]
        return {"r": self.minute, "pd": f"pd{day}", "pm": f"pm{month}", "td": f"td{day}", "tm": f"tm{month}"}


def reservation_name(owner: str) -> str:
    """The attribute that holds a reservation."""
    return "v_" + hashlib.sha256(owner.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Update:
    """An update of the item: expression and condition with their names and values."""

    expression: str
    condition: str | None
    names: Mapping[str, str]
    values: Mapping[str, Any]


def limits_of(key: ApiKey) -> dict[str, tuple[int, LimitName]]:
    """The counters that the key limits, with the most they may reach."""
    limits: dict[str, tuple[int | None, LimitName]] = {
        "r": (key.requests_per_minute, "rate"),
        "pd": (key.points_per_day, "budget"),
        "pm": (key.points_per_month, "budget"),
        "td": (key.tokens_per_day, "tokens"),
        "tm": (key.tokens_per_month, "tokens"),
        "running": (key.max_concurrent, "concurrency"),
    }
    return {name: (most, kind) for name, (most, kind) in limits.items() if most is not None}


def amounts(key: ApiKey, wanted: Reservation) -> dict[str, int]:
    """What a reservation adds to each counter."""
    count = len(wanted.owners)
    points, tokens = (count * wanted.points, count * wanted.tokens) if key.has_budget else (0, 0)
    added = {"r": wanted.requests, "pd": points, "pm": points, "td": tokens, "tm": tokens}
    return added | {"running": count if wanted.is_running and key.max_concurrent is not None else 0}


def reserve(key: ApiKey, wanted: Reservation, now: float, stale: Collection[str] = ()) -> Update | None:
    """The update that reserves all or fails; `None` if it can't succeed because the request alone is over a limit."""
    added, limits, windows = amounts(key, wanted), limits_of(key), Windows(now)
    names = {**windows.names, "running": "running", "used_at": "used_at", "seq": "seq"}
    values: dict[str, Any] = {"now": now, "one": 1}
    conditions, additions = [], ["{seq} :one"]
    for name, amount in added.items():
        most = limits[name][0] if name in limits else None
        # A counter that only others move is not looked at; one that is full keeps out even what costs nothing.
        if most is not None and (amount or name in ("pd", "pm", "td", "tm")):
            # One at least: a budget of which nothing is left lets nothing in, not even what is said to cost nothing.
            room = most - max(amount, 1)
            if room < 0:
                return None
            conditions.append(f"(attribute_not_exists({{{name}}}) OR {{{name}}} <= :most_{name})")
            values[f"most_{name}"] = room
        if amount:
            additions.append(f"{{{name}}} :add_{name}")
            values[f"add_{name}"] = amount
    assignments = ["{used_at} = :now"]
    if key.has_budget or added["running"]:
        held = {**held_of(reserved(key, wanted, now)), "u": now + RESERVATION_SECONDS}
        for number, owner in enumerate(wanted.owners):
            names[f"v{number}"] = reservation_name(owner)
            values[f"held{number}"] = {**held, "o": owner}
            assignments.append(f"{{v{number}}} = :held{number}")
        # Reserving twice under one owner would count twice.
        conditions.append("attribute_not_exists({v0})")
    gone = {f"old{number}": name for number, name in enumerate(sorted(stale)[:MAX_STALE])}
    expression = f"SET {', '.join(assignments)} ADD {', '.join(additions)}"
    expression += f" REMOVE {', '.join(f'{{{name}}}' for name in gone)}" if gone else ""
    return Update(expression, " AND ".join(conditions) or None, names | gone, values)


def reserved(key: ApiKey, wanted: Reservation, now: float) -> Reserved:
    """What is reserved under each owner."""
    return Reserved(
        points=wanted.points if key.has_budget else 0,
        tokens=wanted.tokens if key.has_budget else 0,
        day=Windows(now).day,
        is_running=wanted.is_running and key.max_concurrent is not None,
    )


def held_of(what: Reserved) -> dict[str, Any]:
    """The reservation as the item holds it, but for its owner and end."""
    return {"p": what.points, "t": what.tokens, "d": what.day, "r": int(what.is_running)}


def reserved_before(item: Mapping[str, Any], wanted: Reservation) -> Reserved | None:
    """The reservation, if the item has it already: the answer to an earlier try was lost."""
    # Owners are random names of one attempt each: nobody else can have reserved under them.
    held = next((item[name] for owner in wanted.owners if (name := reservation_name(owner)) in item), None)
    if held is None:
        return None
    return Reserved(points=held["p"], tokens=held["t"], day=held["d"], is_running=bool(held["r"]))


def reached(key: ApiKey, item: Mapping[str, Any], wanted: Reservation, now: float) -> OverLimit | None:
    """The limit that keeps the reservation out, with the seconds until its window ends; the longest of several."""
    added, windows = amounts(key, wanted), Windows(now).names
    waits = {
        "r": MINUTE_SECONDS - now % MINUTE_SECONDS,
        "pd": DAY_SECONDS - now % DAY_SECONDS,
        "pm": next_month(now) - now,
        # Nobody knows when a request ends; most do soon.
        "running": 1.0,
    }
    waits |= {"td": waits["pd"], "tm": waits["pm"]}
    found = [
        OverLimit(waits[name], kind)
        for name, (most, kind) in limits_of(key).items()
        if (added[name] or name in ("pd", "pm", "td", "tm"))
        and item.get(windows.get(name, name), 0) + max(added[name], 1) > most
    ]
    return max(found, default=None)


def correct(
    attribute: str, held: Mapping[str, Any], *, points: int, tokens: int, succeeded_at: float | None = None
) -> Update:
    """The update that replaces a reservation by what was consumed. It fails unless the reservation is as told.

    `succeeded_at` says when its send was answered, if it was.
    """
    names = {"v": attribute, "running": "running", "seq": "seq"}
    # The windows of the day on which it was reserved, which may be over by now.
    names |= {f"{kind}d": f"{kind}d{held['d']}" for kind in "pt"} | {
        f"{kind}m": f"{kind}m{held['d'][:6]}" for kind in "pt"
    }
    names |= {name: name for name in ("p", "t", "d", "r")}
    changes = {"p": points - held["p"], "t": tokens - held["t"]}
    values: dict[str, Any] = {"one": 1, **{f"held_{name}": held[name] for name in ("p", "t", "d", "r")}}
    additions = ["{seq} :one"]
    for kind, change in changes.items():
        if change:
            values[kind] = change
            additions += [f"{{{kind}d}} :{kind}", f"{{{kind}m}} :{kind}"]
    if held["r"]:
        values["minus"] = -1
        additions.append("{running} :minus")
    # What is taken back must be what was counted, else the counters would drift.
    same = " AND ".join(f"{{v}}.{{{name}}} = :held_{name}" for name in ("p", "t", "d", "r"))
    expression = f"REMOVE {{v}} ADD {', '.join(additions)}"
    if succeeded_at is not None:
        names["succeeded_at"], values["succeeded_at"] = "succeeded_at", succeeded_at
        expression = f"SET {{succeeded_at}} = :succeeded_at {expression}"
    return Update(expression, f"attribute_exists({{v}}) AND {same}", names, values)


def adjust(at: float, points: int, now: float) -> Update | None:
    """The update that adds points to the windows of a time that are still in force; `None` if none is."""
    then, current = Windows(at).names, Windows(now).names
    # A window that is over limits nothing any more.
    names = {name: then[name] for name in ("pd", "pm") if then[name] == current[name]}
    if not names or not points:
        return None
    additions = ", ".join(f"{{{name}}} :points" for name in names)
    return Update(f"ADD {{seq}} :one, {additions}", None, {**names, "seq": "seq"}, {"one": 1, "points": points})


def expired(item: Mapping[str, Any], now: float) -> dict[str, Mapping[str, Any]]:
    """Reservations whose holders were killed, by attribute."""
    return {name: value for name, value in item.items() if name.startswith("v_") and value["u"] <= now}


def stale_counters(item: Mapping[str, Any], now: float) -> set[str]:
    """Counters of windows that are over."""
    current = set(Windows(now).names.values())
    return {
        name for name in item if name not in current and name.rstrip("0123456789") in _COUNTERS and not name.isalpha()
    }


def use_of(item: Mapping[str, Any], now: float) -> KeyUse:
    """What the item says of a key's use now."""
    names = Windows(now).names
    used_at, succeeded_at = item.get("used_at"), item.get("succeeded_at")
    return KeyUse(
        at=now,
        requests_this_minute=int(item.get(names["r"], 0)),
        running=max(0, int(item.get("running", 0))),
        points_today=int(item.get(names["pd"], 0)),
        points_this_month=int(item.get(names["pm"], 0)),
        tokens_today=int(item.get(names["td"], 0)),
        tokens_this_month=int(item.get(names["tm"], 0)),
        last_used_at=None if used_at is None else float(used_at),
        last_success_at=None if succeeded_at is None else float(succeeded_at),
    )
