"""What an operator replaces while the gateway runs."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Collection
from typing import Any

import pytest

from accounts import AccountKind, InMemoryAccountStore, StoreUnavailableError
from gateway.http.request_log import Journal
from gateway.models.live_config import REFRESH_SECONDS, LiveConfig, PoeSettings
from reverse.config import PoeConfig
from tests.gateway.scripted import House, ask

HASH = "a" * 64

# Loggers live as long as the process, and an address may be given again: each has a number of its own.
NUMBERS = itertools.count()


class CountingStore(InMemoryAccountStore):
    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.error: Exception | None = None

    async def get_configs(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        self.reads += 1
        if self.error is not None:
            raise self.error
        return await super().get_configs(names)


class Setting:
    """A configuration with its surroundings."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = CountingStore()
        self.log = io.StringIO()
        journal = Journal(level="info", stream=self.log, service=f"poe-settings-{next(NUMBERS)}")
        self.settings = PoeSettings(PoeConfig(), LiveConfig(self.store, journal, clock=lambda: self.now))


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_overrides_are_believed_for_a_minute(setting: Setting) -> None:
    before = await setting.settings.refresh()
    await setting.store.put_config("poe", {"operation_hashes": {"a": HASH}})
    assert await setting.settings.refresh() is before
    assert setting.store.reads == 1
    setting.now += REFRESH_SECONDS
    assert (await setting.settings.refresh()).operation_hashes == {"a": HASH}


async def test_the_configuration_stays_the_same_object_while_nothing_changes(setting: Setting) -> None:
    await setting.store.put_config("poe", {"operation_hashes": {"a": HASH}})
    first = await setting.settings.refresh()
    setting.now += REFRESH_SECONDS
    assert await setting.settings.refresh() is first


async def test_overrides_that_are_gone_no_longer_count(setting: Setting) -> None:
    await setting.store.put_config("poe", {"operation_hashes": {"a": HASH}})
    await setting.settings.refresh()
    await setting.store.put_config("poe", {})
    setting.settings.forget()
    assert await setting.settings.refresh() == PoeConfig()


@pytest.mark.parametrize("is_down", [True, False])
async def test_what_can_not_be_read_or_used_leaves_everything_as_it_was(setting: Setting, is_down: bool) -> None:
    await setting.store.put_config("poe", {"operation_hashes": {"a": HASH}})
    config = await setting.settings.refresh()
    setting.now += REFRESH_SECONDS
    if is_down:
        setting.store.error = StoreUnavailableError("get config", "down")
    else:
        await setting.store.put_config("poe", {"operation_hashes": "nonsense"})
    assert await setting.settings.refresh() is config
    assert json.loads(setting.log.getvalue().splitlines()[-1])["message"] == "config.unusable"


async def test_the_admin_replaces_overrides_and_web_clients_are_made_anew(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    await house.call(body=ask())
    await house.call(body=ask())
    assert len(house.poe.clients) == 1
    assert (await house.admin("/config/poe")).json == {}
    document = {"operation_hashes": {"SendMessageMutation": HASH}}
    assert (await house.admin("/config/poe", document, method="PUT")).json == document
    assert (await house.admin("/config/poe")).json == document
    await house.call(body=ask())
    assert [client.is_closed for client in house.poe.clients] == [True, False]
    assert house.services.poe_settings.config.operation_hashes == document["operation_hashes"]


async def test_overrides_that_can_not_be_used_are_refused_and_change_nothing(house: House) -> None:
    answer = await house.admin("/config/poe", {"operation_hashes": {"a": "?"}}, method="PUT")
    assert (answer.status, answer.error["param"]) == (400, "operation_hashes.a")
    assert (await house.admin("/config/poe", [], method="PUT")).status == 400
    assert (await house.admin("/config/poe")).json == {}


async def test_overrides_are_for_the_admin_only(house: House) -> None:
    assert (await house.call("/admin/config/poe")).status == 403
