"""Alerts of whole runs: each cause is told once, by each channel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from accounts import AccountState, Alert, InMemoryAccountStore, Reservation, StoreUnavailableError
from refresh_points import alerts as alerts_module
from refresh_points.topic import TopicChannel
from reverse.chat import PointsReading
from reverse.errors import ErrorCode, poe_error

if TYPE_CHECKING:
    from tests.refresh_points.conftest import House

HOUR = 3_600.0


@dataclass
class Inbox:
    """A channel that keeps what it was told."""

    messages: list[list[Alert]] = field(default_factory=list)
    more: list[int] = field(default_factory=list)
    failures: list[str | None] = field(default_factory=list)

    async def send(self, alerts: Sequence[Alert], *, more: int) -> str | None:
        code = self.failures.pop(0) if self.failures else None
        if code is None:
            self.messages.append(list(alerts))
            self.more.append(more)
        return code

    @property
    def kinds(self) -> list[list[str]]:
        return [sorted(alert.kind for alert in message) for message in self.messages]


class Told:
    """A house whose clock is moved, with an inbox."""

    def __init__(self, house: House) -> None:
        self.now = 1_764_500_000.0
        self.house = house
        house.store = InMemoryAccountStore(clock=lambda: self.now)
        house.wall_clock = lambda: self.now
        self.inbox = Inbox()
        self.channels: dict[str, Any] = {"inbox": self.inbox}

    async def run(self, after: float = 600.0, **options: Any) -> dict[str, Any]:
        self.now += after
        return await self.house.run(channels=self.channels, **options)

    def balance(self, name: str, balance: int, allotment: int | None = 1_000) -> None:
        self.house.poe.answers[f"cookie-{name}"] = PointsReading(balance, allotment=allotment)

    async def read_again(self, name: str) -> None:
        """Make a reading due."""
        (account,) = [a for a in (await self.house.store.list_accounts()).items if a.label == name]
        await self.house.store.claim_refresh(account.id, now=self.now, lease_seconds=0, force=True)


@pytest.fixture
def told(house: House) -> Told:
    return Told(house)


async def test_points_that_run_low_are_told_once_and_again_after_the_next_grant(told: Told) -> None:
    await told.house.add("me")
    told.balance("me", 150)
    await told.run()
    assert told.inbox.kinds == [["points_low"]]
    assert "150 of 1,000" in told.inbox.messages[0][0].text
    for _ in range(5):
        await told.read_again("me")
        await told.run()
    assert told.inbox.kinds == [["points_low"]], "each cause once"
    told.balance("me", 30)
    await told.read_again("me")
    await told.run()
    assert told.inbox.kinds[1:] == [["points_nearly_gone"]]
    told.balance("me", 1_000)
    await told.read_again("me")
    await told.run()
    assert [alert.kind for alert in await told.house.store.list_alerts() if alert.is_open] == []
    told.balance("me", 150)
    await told.read_again("me")
    await told.run(after=7 * HOUR)
    assert ["points_low"] in told.inbox.kinds[2:] or ["job_late", "points_low"] in told.inbox.kinds[2:]


async def test_refused_credentials_and_no_account_at_all_are_told(told: Told) -> None:
    account = await told.house.add("me")
    told.house.poe.answers["cookie-me"] = poe_error(ErrorCode.NOT_AUTHENTICATED)
    for _ in range(4):
        await told.read_again("me")
        await told.run()
    assert sorted(kind for kinds in told.inbox.kinds for kind in kinds) == ["account_refused", "no_account"]
    assert told.inbox.messages[0][0].account_id in (account.id, None)
    told.balance("me", 1_000)
    await told.house.add("me")
    await told.run()
    assert not [alert for alert in await told.house.store.list_alerts() if alert.is_open]


async def test_nobody_is_told_of_a_deployment_that_has_no_account_yet(told: Told) -> None:
    await told.run()
    assert told.inbox.messages == []


@pytest.mark.parametrize("how", ["disabled", "deleted"])
async def test_an_alert_ends_with_its_account(told: Told, how: str) -> None:
    account = await told.house.add("me")
    await told.house.add("other")
    told.balance("me", 10)
    await told.run()
    if how == "disabled":
        await told.house.store.set_account_state(account.id, AccountState.DISABLED)
    else:
        await told.house.store.delete_account(account.id)
    await told.run()
    assert not [alert for alert in await told.house.store.list_alerts() if alert.is_open]


async def test_a_budget_is_told_near_its_end_and_at_it(told: Told) -> None:
    await told.house.add("me")
    key, _ = await told.house.store.create_key(name="laptop", points_per_day=100)
    for owner, expected in (("a", []), ("b", [["budget_near"]]), ("c", [["budget_near"], ["budget_spent"]])):
        await told.house.store.reserve_budget(key, Reservation(owners=[owner], points=40 if owner != "c" else 20))
        await told.run(after=60)
        assert told.inbox.kinds == expected


async def test_a_budget_stays_told_by_runs_that_have_no_time_to_look_at_all_keys(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, _ = await told.house.store.create_key(name="laptop", points_per_day=100)
    await told.house.store.reserve_budget(key, Reservation(owners=["a"], points=90))
    await told.run(after=60)
    monkeypatch.setattr(alerts_module, "_KEYS_PAGES", 0)
    await told.run(after=60)
    assert [alert.kind for alert in await told.house.store.list_alerts() if alert.is_open] == ["budget_near"]
    await told.run(after=24 * HOUR)
    assert not [
        alert for alert in await told.house.store.list_alerts() if alert.kind == "budget_near" and alert.is_open
    ]
    assert told.inbox.kinds[0] == ["budget_near"]


async def test_a_job_that_was_late_says_so_when_it_runs_again(told: Told) -> None:
    await told.house.add("me")
    await told.run()
    told.inbox.failures = ["http_500"]
    await told.run(after=5 * HOUR)
    assert told.inbox.messages == [], "the message was not taken"
    await told.run()
    await told.run()
    assert told.inbox.kinds == [["job_late"]]


async def test_a_channel_that_failed_is_told_again_and_the_others_are_not(told: Told) -> None:
    other = Inbox(failures=["http_500", "timeout"])
    told.channels["other"] = other
    await told.house.add("me")
    told.balance("me", 150)
    await told.run()
    await told.run()
    await told.run()
    await told.run()
    assert told.inbox.kinds == [["points_low"]]
    assert other.kinds == [["points_low"]]
    failures = [line["failures"] for line in told.house.lines() if line["message"] == "alerts.told"]
    assert failures[:2] == [{"other": "http_500"}, {"other": "timeout"}]


async def test_a_channel_that_is_set_up_later_is_told_what_is_open(told: Told) -> None:
    await told.house.add("me")
    told.balance("me", 150)
    channels, told.channels = told.channels, {}
    await told.run()
    told.channels = channels
    await told.run()
    assert told.inbox.kinds == [["points_low"]]


async def test_of_two_runs_one_tells(told: Told) -> None:
    await told.house.add("me")
    told.balance("me", 150)
    store = told.house.store
    put, claims = store.put_alert, []

    async def slow(alert: Alert) -> Alert | None:
        if alert.claimed_until > told.now:
            claims.append(await put(alert))  # Another run is a moment faster.
        return await put(alert)

    store.put_alert = slow
    await told.run()
    assert told.inbox.messages == []
    store.put_alert = put
    await told.run(after=60)
    assert told.inbox.messages == [], "the other run is telling it"
    await told.run(after=200)
    assert told.inbox.kinds == [["points_low"]], "the other run was killed"


async def test_one_message_is_bounded_and_says_how_many_more(told: Told) -> None:
    for number in range(30):
        await told.house.add(f"a{number}")
        told.balance(f"a{number}", 100)
    await told.run()
    assert (len(told.inbox.messages[0]), told.inbox.more) == (20, [10])
    await told.run()
    assert (len(told.inbox.messages[1]), told.inbox.more) == (10, [10, 0])
    assert len({alert.id for message in told.inbox.messages for alert in message}) == 30


async def test_what_is_found_is_bounded_and_what_is_open_does_not_flap(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_module, "MAX_FOUND", 3)
    for number in range(6):
        await told.house.add(f"a{number}")
        told.balance(f"a{number}", 100)
    for _ in range(4):
        await told.run()
    assert sum(len(message) for message in told.inbox.messages) == 3
    assert len([alert for alert in await told.house.store.list_alerts() if alert.is_open]) == 3


@pytest.mark.parametrize("event", [{"dry_run": True}, {"account_ids": ["acct_x"]}, {"statuses": ["active"]}])
async def test_runs_that_somebody_asked_for_tell_nobody(told: Told, event: dict[str, Any]) -> None:
    await told.house.add("me")
    told.balance("me", 150)
    await told.run(event=event)
    assert told.inbox.messages == []


async def test_a_table_that_does_not_answer_leaves_the_run_its_result(told: Told) -> None:
    await told.house.add("me")

    async def fail() -> None:
        raise StoreUnavailableError("Query", "ThrottlingException")

    told.house.store.list_alerts = fail
    assert (await told.run())["succeeded"] == 1
    (line,) = [line for line in told.house.lines() if line["message"] == "alerts.told"]
    assert line["failures"] == {"table": "StoreUnavailableError"}


@dataclass
class Sns:
    """As much of boto3's client as is used."""

    error: Exception | None = None
    published: list[dict[str, str]] = field(default_factory=list)

    def publish(self, **message: str) -> None:
        if self.error is not None:
            raise self.error
        self.published.append(message)


