"""What one run does to the accounts, and what it says about it."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from accounts import AccountKind, AccountState, LeaseRequest, Outcome, Points, StoreUnavailableError
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error
from tests.refresh_points.conftest import SETTINGS, House
from tests.virtual_time import now


@pytest.fixture
def job_in_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's deadlines on the clock of the loop."""
    clock = SimpleNamespace(monotonic=now, time=time.time)
    for module in ("handler", "sweep"):
        monkeypatch.setattr(f"refresh_points.{module}.time", clock)


async def test_every_due_account_is_read_and_gets_its_next_due_time(house: House) -> None:
    grant = time.time() + 7_200
    house.poe.answers["cookie-a"] = PointsReading(2_500, True, 3_000, grant)
    a, b = await house.add("a"), await house.add("b")
    answer = await house.run()
    assert answer.pop("books")["failures"] == {}
    assert answer == {"total": 2, "succeeded": 2, "failed": 0, "skipped": 0, "errors": [], "remaining": False}
    read = await house.store.get_account(a.id)
    assert read.points == Points(2_500, pytest.approx(time.time(), abs=5), 3_000, grant)
    assert read.subscribed is True
    assert grant < read.refresh_due_at < grant + 1_000
    assert (await house.store.get_account(b.id)).refresh_due_at > time.time() + 3_600
    assert house.poe.closed == 2


async def test_an_account_that_is_not_due_is_left_alone(house: House) -> None:
    await house.add("a")
    await house.run()
    assert (await house.run())["total"] == 0
    assert house.poe.asked == ["cookie-a"]


