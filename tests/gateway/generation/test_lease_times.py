"""How long a lease is kept and given back: renewals while an answer runs, and the bound of the booking after it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from accounts import Lease
from gateway.settings import Settings
from reverse.events import Finished, TextDelta
from tests.gateway.scripted import ADMIN_KEY, House, Pause, RecordingStore, ask
from tests.virtual_time import in_virtual_time, now

TTL_SECONDS = 90.0
RELEASE_SECONDS = 5.0


class WatchedStore(RecordingStore):
    """Remembers when leases were taken and extended, and can be made to hang at their release."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []
        self.hangs_at_release = False

    async def lease(self, request: Any) -> Lease:
        self.times.append(now())
        return await super().lease(request)

    async def extend(self, lease: Lease, ttl_seconds: float) -> Lease:
        self.times.append(now())
        assert ttl_seconds == TTL_SECONDS
        return await super().extend(lease, ttl_seconds)

    async def release(self, lease: Lease, *arguments: Any, **more: Any) -> None:
        if self.hangs_at_release:
            await asyncio.sleep(600)
        await super().release(lease, *arguments, **more)


async def open_house(monkeypatch: pytest.MonkeyPatch) -> tuple[House, WatchedStore]:
    monkeypatch.setattr("tests.gateway.scripted.RecordingStore", WatchedStore)
    house = House(
        Settings.from_env(
            {
                "GATEWAY_STORE": "memory",
                "GATEWAY_ADMIN_KEY": ADMIN_KEY,
                "GATEWAY_LEASE_TTL_SECONDS": f"{TTL_SECONDS:g}",
                "GATEWAY_MAX_ANSWER_SECONDS": "3600",
            }
        )
    )
    await house.add_key()
    await house.add_account()
    assert isinstance(house.store, WatchedStore)
    return house, house.store


@in_virtual_time
async def test_a_long_answer_never_outlives_its_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each renewal comes well before the expiry, so that one that fails can be repeated in time."""
    house, store = await open_house(monkeypatch)
    pause = Pause()
    house.poe.enqueue(TextDelta("a"), pause, TextDelta("b"), Finished())
    asyncio.get_running_loop().call_later(10 * TTL_SECONDS, pause.event.set)
    answer = await house.call(body=ask(stream=True))
    assert answer.text == "ab"
    assert now() == pytest.approx(10 * TTL_SECONDS)
    gaps = [later - earlier for earlier, later in zip(store.times, [*store.times[1:], now()], strict=True)]
    assert max(gaps) <= TTL_SECONDS * 2 / 3
    # Each is a write in the table, which costs money.
    assert min(gaps[:-1]) >= TTL_SECONDS / 3
    await house.services.aclose()


@in_virtual_time
async def test_a_store_that_hangs_at_the_booking_delays_the_last_byte_by_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house, store = await open_house(monkeypatch)
    store.hangs_at_release = True
    house.poe.enqueue(TextDelta("a"), Finished())
    answer = await house.call(body=ask(stream=True))
    assert (answer.text, answer.events[-1]) == ("a", "[DONE]")
    assert now() == pytest.approx(RELEASE_SECONDS)
    assert [line["code"] for line in house.lines("lease.release_failed")] == ["TimeoutError"]
    await house.services.aclose()
