"""The totals of every page are the ledger's for the same range."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import InMemoryAccountStore, KeyRole, Selection, SettledBy, Settlement
from accounts._ledger import add_up
from gateway.admin.shown import show_sums
from gateway.console.pages import accounts, me, models, overview, requests, usage
from gateway.console.session import Session
from gateway.console.sign_in import Visit
from gateway.http.auth import Administrator
from gateway.settings import Settings
from tests.accounts.sample_ledger import entry, request, write
from tests.accounts.stand_in import SteppedClock
from tests.gateway.scripted import ADMIN_KEY, House

HOUR, DAY = 3_600, 86_400
SENDS = st.lists(st.tuples(st.integers(0, 49 * HOUR), st.booleans()), min_size=1, max_size=30)


def visit_of(role: KeyRole, key: Any = None) -> Visit:
    session = Session(role=role, key_id=None, key_mark="", signed_in_at=0, active_at=0)
    return Visit(session, Administrator(role, key), b"secret")


class Ledger:
    """A gateway whose job last ran some hours ago, in the past of the real clock."""

    def __init__(self) -> None:
        self.house = House(Settings.from_env({"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY}))
        self.store: InMemoryAccountStore = self.house.store
        self.now = time.time()
        self.start = int(self.now // HOUR) * HOUR - 50 * HOUR
        self.clock = SteppedClock(self.start)
        self.store._clock = self.clock

    async def fill(self, sends: list[tuple[int, bool]], run_at: int, account_ids: Sequence[str] = ()) -> None:
        made = [
            entry(number, self.start + offset, **self.of_account(number, account_ids))
            for number, (offset, _) in enumerate(sends)
        ]
        await write(self.store, made, [request(number, one.started_at) for number, one in enumerate(made)])
        self.clock.now = self.start + run_at
        await self.store.close_hours()
        late = [one for one, (_, is_late) in zip(made, sends, strict=True) if is_late and one.settled_by is None]
        await self.store.settle([Settlement(entry_id=one.id, points=77, by=SettledBy.HISTORY) for one in late])

    def of_account(self, number: int, account_ids: Sequence[str]) -> dict[str, str]:
        return {"account_id": account_ids[number % len(account_ids)]} if account_ids else {}

    async def expected(self, since: float, until: float, **names: str) -> dict[str, int]:
        """From the entries themselves, one by one."""
        rows, cursor = [], None
        while True:
            page = await self.store.list_entries(Selection(since=since, until=until, **names), limit=200, cursor=cursor)
            rows += page.items
            if (cursor := page.cursor) is None:
                return show_sums(add_up(rows))

    async def page(self, module: Any, query: dict[str, str], visit: Visit | None = None, path: str = "") -> Any:
        answer = await module.answer(self.house.services, visit or visit_of(KeyRole.ADMIN), path, query)
        return json.loads(answer.body)


def columns(hours: dict[str, Any]) -> dict[str, int]:
    return {name: sum(values) for name, values in hours["totals"].items()}


@settings(max_examples=20, deadline=None)
@given(SENDS, st.integers(0, 50 * HOUR), st.integers(0, 48 * HOUR), st.integers(1, 40))
def test_the_totals_of_every_page_are_the_ledgers(
    sends: list[tuple[int, bool]], run_at: int, since: int, hours: int
) -> None:
    async def live() -> None:
        ledger = Ledger()
        await ledger.fill(sends, run_at)
        first = (ledger.start + since) // HOUR * HOUR
        last = first + hours * HOUR
        query = {"from": str(ledger.start + since), "to": str(last)}
        expected = await ledger.expected(first, last)

        shown = await ledger.page(overview, query)
        assert shown["sends"] == columns(shown["hours"]) == expected
        points = expected["points_settled"] + expected["points_estimated"]
        assert sum(sum(series["points"]) for series in shown["hours"]["points_by_model"]) == points

        shown = await ledger.page(usage, query)
        assert shown["totals"] == columns(shown["hours"]) == expected
        for name, value in expected.items():
            assert sum(row[name] for row in shown["breakdown"]) == value, name
        for row in shown["breakdown"]:
            names = {"key_id": row["key"], "model": row["model"], "account_id": row["account"]}
            assert {name: row[name] for name in expected} == await ledger.expected(first, last, **names)
        filtered = await ledger.page(usage, {**query, "key": "key_1", "model": "Model-1"})
        assert filtered["totals"] == await ledger.expected(first, last, key_id="key_1", model="model-1")

        for key_id in ("key_0", "key_1"):
            key, _ = await ledger.store.create_key(name=key_id)
            object.__setattr__(key, "id", key_id)
            shown = await ledger.page(me, query, visit_of(KeyRole.CLIENT, key))
            assert shown["totals"] == columns(shown["hours"]) == await ledger.expected(first, last, key_id=key_id)
        await ledger.house.services.aclose()

    asyncio.run(live())


@settings(max_examples=15, deadline=None)
@given(SENDS, st.integers(0, 50 * HOUR))
def test_what_was_used_today_is_the_ledgers(sends: list[tuple[int, bool]], run_at: int) -> None:
    async def live() -> None:
        ledger = Ledger()
        await ledger.fill(sends, run_at)
        day_start = int(ledger.now // HOUR) * HOUR - 20 * HOUR
        shown = await ledger.page(overview, {"day_start": str(day_start)})
        assert shown["used"]["today"] == await ledger.expected(day_start, ledger.now)
        await ledger.house.services.aclose()

    asyncio.run(live())


def points_of(totals: dict[str, int]) -> int:
    return totals["points_settled"] + totals["points_estimated"]


@settings(max_examples=15, deadline=None)
@given(SENDS, st.integers(0, 50 * HOUR))
def test_what_accounts_used_is_the_ledgers(sends: list[tuple[int, bool]], run_at: int) -> None:
    async def live() -> None:
        ledger = Ledger()
        added = [
            await ledger.store.put_account(kind=entry(0, 1.0).kind, label=label, credentials={"api_key": "k"})
            for label in ("one", "two")
        ]
        await ledger.fill(sends, run_at, [account.id for account in added])
        midnight = ledger.now // DAY * DAY
        whole = await ledger.expected(ledger.start, ledger.now)
        listed = (await ledger.page(accounts, {}))["data"]
        assert {row["id"] for row in listed} == {account.id for account in added}
        week = []
        for row in listed:
            today = await ledger.expected(midnight, ledger.now, account_id=row["id"])
            assert row["used_today"] == points_of(today)
            shown = await ledger.page(accounts, {}, path=row["id"])
            expected = await ledger.expected(ledger.start, ledger.now, account_id=row["id"])
            assert columns(shown["hours"]) == expected
            assert sum(day["booked"] for day in shown["reconciled"]) == expected["points_settled"]
            assert sum(day["unsettled"] for day in shown["reconciled"]) == expected["points_estimated"]
            week.append(expected)
        assert sum(map(points_of, week)) == points_of(whole)
        await ledger.house.services.aclose()

    asyncio.run(live())


@settings(max_examples=15, deadline=None)
@given(SENDS, st.integers(0, 50 * HOUR))
def test_what_models_cost_is_the_ledgers(sends: list[tuple[int, bool]], run_at: int) -> None:
    async def live() -> None:
        ledger = Ledger()
        names = sorted({entry(number, 1.0).model for number in range(len(sends))})
        await ledger.store.put_config("models", {"models": [{"id": name, "bot": name} for name in names]})
        await ledger.fill(sends, run_at)
        shown = {row["id"]: row["measured"] for row in (await ledger.page(models, {}))["data"]}
        for name in names:
            expected = await ledger.expected(ledger.start, ledger.now, model=name)
            known = expected["sends"] - expected["sends_unknown"]
            cost = {"sends": known, "points_per_send": round(points_of(expected) / known, 1)} if known else None
            assert shown[name] == cost
        await ledger.house.services.aclose()

    asyncio.run(live())


@settings(max_examples=15, deadline=None)
@given(SENDS, st.integers(0, 50 * HOUR), st.sampled_from(["", "ok", "error"]))
def test_the_counts_of_requests_are_those_of_the_log(sends: list[tuple[int, bool]], run_at: int, status: str) -> None:
    async def live() -> None:
        ledger = Ledger()
        await ledger.fill(sends, run_at)
        query = {"from": str(ledger.start), "to": str(int(ledger.now)), "limit": "100", "status": status}
        shown = await ledger.page(requests, query)
        rows, cursor = shown["data"], shown["next_cursor"]
        while cursor is not None:
            page = await ledger.page(requests, {**query, "cursor": cursor})
            rows, cursor = rows + page["data"], page["next_cursor"]
        failed = sum(row["code"] is not None for row in rows)
        assert (shown["counts"]["requests"], shown["counts"]["errors"]) == (len(rows), failed)
        assert sum(shown["histogram"]["ok"]) == len(rows) - failed
        assert sum(shown["histogram"]["errors"]) == failed
        if not status:
            assert len(rows) == len(sends)
        await ledger.house.services.aclose()

    asyncio.run(live())