ALERT = Alert(id="points_low:acct_1", kind="points_low", text="Account 'Zoë' has few points.")


async def test_a_topic_gets_a_subject_and_a_text() -> None:
    sns = Sns()
    assert await TopicChannel("arn:topic", sns).send([ALERT], more=2) is None
    (message,) = sns.published
    assert message["TopicArn"] == "arn:topic"
    assert message["Subject"] == "Poe gateway: 3 alerts (points_low)"
    assert "Account 'Zoë' has few points." in message["Message"]
    assert "and 2 more" in message["Message"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClientError({"Error": {"Code": "AuthorizationError", "Message": "secret"}}, "Publish"), "AuthorizationError"),
        (EndpointConnectionError(endpoint_url="https://sns.example"), "EndpointConnectionError"),
    ],
)
async def test_a_topic_that_can_not_be_reached_is_a_code(error: Exception, code: str) -> None:
    assert await TopicChannel("arn:topic", Sns(error)).send([ALERT], more=0) == code


async def test_the_topics_client_gives_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def client(name: str, *, config: Any) -> Sns:
        made.append((name, config))
        return Sns()

    monkeypatch.setattr(boto3, "client", client)
    assert await TopicChannel("arn:topic").send([ALERT], more=0) is None
    ((name, config),) = made
    assert (name, config.connect_timeout, config.read_timeout) == ("sns", 5, 5)
    assert config.retries == {"total_max_attempts": 2}


def test_boto3_is_imported_when_there_is_something_to_tell() -> None:
    program = "import sys, refresh_points.handler; sys.exit('boto3' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0
