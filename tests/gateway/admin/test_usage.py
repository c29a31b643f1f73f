"""What was used and what it cost, added up."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

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
