"""The audit trail, whatever the store keeps it in."""

from __future__ import annotations

import pytest

from accounts import AccountStore, AuditEntry, Page

DAY = 86_400.0


def entry(at: float, action: str = "create_key", **more: object) -> AuditEntry:
    values: dict[str, object] = {"actor_id": "key_1", "actor": "laptop", "target": "key_2", "status": 201}
    return AuditEntry(at=at, action=action, **(values | more))  # type: ignore[arg-type]


async def test_an_entry_comes_back_as_it_was_kept(store: AccountStore, clock) -> None:
    kept = await store.record_audit(
        entry(clock(), fields=("models", "name"), address="192.0.2.1", code="x", request_id="req_1")
    )
    assert kept.id
    assert (await store.list_audit(since=clock() - 1, until=clock() + 1)) == Page([kept])
    bare = await store.record_audit(entry(clock() + 0.5, actor_id=None, target=None))
    assert (await store.list_audit(since=clock() + 0.4, until=clock() + 1)).items == [bare]


async def test_entries_of_one_moment_and_one_request_are_all_kept(store: AccountStore, clock) -> None:
    for _ in range(5):
        await store.record_audit(entry(clock(), request_id="the-callers-own"))
    assert len((await store.list_audit(since=clock() - 1, until=clock() + 1)).items) == 5


async def test_changes_of_one_millisecond_keep_their_order(store: AccountStore, clock) -> None:
    # Around where the milliseconds of ids change.
    moments = [clock() + 0.0001 * number for number in range(30)]
    for number, at in enumerate(moments):
        await store.record_audit(entry(at, f"action_{number}"))
    page = await store.list_audit(since=clock() - 1, until=clock() + 60)
    assert [row.action for row in page.items] == [f"action_{number}" for number in reversed(range(30))]


async def test_the_list_is_paged_newest_first_over_months(store: AccountStore, clock) -> None:
    for number in range(40):
        await store.record_audit(entry(clock() + number * 9 * DAY, f"action_{number}"))
    found: list[str] = []
    cursor = None
    for _ in range(100):
        page = await store.list_audit(since=clock() - 1, until=clock() + 399 * DAY, limit=7, cursor=cursor)
        assert len(page.items) <= 7
        found += [item.action for item in page.items]
        if (cursor := page.cursor) is None:
            break
    assert found == [f"action_{number}" for number in reversed(range(40))]


async def test_the_list_is_filtered(store: AccountStore, clock) -> None:
    for number in range(30):
        await store.record_audit(entry(clock() + number * 13 * DAY, actor_id=f"key_{number % 3}", target=f"t{number}"))
    wanted = {"since": clock() - 1, "until": clock() + 399 * DAY}
    assert [item.target for item in (await store.list_audit(**wanted, actor_id="key_1")).items][:2] == ["t28", "t25"]
    assert len((await store.list_audit(**wanted, target="t7")).items) == 1
    assert (await store.list_audit(**wanted, action="delete_account")).items == []
    limited = await store.list_audit(**wanted, actor_id="key_1", limit=4)
    rest = await store.list_audit(**wanted, actor_id="key_1", limit=50, cursor=limited.cursor)
    assert len(limited.items) + len(rest.items) == 10


@pytest.mark.parametrize("cursor", ["x", "", "99999999999999#a", "00000000000001#a"])
async def test_a_cursor_of_something_else_is_refused(store: AccountStore, clock, cursor: str) -> None:
    await store.record_audit(entry(clock()))
    with pytest.raises(ValueError, match="cursor"):
        await store.list_audit(since=clock() - 1, until=clock() + 1, cursor=cursor)
