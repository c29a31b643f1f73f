"""How often a chat waits for AWS: calls that are made at the same time are one step."""

from __future__ import annotations

import random
import time

import pytest

from accounts import AccountKind, LeaseRequest, Outcome
from accounts._dynamodb import DynamoDBAccountStore
from accounts._table import Table
from accounts._vault_kms import KmsVault
from gateway.app import create_app
from gateway.bootstrap import build_services
from gateway.http.auth import KEY_CACHE_SECONDS
from gateway.settings import Settings
from tests.accounts.watched import WatchedAws
from tests.gateway.scripted import House, ask

LEASE = {"PutItem": 1, "GetItem": 1}
BOOKING = {"TransactWriteItems": 1}
KINDS = pytest.mark.parametrize("kind", AccountKind)


class Sandbox(House):
    """A gateway over a table that others may have used."""

    def __init__(self, settings: Settings, aws: WatchedAws) -> None:
        super().__init__(settings)
        self.aws = aws
        self.seconds = 0.0
        now = time.time()
        self.store = DynamoDBAccountStore(
            Table(aws, "t"), KmsVault(aws, "key"), clock=lambda: now + self.seconds, rng=random.Random(3)
        )
        self.services = build_services(
            settings, store=self.store, make_client=self.poe.make_client, journal=self.services.journal
        )
        self.services.authenticator._clock = lambda: self.seconds
        self.app = create_app(lambda: self.services)

    async def init(self) -> None:
        """What Lambda's init phase has done before the first request."""
        await self.services.connect(await self.services.warm_up())
        self.aws.clear()

    async def chat(self, **changes: object) -> list[dict[str, int]]:
        """The steps of one chat."""
        self.aws.clear()
        answer = await self.call(body={**ask("hello"), **changes})
        assert answer.status == 200, answer.text
        return [dict(step) for step in self.aws.steps]


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return Settings.from_env(environment)


async def used_table(settings: Settings, kind: AccountKind, **limits: int) -> WatchedAws:
    """A table with an account that another sandbox has used a moment ago."""
    aws = WatchedAws()
    other = Sandbox(settings, aws)
    await other.add_key(**limits)
    await other.add_account(kind=kind)
    await other.chat()
    if kind is AccountKind.WEB:
        # What a web client leaves for the next one.
        lease = await other.store.lease(LeaseRequest(owner="other", bot="gpt-5", ttl_seconds=60))
        await other.store.release(lease, Outcome(), session_data={"form_key": "f"})
    await other.services.aclose()
    return aws


@KINDS
async def test_a_new_sandboxs_first_chat_takes_two_steps_to_poe(settings: Settings, kind: AccountKind) -> None:
    """The key, then the slot with everything else; the second step of a web account unseals its session data, too."""
    sandbox = Sandbox(settings, await used_table(settings, kind))
    await sandbox.init()
    key, lease, booking = await sandbox.chat()
    assert key == {"BatchGetItem": 1}
    assert lease == {**LEASE, "Decrypt": 2 if kind is AccountKind.WEB else 1}
    assert booking == BOOKING
    await sandbox.services.aclose()


@KINDS
@pytest.mark.parametrize(
    ("seconds", "first_steps"),
    [
        pytest.param(KEY_CACHE_SECONDS / 5, [], id="warm: one step"),
        pytest.param(KEY_CACHE_SECONDS + 1, [{"BatchGetItem": 1, "Query": 1}], id="key and accounts read together"),
    ],
)
async def test_further_chats(
    settings: Settings, kind: AccountKind, seconds: float, first_steps: list[dict[str, int]]
) -> None:
    sandbox = Sandbox(settings, await used_table(settings, kind))
    await sandbox.init()
    await sandbox.chat()
    for _ in range(3):
        sandbox.seconds += seconds
        assert await sandbox.chat(stream=True) == [*first_steps, LEASE, BOOKING]
    await sandbox.services.aclose()


async def test_a_budget_is_reserved_in_a_step_of_its_own(settings: Settings) -> None:
    sandbox = Sandbox(settings, await used_table(settings, AccountKind.OFFICIAL, points_per_day=10_000))
    await sandbox.init()
    await sandbox.chat()
    assert (await sandbox.chat())[:2] == [{"UpdateItem": 1}, LEASE]
    await sandbox.services.aclose()


async def test_whoever_has_no_key_makes_the_table_read_no_accounts(settings: Settings) -> None:
    sandbox = Sandbox(settings, await used_table(settings, AccountKind.OFFICIAL))
    await sandbox.init()
    for _ in range(2):
        sandbox.seconds += KEY_CACHE_SECONDS + 1
        answer = await sandbox.call(body=ask("hello"), key="sk-wrong")
        assert answer.status == 401
    assert sandbox.aws.calls == {"BatchGetItem": 2}
    await sandbox.services.aclose()


async def test_a_request_that_needs_no_account_reads_none(settings: Settings) -> None:
    sandbox = Sandbox(settings, await used_table(settings, AccountKind.OFFICIAL))
    await sandbox.init()
    await sandbox.chat()
    sandbox.seconds += KEY_CACHE_SECONDS + 1
    sandbox.aws.clear()
    assert (await sandbox.call("/v1/models")).status == 200
    assert sandbox.aws.calls["Query"] == 0
    await sandbox.services.aclose()
