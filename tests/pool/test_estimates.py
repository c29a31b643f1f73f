"""The first rate that a balance tells is kept at once, for the reservations of budgets."""

from __future__ import annotations

import pytest

from accounts import BalanceReading, InMemoryAccountStore, Outcome, StoreUnavailableError
from pool.config_names import ESTIMATES
from pool.estimates import note_first_rate


async def test_the_first_rate_is_kept_and_what_was_learned_stays() -> None:
    store = InMemoryAccountStore()
    await store.put_config(ESTIMATES, {"costs": {"m": {"points": 3, "samples": [[1, 3]]}}})
    await note_first_rate(store, BalanceReading(5_000, usd_per_point=0.00003))
    await note_first_rate(store, BalanceReading(5_000, usd_per_point=0.00009))
    document = await store.get_config(ESTIMATES)
    assert document == {"costs": {"m": {"points": 3, "samples": [[1, 3]]}}, "usd_per_point": 0.00003}


@pytest.mark.parametrize("reading", [BalanceReading(5_000), Outcome(code="timeout", scope="network")])
async def test_a_reading_without_a_rate_writes_nothing(reading: BalanceReading | Outcome) -> None:
    store = InMemoryAccountStore()
    await note_first_rate(store, reading)
    assert await store.get_config(ESTIMATES) is None


async def test_a_table_that_fails_does_not_hurt_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_name: str) -> None:
        raise StoreUnavailableError("read", "ThrottlingException")

    store = InMemoryAccountStore()
    monkeypatch.setattr(store, "get_config", fail)
    await note_first_rate(store, BalanceReading(5_000, usd_per_point=0.00003))
