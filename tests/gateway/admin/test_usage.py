"""What was used and what it cost, added up."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from accounts import SettlementState
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import API_KEY, House, ask


async def spend(house: House, *points: int | None, key: str = API_KEY) -> None:
    """One request for each number of points, as the upstream reports them."""
    for number in points:
        house.poe.enqueue(TextDelta("hello"), UsageReported(10, 5, points=number), Finished())
        assert (await house.call(body=ask(), key=key)).status == 200


async def test_usage_is_added_up_by_what_was_asked_for(house: House) -> None:
    account = await house.add_account()
    await spend(house, 7, 20, None)
    by_key = (await house.admin("/usage?by=key")).json
    (row,) = by_key["data"]
    assert (row["key_name"], row["sends"], row["prompt_tokens"], row["completion_tokens"]) == ("tests", 3, 30, 15)
    assert row["points_settled"] + row["points_estimated"] == 27
    assert row["sends_unknown"] == 1, "unknown is not 0"
    assert by_key["totals"]["sends"] == 3
    (row,) = (await house.admin("/usage?by=account,model")).json["data"]
    assert (row["account"], row["model"]) == (account, "gpt-5")
    assert row["account_name"]
    (row,) = (await house.admin("/usage?by=day")).json["data"]
    assert row["day"] == datetime.now(UTC).date().isoformat()
    assert len((await house.admin("/usage?by=hour")).json["data"]) == 1


async def test_usage_is_filtered(house: House) -> None:
    await house.add_account()
    _, other = await house.store.create_key(name="other")
    await spend(house, 7)
    await spend(house, 20, key=other)
    keys = {row["key_name"]: row for row in (await house.admin("/usage?by=key")).json["data"]}
    assert {name: row["sends"] for name, row in keys.items()} == {"tests": 1, "other": 1}
    (row,) = (await house.admin(f"/usage?by=key&key={keys['other']['key']}")).json["data"]
    assert row["key_name"] == "other"
    assert (await house.admin("/usage?model=nobody")).json["data"] == []
    assert (await house.admin("/usage?from=2020-01-01&to=2020-02-01")).json["totals"]["sends"] == 0


@pytest.mark.parametrize(
    "query",
    ["by=colour", "by=", "day=2026-02-31", "day=today", "from=2026-02-01&to=2026-01-01", "from=soon", "format=xml"],
)
async def test_a_range_that_can_not_be_is_refused(house: House, query: str) -> None:
    assert (await house.admin(f"/usage?{query}")).status == 400


async def test_a_spreadsheet_gets_no_formula(house: House) -> None:
    await house.add_account()
    _, secret = await house.store.create_key(name='=HYPERLINK("http://evil.example")')
    await spend(house, 7, key=secret)
    answer = await house.admin("/usage?by=key&format=csv")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.body.decode()))
    assert row["key_name"].startswith("'=")
    assert row["sends"] == "1"


@pytest.mark.parametrize(
    ("query", "begin", "end"),
    [
        ("day=2026-11-30", "2026-11-30T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        ("week=2026-W48", "2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"),
        ("week=2020-W53", "2020-12-28T00:00:00+00:00", "2021-01-04T00:00:00+00:00"),
        ("month=2028-02", "2028-02-01T00:00:00+00:00", "2028-03-01T00:00:00+00:00"),
        ("month=2026-12", "2026-12-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00"),
        # A time that ends at midnight is of the day before.
        ("to=2026-11-30T00:00:00Z", "2026-11-29T00:00:00+00:00", "2026-11-30T00:00:00+00:00"),
        ("to=2026-11-30T00:00:01Z", "2026-11-30T00:00:00+00:00", "2026-11-30T01:00:00+00:00"),
        # Zones, a plus that an address was written with as it is, half hours, and epoch seconds.
        ("from=2026-11-30T00:30:00%2B05:30&to=2026-11-30", "2026-11-29T19:00:00+00:00", "2026-11-30T00:00:00+00:00"),
        ("from=2026-11-30T02:00:00+02:00&to=2026-12-01", "2026-11-30T00:00:00+00:00", "2026-12-01T00:00:00+00:00"),
        ("from=1796000400&to=1796003600.5", "2026-11-30T01:00:00+00:00", "2026-11-30T02:00:00+00:00"),
    ],
)
async def test_a_range_is_whole_hours_of_utc(house: House, query: str, begin: str, end: str) -> None:
    shown = (await house.admin(f"/usage?{query}")).json
    assert (shown["from"], shown["to"]) == (begin, end)


@pytest.mark.parametrize(
    "query",
    [
        "week=2026-W54",
        "week=2026-48",
        "month=2026-13",
        "month=2026-1",
        "day=9999-12-31",
        "day=2026-11-30&from=2026-01-01",
        "month=2026-11&week=2026-W48",
        "from=999999999999999",
        "from=nan",
        "range=week",
        "limit=5",
    ],
)
async def test_what_is_no_range_is_refused_and_not_taken_for_today(house: House, query: str) -> None:
    answer = await house.admin(f"/usage?{query}")
    assert (answer.status, answer.error["code"]) == (400, "invalid_value")


@pytest.mark.parametrize("path", ["/usage", "/ledger", "/requests"])
@pytest.mark.parametrize("query", ["to=9999-12-31T23:59:59Z", "from=9998-12-31&to=9999-12-31", "to=253402300799"])
async def test_the_end_of_the_calendar_is_no_failure(house: House, path: str, query: str) -> None:
    assert (await house.admin(f"{path}?{query}")).status in (200, 400)


async def test_what_others_spent_is_told_apart(house: House) -> None:
    one, two = await house.add_account("one"), await house.add_account("two")
    store = house.store
    elsewhere = {"2026-11-29": 100, "2026-11-30": 7}
    read = SettlementState(read_until=1_796_000_000.0)
    await store.put_settlement_state(one, replace(read, elsewhere=elsewhere))
    await store.put_settlement_state(two, replace(read, elsewhere={"2026-11-30": 5}))

    async def spent(query: str) -> int | None:
        return (await house.admin(f"/usage?{query}")).json["spent_elsewhere"]

    assert await spent("day=2026-11-30") == 12
    assert await spent("month=2026-11") == 112
    assert await spent(f"month=2026-11&account={one}") == 107
    assert await spent("day=2026-11-28") == 0
    # It is nobody's key, and of no model that is known.
    assert await spent("month=2026-11&key=k") is None
    assert await spent("month=2026-11&model=m") is None


async def test_what_others_spent_is_unknown_where_a_history_was_never_read(house: House) -> None:
    one = await house.add_account("one")
    await house.add_account("two")
    await house.store.put_settlement_state(
        one, SettlementState(read_until=1_796_000_000.0, elsewhere={"2026-11-30": 7})
    )
    assert (await house.admin("/usage?day=2026-11-30")).json["spent_elsewhere"] is None
    assert (await house.admin(f"/usage?day=2026-11-30&account={one}")).json["spent_elsewhere"] == 7
