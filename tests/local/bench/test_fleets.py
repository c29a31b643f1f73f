"""What a chat costs the table does not depend on how many accounts there are."""

from __future__ import annotations

import pytest

from local.bench.fleets import CHATS, Work, measure


@pytest.mark.parametrize("has_budget", [False, True])
async def test_calls_and_capacity_are_the_same_with_few_and_many_accounts(has_budget: bool) -> None:
    few, many = [await measure(accounts, has_budget=has_budget) for accounts in (10, 2_000)]
    most_writes = 4 if has_budget else 2
    for work in (few, many):
        assert work.writes == most_writes * CHATS
        assert 2 * CHATS <= work.reads <= 2.5 * CHATS
    assert many.write_units == few.write_units
    assert many.read_units == pytest.approx(few.read_units, rel=0.3)
    assert few != Work()
