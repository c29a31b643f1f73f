"""Chats that nobody needs are deleted: those that the gateway began, once they are old enough, and no others."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from accounts import (
    AccountKind,
    AccountState,
    ChatSession,
    InMemoryAccountStore,
    Intention,
    LeaseRequest,
    Outcome,
    SendRecord,
    StoreUnavailableError,
)
from refresh_points.chats import LEAST_AGE_SECONDS, ChatCleaner
from reverse.errors import ErrorCode, PoeError, poe_error
from tests.accounts.stand_in import SteppedClock

HOUR, DAY = 3_600.0, 86_400.0


def no_such_chat() -> PoeError:
    return poe_error(ErrorCode.UPSTREAM_FAILED, status=200, upstream_text="Server Error")


@dataclass
class FakeChats:
    """The chats of every account; `failures` are raised first, each once."""

    there: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    on_deleted: Callable[[], None] = lambda: None

    async def delete(self, *chat_ids: int) -> None:
        for chat_id in chat_ids:
            self.asked.append(chat_id)
            if self.failures:
                raise self.failures.pop(0)
            if chat_id not in self.there:
                raise no_such_chat()
            self.there.discard(chat_id)
            self.on_deleted()

    async def exists(self, chat_id: int) -> bool:
        return chat_id in self.there


@dataclass
class House:
    clock: SteppedClock
    store: InMemoryAccountStore
    chats: FakeChats = field(default_factory=FakeChats)

    async def __aenter__(self) -> House:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    def make(self, *_: object) -> House:
        return self

    async def add(self, label: str = "web", kind: AccountKind = AccountKind.WEB) -> str:
        added = await self.store.put_account(kind=kind, label=label, credentials={"p_b": "x"}, max_concurrency=9)
        return added.id

    async def send(self, chat_id: int | None, *, points: int | None = 5, conversation: str | None = None) -> str:
        number = random.Random(chat_id).random()
        wanted = LeaseRequest(owner=f"o{number}", bot="m", ttl_seconds=60, intention=Intention(key_id="k", model="m"))
        lease = await self.store.lease(wanted)
        usage = SendRecord(points=points, chat_id=chat_id, conversation=conversation)
        await self.store.release(lease, Outcome(), usage=usage)
        if chat_id is not None:
            self.chats.there.add(chat_id)
        return lease.entry_id

    async def go_on(self, chat_id: int, account_id: str, name: str = "chat:s") -> None:
        session = ChatSession(
            key_id="k",
            session_id=name,
            account_id=account_id,
            model="m",
            chat_id=chat_id,
            chat_code=None,
            turns=2,
            digest="d",
        )
        await self.store.put_session(session, ttl_seconds=30 * DAY)

    async def clean(self, hours: float | None = 24.0, *, stop_at: float = float("inf")) -> dict[str, int]:
        cleaner = ChatCleaner(
            self.store,
            self.make,  # type: ignore[arg-type]
            hours=hours,
            wall_clock=self.clock,
            stop_at=stop_at,
        )
        await cleaner.run()
        report = cleaner.report
        return {"deleted": report.deleted, "kept": report.kept, "failed": report.failed}


@pytest.fixture
def house() -> House:
    clock = SteppedClock()
    return House(clock, InMemoryAccountStore(clock=clock, rng=random.Random(3)))


async def test_a_chat_is_deleted_once_it_is_old_enough_and_asked_for_only_once(house: House) -> None:
    await house.add()
    await house.send(1)
    house.chats.there.add(99)  # the owner's
    house.clock.advance(23 * HOUR)
    assert (await house.clean())["deleted"] == 0
    house.clock.advance(HOUR + 1)
    assert (await house.clean())["deleted"] == 1
    assert (await house.clean())["deleted"] == 0
    assert house.chats.there == {99} and house.chats.asked == [1]


@pytest.mark.parametrize(
    ("hours", "age", "deleted"), [(None, 400 * DAY, 0), (0.0, LEAST_AGE_SECONDS + 1, 1), (0.0, 60, 0)]
)
async def test_never_and_after_the_answer(house: House, hours: float | None, age: float, deleted: int) -> None:
    await house.add()
    await house.send(1)
    house.clock.advance(age)
    assert (await house.clean(hours))["deleted"] == deleted


async def test_sends_without_a_chat_of_their_own_leave_nothing_to_delete(house: House) -> None:
    await house.add()
    await house.send(None)
    house.clock.advance(2 * DAY)
    await house.clean()
    assert house.chats.asked == []


async def test_a_chat_whose_cost_is_open_waits_for_its_settlement(house: House) -> None:
    await house.add()
    entry_id = await house.send(1, points=None)
    house.clock.advance(2 * DAY)
    assert (await house.clean())["deleted"] == 0
    await house.store.late_report(entry_id, 5)
    assert (await house.clean())["deleted"] == 1


async def test_a_chat_that_a_conversation_goes_on_in_stays_until_that_has_left_it(house: House) -> None:
    account = await house.add()
    await house.send(1, conversation="chat:s")
    await house.go_on(1, account)
    for _ in range(3):
        house.clock.advance(DAY + 1)
        assert await house.clean() == {"deleted": 0, "kept": 1, "failed": 0}
        assert (await house.clean())["kept"] == 0, "it is looked at once a day"
    await house.go_on(2, account)  # the caller has edited the history: another chat
    house.clock.advance(DAY + 1)
    assert (await house.clean())["deleted"] == 1


async def test_a_conversation_of_another_key_or_account_keeps_nothing(house: House) -> None:
    await house.add()
    await house.send(1, conversation="chat:s")
    await house.go_on(1, "acct_other")
    house.clock.advance(2 * DAY)
    assert (await house.clean())["deleted"] == 1


async def test_a_chat_that_is_gone_counts_as_deleted(house: House) -> None:
    await house.add()
    await house.send(1)
    house.chats.there.clear()
    house.clock.advance(2 * DAY)
    assert (await house.clean())["deleted"] == 1
    assert (await house.clean())["deleted"] == 0


async def test_a_refused_deletion_leaves_the_others_and_is_tried_again(house: House) -> None:
    await house.add()
    for chat_id in (1, 2, 3):
        await house.send(chat_id)
        house.clock.advance(1)
    house.clock.advance(2 * DAY)
    house.chats.failures = [no_such_chat()]  # although it is there
    assert await house.clean() == {"deleted": 2, "kept": 0, "failed": 1}
    assert house.chats.there == {1}
    assert await house.clean() == {"deleted": 0, "kept": 0, "failed": 0}
    house.clock.advance(HOUR + 1)
    assert (await house.clean())["deleted"] == 1


@pytest.mark.parametrize("code", [ErrorCode.NOT_AUTHENTICATED, ErrorCode.RATE_LIMITED, ErrorCode.CONNECTION_FAILED])
async def test_what_concerns_the_account_ends_its_turn_and_nobody_elses(house: House, code: ErrorCode) -> None:
    await house.add()
    for chat_id in (1, 2, 3):
        await house.send(chat_id)
        house.clock.advance(1)
    house.clock.advance(2 * DAY)
    house.chats.failures = [poe_error(code)]
    assert await house.clean() == {"deleted": 0, "kept": 0, "failed": 3}
    assert house.chats.asked == [1], "the account is not asked again and again"
    house.clock.advance(7 * HOUR)
    assert (await house.clean())["deleted"] == 3


@pytest.mark.parametrize("state", [AccountState.DISABLED, AccountState.LOGGED_OUT])
async def test_an_account_that_can_not_be_used_is_not_asked(house: House, state: AccountState) -> None:
    account = await house.add()
    await house.send(1)
    await house.store.set_account_state(account, state)
    house.clock.advance(2 * DAY)
    assert (await house.clean())["failed"] == 1
    assert house.chats.asked == []
    await house.store.set_account_state(account, AccountState.ACTIVE)
    house.clock.advance(7 * HOUR)
    assert (await house.clean())["deleted"] == 1


async def test_chats_of_a_deleted_account_are_given_up(house: House) -> None:
    account = await house.add()
    await house.send(1)
    await house.store.delete_account(account)
    house.clock.advance(2 * DAY)
    await house.clean()
    assert await house.store.chats_to_delete(ended_before=house.clock() + 1) == []


async def test_what_can_not_be_deleted_for_a_month_is_given_up(house: House) -> None:
    await house.add()
    await house.send(1)
    for _ in range(40):
        house.clock.advance(DAY)
        house.chats.failures = [no_such_chat()]
        await house.clean()
    asked = len(house.chats.asked)
    house.clock.advance(DAY)
    await house.clean()
    assert 25 < asked == len(house.chats.asked)


async def test_a_run_that_is_killed_after_a_deletion_is_repeated_without_harm(house: House) -> None:
    await house.add()
    for chat_id in (1, 2):
        await house.send(chat_id)
        house.clock.advance(1)
    house.clock.advance(2 * DAY)

    class Killed(BaseException):
        """The process ends."""

    def kill() -> None:
        raise Killed

    house.chats.on_deleted = kill
    with pytest.raises(Killed):
        await house.clean()
    house.chats.on_deleted = lambda: None
    assert (await house.clean())["deleted"] == 2
    assert house.chats.there == set()


async def test_a_run_whose_time_is_up_leaves_the_rest_to_the_next(house: House) -> None:
    await house.add()
    await house.send(1)
    house.clock.advance(2 * DAY)
    assert (await house.clean(stop_at=0.0))["deleted"] == 0
    assert (await house.clean())["deleted"] == 1


async def test_a_table_that_fails_is_told_and_nothing_is_lost(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.add()
    await house.send(1)
    house.clock.advance(2 * DAY)

    async def fail(*_: Any) -> None:
        raise StoreUnavailableError("write", "ThrottlingException")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "put_off_chat", fail)
        with pytest.raises(StoreUnavailableError):
            await house.clean()
    assert (await house.clean())["deleted"] == 1, "the chat is gone, which is what was wanted"
