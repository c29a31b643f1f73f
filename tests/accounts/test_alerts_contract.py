"""Alerts and sealed configuration, whatever the store keeps them in."""

from __future__ import annotations

import pytest

from accounts import AccountStore, Alert
from accounts._alerts import QUIET_SECONDS

FEW = Alert(id="points_low:acct_1", kind="points_low", text="Few points.", account_id="acct_1")


async def test_an_alert_comes_back_as_it_was_kept(store: AccountStore) -> None:
    kept = await store.put_alert(FEW.claimed(5.0).told_by(["sns"], 7.0))
    assert kept is not None
    assert await store.list_alerts() == [kept]
    assert (kept.version, kept.told, kept.is_open) == (1, {"sns": 7.0}, True)
    ended = await store.put_alert(kept.over(9.0))
    assert await store.list_alerts() == [ended]


async def test_of_two_who_change_an_alert_one_does(store: AccountStore) -> None:
    assert await store.put_alert(FEW) is not None
    assert await store.put_alert(FEW) is None, "it is there already"
    (seen,) = await store.list_alerts()
    assert await store.put_alert(seen.claimed(1.0)) is not None
    assert await store.put_alert(seen.claimed(1.0)) is None


async def test_sealed_configuration_is_read_and_deleted(store: AccountStore) -> None:
    assert await store.get_sealed_config("webhook") is None
    await store.put_sealed_config("webhook", {"url": "https://example.com/secret"})
    assert await store.get_sealed_config("webhook") == {"url": "https://example.com/secret"}
    assert await store.delete_config("webhook")
    assert not await store.delete_config("webhook")
    assert await store.get_sealed_config("webhook") is None


async def test_plain_configuration_is_not_taken_for_a_sealed_one(store: AccountStore) -> None:
    await store.put_config("plain", {"a": 1})
    assert await store.get_sealed_config("plain") is None


class TestStates:
    def test_an_alert_begins_once(self) -> None:
        begun = FEW.begun(None, 100.0)
        assert begun is not None
        assert (begun.since, begun.told) == (100.0, {})
        assert FEW.begun(begun, 200.0) is None

    @pytest.mark.parametrize(("apart", "is_told_again"), [(60.0, False), (QUIET_SECONDS + 1, True)])
    def test_a_cause_that_comes_back_soon_is_not_told_again(self, apart: float, is_told_again: bool) -> None:
        begun = FEW.begun(None, 100.0)
        assert begun is not None
        ended = begun.told_by(["sns"], 100.0).over(200.0)
        again = FEW.begun(ended, 200.0 + apart)
        assert again is not None
        assert again.is_open
        assert bool(again.untold(["sns"], 1e9)) is is_told_again

    def test_each_channel_is_told_by_one_at_a_time(self) -> None:
        claimed = FEW.claimed(100.0)
        assert claimed.untold(["sns", "webhook"], 150.0) == frozenset()
        assert claimed.untold(["sns", "webhook"], 1_000.0) == {"sns", "webhook"}, "who claimed it was killed"
        assert claimed.told_by(["sns"], 150.0).untold(["sns", "webhook"], 150.0) == {"webhook"}
        assert FEW.over(1.0).untold(["sns"], 2.0) == frozenset()
