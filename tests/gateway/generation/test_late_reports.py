"""What a send leaves behind at Poe reaches its ledger entry: the chat it began, and a cost that comes late."""

from __future__ import annotations

import asyncio

import pytest

from accounts import AccountKind, LedgerEntry, SettledBy, StoreUnavailableError
from gateway.generation import attempt
from gateway.generation.attempt import LateReports
from reverse.chat import Aftermath
from reverse.errors import Delivery, ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import House, ask

SECONDS = 30  # far more than anything here takes


def future() -> asyncio.Future[int]:
    return asyncio.get_running_loop().create_future()


async def entry(house: House, number: int = -1) -> LedgerEntry:
    found = await house.store.get_entry(house.store.leases[number].entry_id)
    assert found is not None
    return found


async def until_booked(house: House) -> LedgerEntry:
    async with asyncio.timeout(SECONDS):
        while (found := await entry(house)).reported is None:  # noqa: ASYNC110 - the store has no event
            await asyncio.sleep(0)
    return found


async def test_a_cost_that_comes_after_the_answer_is_booked_then(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    late = future()
    house.poe.aftermaths.append(Aftermath(late_points=late))
    answer = await house.call(body=ask())
    assert answer.json["usage"]["points"] is None, "the answer did not wait for it"
    assert (await entry(house)).settled_by is None
    late.set_result(42)
    booked = await until_booked(house)
    assert (booked.reported, booked.settled, booked.settled_by) == (42, 42, SettledBy.REPORTED)


async def test_a_cost_that_came_while_the_send_ended_is_booked_with_it(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    late = future()
    late.set_result(42)
    house.poe.aftermaths.append(Aftermath(late_points=late))
    await house.call(body=ask())
    assert (await entry(house)).settled == 42


async def test_a_cost_of_zero_that_comes_late_is_zero(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    late = future()
    house.poe.aftermaths.append(Aftermath(late_points=late))
    await house.call(body=ask())
    late.set_result(0)
    assert (await until_booked(house)).settled == 0


async def test_a_budget_counts_what_comes_late(house: House) -> None:
    await house.store.create_key(name="limited", secret="sk-limited-q7Zk3vP8RmT5xWn2LyB9dHc4JgF6", points_per_day=500)
    await house.add_account(kind=AccountKind.WEB)
    late = future()
    house.poe.aftermaths.append(Aftermath(late_points=late))
    assert (await house.call(body=ask(), key="sk-limited-q7Zk3vP8RmT5xWn2LyB9dHc4JgF6")).status == 200
    key_id = house.store.intentions[-1].key_id
    assert (await house.store.key_use(key_id)).points_today == 100, "what is reserved for an unknown price"
    late.set_result(42)
    await until_booked(house)
    assert (await house.store.key_use(key_id)).points_today == 42


async def test_what_was_reported_with_the_answer_is_not_awaited(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    late = future()
    house.poe.aftermaths.append(Aftermath(late_points=late))
    house.poe.enqueue(TextDelta("Hello"), UsageReported(points=7), Finished())
    await house.call(body=ask())
    late.set_result(42)
    await asyncio.sleep(0)
    assert (await entry(house)).settled == 7


async def test_a_client_that_was_closed_tells_nothing(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    late = future()
    late.cancel()
    house.poe.aftermaths.append(Aftermath(late_points=late))
    assert (await house.call(body=ask())).status == 200
    assert (await entry(house)).settled_by is None


async def test_nothing_waits_any_longer_when_the_gateway_ends(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.aftermaths.append(Aftermath(late_points=future()))
    await house.call(body=ask())
    await house.services.generations.late.aclose()
    waiting = [task for task in asyncio.all_tasks() if task.get_name() == "late-report"]
    assert waiting == []


async def test_no_more_wait_than_are_allowed_and_none_for_ever(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "_PIECE_SECONDS", 0.001)
    reports = LateReports(house.store, house.services.journal)
    for number in range(attempt.MAX_LATE_REPORTS + 5):
        reports.expect(f"{number:014d}#x", future())
    tasks = {task for task in asyncio.all_tasks() if task.get_name() == "late-report"}
    async with asyncio.timeout(SECONDS):
        await asyncio.wait(tasks)
    assert sum(task.cancelled() for task in tasks) == 5
    await reports.aclose()


async def test_a_table_that_fails_is_logged_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> bool:
        raise StoreUnavailableError("write", "ThrottlingException")

    await house.add_account(kind=AccountKind.WEB)
    monkeypatch.setattr(house.store, "late_report", fail)
    late = future()
    house.poe.aftermaths.append(Aftermath(late_points=late))
    await house.call(body=ask())
    late.set_result(42)
    async with asyncio.timeout(SECONDS):
        while not house.lines("late_report.failed"):  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0)


async def test_the_chat_of_a_stateless_request_is_noted_for_deletion(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.aftermaths.append(Aftermath(77))
    house.poe.enqueue(TextDelta("Hello"), UsageReported(points=7), Finished())
    await house.call(body=ask())
    noted = await entry(house)
    assert (noted.chat_id, noted.conversation, noted.chat_due_at) == (77, None, noted.ended_at)


async def test_the_chat_of_a_conversation_is_noted_with_its_name(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.aftermaths.append(Aftermath(77))
    await house.call(body=ask(metadata={"session_id": "s"}))
    assert (await entry(house)).conversation == "chat:s"
    house.poe.aftermaths.append(Aftermath(78))
    await house.call(body=ask(prompt_cache_key="s"))
    assert (await entry(house)).conversation is None, "a cache key never leads into a chat"


async def test_a_chat_whose_answer_failed_is_noted_too(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    house.poe.aftermaths.append(Aftermath(77))
    house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.CONNECTION_FAILED, delivery=Delivery.PARTIAL))
    await house.call(body=ask())
    assert (await entry(house)).chat_id == 77