async def test_a_balance_that_poe_does_not_say_stays_unknown(house: House) -> None:
    house.poe.answers["cookie-a"] = PointsReading(None)
    account = await house.add("a")
    assert (await house.run())["succeeded"] == 1
    assert (await house.store.get_account(account.id)).points is None


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (poe_error(ErrorCode.CONNECTION_FAILED), "connection_failed"),
        (poe_error(ErrorCode.CHALLENGE), "challenge"),
        (poe_error(ErrorCode.NOT_AUTHENTICATED), "not_authenticated"),
        (poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=9), "rate_limited"),
        (RuntimeError("cookie-bad leaked into a message"), "unexpected_RuntimeError"),
        (TimeoutError(), "timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_one_accounts_failure_does_not_touch_the_others(house: House, failure: Exception, code: str) -> None:
    house.poe.answers["cookie-bad"] = failure
    good, bad, fine = [await house.add(name) for name in ("good", "bad", "fine")]
    answer = await house.run()
    assert (answer["succeeded"], answer["failed"]) == (2, 1)
    assert answer["errors"] == [{"account": bad.id, "code": code}]
    for account in (good, fine):
        assert (await house.store.get_account(account.id)).points.balance == 1_000
    after = await house.store.get_account(bad.id)
    assert (after.points, after.state) == (None, AccountState.ACTIVE)
    assert after.refresh_due_at > time.time(), "and it is tried again later"


async def test_credentials_that_are_none_are_an_account_failure(house: House) -> None:
    account = await house.store.put_account(kind=AccountKind.WEB, label="empty", credentials={})
    assert (await house.run())["errors"] == [{"account": account.id, "code": "not_authenticated"}]


async def test_a_doubt_of_the_gateway_is_confirmed_by_a_reading_and_cured_by_a_later_one(house: House) -> None:
    house.poe.answers["cookie-a"] = poe_error(ErrorCode.NOT_AUTHENTICATED)
    account = await house.add("a")
    lease = await house.store.lease(LeaseRequest(owner="r", bot="b", ttl_seconds=60))
    await house.store.release(lease, Outcome(code="not_authenticated"))
    await house.run()
    assert (await house.store.get_account(account.id)).state is AccountState.LOGGED_OUT
    del house.poe.answers["cookie-a"]
    await house.run({"statuses": ["invalid"]})
    assert (await house.store.get_account(account.id)).state is AccountState.ACTIVE


@pytest.mark.virtual_time
async def test_an_account_that_hangs_costs_its_own_time_only(house: House) -> None:
    house.poe.answers["cookie-slow"] = asyncio.Event().wait
    slow = await house.add("slow")
    await house.add("quick")
    answer = await house.run(refresh_timeout_seconds=0.2)
    assert (answer["succeeded"], answer["failed"]) == (1, 1)
    assert answer["errors"] == [{"account": slow.id, "code": "timeout"}]


async def test_no_more_accounts_at_once_than_allowed(house: House) -> None:
    for number in range(30):
        await house.add(str(number))

    async def pause() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    house.poe.pause = pause
    await house.run({"concurrency": 4})
    assert house.poe.most_at_once == 4
    assert len(set(house.poe.asked)) == 30


@pytest.mark.virtual_time
@pytest.mark.usefixtures("job_in_virtual_time")
async def test_a_run_stops_before_its_deadline_and_the_next_continues(house: House) -> None:
    for number in range(40):
        await house.add(str(number))
    house.poe.pause = lambda: asyncio.sleep(0.05)
    started = now()
    first = await house.run({"concurrency": 2}, seconds=1.2)
    assert now() - started < 1.2
    assert first["remaining"]
    assert 0 < first["succeeded"] < 40
    house.poe.pause = None
    second = await house.run()
    assert not second["remaining"]
    assert first["succeeded"] + second["succeeded"] == 40
    assert len(set(house.poe.asked)) == len(house.poe.asked) == 40, "none was read twice"


async def test_two_runs_at_once_read_each_account_once(house: House) -> None:
    for number in range(20):
        await house.add(str(number))
    house.poe.pause = lambda: asyncio.sleep(0)
    answers = await asyncio.gather(house.run({"concurrency": 5}), house.run({"concurrency": 5}))
    assert sum(answer["succeeded"] for answer in answers) == 20
    assert len(house.poe.asked) == 20


async def test_a_reading_that_is_merely_late_keeps_its_claim(house: House) -> None:
    account = await house.add("a")
    answers: list[dict[str, object]] = []

    async def read_late() -> PointsReading:
        house.poe.answers.clear()
        house.wall_clock = lambda: time.time() + SETTINGS.refresh_timeout_seconds + 10
        answers.append(await house.run({"account_ids": [account.id]}))
        return PointsReading(5)

    house.poe.answers["cookie-a"] = read_late
    assert (await house.run())["succeeded"] == 1
    assert answers[0]["skipped"] == 1 and house.poe.asked == ["cookie-a"]


async def test_a_dry_run_counts_and_changes_nothing(house: House) -> None:
    before = [await house.add(name) for name in ("a", "b")]
    answer = await house.run({"dry_run": True})
    assert (answer["total"], answer["skipped"]) == (2, 2)
    assert house.poe.asked == []
    assert (await house.store.list_accounts()).items == sorted(before, key=lambda account: account.id)


async def test_statuses_choose_accounts_due_or_not(house: House) -> None:
    active, empty, off = [await house.add(name) for name in ("active", "empty", "off")]
    house.poe.answers["cookie-empty"] = PointsReading(3)
    await house.run()
    await house.store.set_account_state(off.id, AccountState.DISABLED)
    house.poe.asked.clear()
    house.poe.answers.clear()
    assert (await house.run({"statuses": ["depleted"]}))["succeeded"] == 1
    assert house.poe.asked == ["cookie-empty"]
    assert (await house.store.get_account(empty.id)).eligible_at <= time.time(), "points are back"
    house.poe.asked.clear()
    await house.run({"statuses": ["active", "disabled"]})
    assert sorted(house.poe.asked) == ["cookie-active", "cookie-empty", "cookie-off"]
    assert (await house.store.get_account(off.id)).state is AccountState.DISABLED
    assert (await house.store.get_account(active.id)).state is AccountState.ACTIVE


@pytest.mark.virtual_time
@pytest.mark.usefixtures("job_in_virtual_time")
async def test_a_run_by_statuses_says_where_to_continue(house: House) -> None:
    for number in range(150):
        await house.add(str(number))
    house.poe.pause = lambda: asyncio.sleep(0.05)
    event = {"statuses": ["active"], "concurrency": 10}
    first = await house.run(event, seconds=0.5)
    assert first["remaining"]
    house.poe.pause = None
    second = await house.run({**event, "cursor": first["cursor"]})
    assert not second["remaining"]
    assert len(set(house.poe.asked)) == 150


async def test_named_accounts_are_read_due_or_not(house: House) -> None:
    await house.add("a")
    b = await house.add("b")
    await house.run()
    house.poe.asked.clear()
    answer = await house.run({"account_ids": [b.id, "acct_gone", b.id]})
    assert (answer["succeeded"], answer["skipped"]) == (1, 1)
    assert house.poe.asked == ["cookie-b"]


async def test_derived_data_goes_to_the_client_and_comes_back_when_it_changed(house: House) -> None:
    account = await house.add("a")
    house.poe.session = {"form_key": "derived"}
    await house.run()
    assert (await house.store.read_credentials(account.id))[2] == {"form_key": "derived"}
    await house.run({"account_ids": [account.id]})
    assert house.poe.seen_sessions == [None, {"form_key": "derived"}]


async def test_replaced_credentials_are_not_blamed_for_what_the_old_ones_did(house: House) -> None:
    account = await house.add("a")

    async def replaced_meanwhile() -> Exception:
        await house.add("a")
        return poe_error(ErrorCode.NOT_AUTHENTICATED)

    house.poe.answers["cookie-a"] = replaced_meanwhile
    await house.run()
    after = await house.store.get_account(account.id)
    assert (after.last_error, after.consecutive_errors) == (None, 0)
    assert after.refresh_due_at <= time.time(), "the new ones are still to be read"


async def test_one_line_tells_of_the_run_and_no_secret_is_in_it(house: House) -> None:
    house.poe.answers["cookie-bad"] = RuntimeError("cookie-bad")
    await house.add("bad")
    await house.add("good")
    answer = await house.run()
    books, line, *metrics = house.lines()
    assert {name: books[name] for name in answer["books"]} == answer.pop("books")
    assert {name: line[name] for name in answer} == answer
    assert (line["message"], line["eligible_accounts"], metrics) == ("refresh.ended", 2, [])
    assert line["duration_seconds"] >= 0
    everything = house.output.getvalue() + repr(answer)
    assert "cookie-" not in everything


async def test_metrics_are_written_in_the_embedded_format(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.poe.answers["cookie-bad"] = RuntimeError("x")
    await house.add("bad")
    await house.add("good")
    await house.run()
    assert '"EligibleAccounts":[2.0]' in capsys.readouterr().out.replace(" ", "")


async def test_no_more_than_20_errors_are_shown(house: House) -> None:
    for number in range(25):
        house.poe.answers[f"cookie-{number}"] = poe_error(ErrorCode.TIMEOUT)
        await house.add(str(number))
    answer = await house.run()
    assert (answer["failed"], len(answer["errors"])) == (25, 20)


async def test_a_table_that_cannot_be_reached_ends_the_run_with_its_own_error(house: House, monkeypatch) -> None:
    async def broken(**_: object):
        raise StoreUnavailableError("Query", "timeout")
        yield

    await house.add("a")
    monkeypatch.setattr(house.store, "due_accounts", broken)
    with pytest.raises(StoreUnavailableError):
        await house.run()
    assert house.lines()[0]["message"] == "refresh.failed"


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (StoreUnavailableError("Decrypt", "InvalidCiphertextException"), "StoreUnavailableError"),
        (KeyError("an attribute of a later version"), "unexpected_KeyError"),
    ],
    ids=["refused", "not understood"],
)
async def test_a_table_that_fails_for_one_account_fails_that_one(
    house: House, monkeypatch, failure: Exception, code: str
) -> None:
    bad, _ = await house.add("bad"), await house.add("good")
    claim = house.store.claim_reading

    async def claim_reading(account_id: str, **options: object):
        if account_id == bad.id:
            raise failure
        return await claim(account_id, **options)

    monkeypatch.setattr(house.store, "claim_reading", claim_reading)
    answer = await house.run()
    assert (answer["succeeded"], answer["failed"]) == (1, 1)
    assert answer["errors"] == [{"account": bad.id, "code": code}]


async def test_readings_count_even_if_nobody_can_say_how_many_accounts_serve(
    house: House, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refused(**_: object) -> int:
        raise StoreUnavailableError("Query", "AccessDeniedException")

    await house.add("a")
    monkeypatch.setattr(house.store, "count_eligible", refused)
    assert (await house.run())["succeeded"] == 1
    assert "eligible_accounts" not in house.lines()[0]
    assert "EligibleAccounts" not in capsys.readouterr().out


async def test_an_account_deleted_while_it_is_read_is_skipped(house: House) -> None:
    account = await house.add("a")

    async def deleted_meanwhile() -> PointsReading:
        await house.store.delete_account(account.id)
        return PointsReading(5)

    house.poe.answers["cookie-a"] = deleted_meanwhile
    assert (await house.run())["skipped"] == 1
