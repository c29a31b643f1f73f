"""Documents of the table that are read again when they are old."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
from collections.abc import Collection
from typing import Any

import pytest

from accounts import ApiKey, InMemoryAccountStore, StoreUnavailableError
from gateway.http.request_log import Journal
from gateway.models.live_config import Document, LiveConfig
from tests.gateway.scripted import House, ask

# Loggers live as long as the process, and an address may be given again: each has a number of its own.
NUMBERS = itertools.count()


class RecordingStore(InMemoryAccountStore):
    """Notes every read, and fails while `error` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[Any] = []
        self.error: Exception | None = None

    async def find_key(self, secret: str) -> ApiKey | None:
        self.note("key")
        return await super().find_key(secret)

    async def get_configs(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        self.note(list(names))
        return await super().get_configs(names)

    async def find_key_and_configs(
        self, secret: str, names: Collection[str]
    ) -> tuple[ApiKey | None, dict[str, dict[str, Any]]]:
        self.note(["key", *names])
        return await InMemoryAccountStore.find_key(self, secret), await InMemoryAccountStore.get_configs(self, names)

    def note(self, read: Any) -> None:
        self.reads.append(read)
        if self.error is not None:
            raise self.error


class Watching:
    """Two documents: `often` is due every 60 seconds, `seldom` every 300."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = RecordingStore()
        self.log = io.StringIO()
        journal = Journal(level="info", stream=self.log, service=f"live-config-{next(NUMBERS)}")
        self.live = LiveConfig(self.store, journal, clock=lambda: self.now)
        self.taken: list[tuple[str, Document | None]] = []
        self.live.watch("often", lambda document: self.taken.append(("often", document)), every_seconds=60)
        self.live.watch("seldom", self.take_seldom, every_seconds=300)

    def take_seldom(self, document: Document | None) -> None:
        if document == {"is": "nonsense"}:
            raise ValueError("this can't be used")
        self.taken.append(("seldom", document))

    def logged(self) -> list[tuple[str, str]]:
        return [(line["config"], line["code"]) for line in map(json.loads, self.log.getvalue().splitlines())]


@pytest.fixture
def watching() -> Watching:
    return Watching()


async def test_what_is_due_is_read_together_with_a_key(watching: Watching) -> None:
    key, secret = await watching.store.create_key(name="a")
    await watching.store.put_config("often", {"n": 1})
    assert await watching.live.find_key(secret) == key
    await watching.live.refresh()
    watching.now = 59
    assert await watching.live.find_key(secret) == key
    watching.now = 60
    assert await watching.live.find_key("sk-poe-nobody-has-this") is None
    watching.now = 300
    await watching.live.refresh()
    assert watching.store.reads == [["key", "often", "seldom"], "key", ["key", "often"], ["often", "seldom"]]
    assert watching.taken[:3] == [("often", {"n": 1}), ("seldom", None), ("often", {"n": 1})]


async def test_a_document_that_was_changed_here_is_due_at_once(watching: Watching) -> None:
    await watching.live.refresh()
    watching.live.forget("seldom")
    await watching.live.refresh()
    await watching.live.reload("seldom")
    await watching.live.refresh()
    assert watching.store.reads == [["often", "seldom"], ["seldom"], ["seldom"]]


async def test_a_table_that_does_not_answer_is_asked_again_later_and_logged(watching: Watching) -> None:
    watching.store.error = StoreUnavailableError("BatchGetItem", "timeout")
    await watching.live.refresh()
    await watching.live.refresh()
    assert len(watching.store.reads) == 1
    assert watching.taken == []
    assert watching.logged() == [("often", "StoreUnavailableError"), ("seldom", "StoreUnavailableError")]
    with pytest.raises(StoreUnavailableError):
        await watching.live.reload("often")


async def test_what_could_not_be_read_early_is_due_with_the_first_request(watching: Watching) -> None:
    watching.store.error = StoreUnavailableError("BatchGetItem", "timeout")
    await watching.live.refresh_early()
    watching.store.error = None
    await watching.live.refresh()
    await watching.live.refresh_early()
    assert watching.store.reads == [["often", "seldom"]] * 2
    assert watching.taken == [("often", None), ("seldom", None)]


async def test_a_read_that_was_cancelled_is_done_by_the_next_one(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the sandbox starts while the table does not answer, or a caller hangs up."""
    is_asked = asyncio.Event()

    async def hang(names: Collection[str]) -> dict[str, dict[str, Any]]:
        is_asked.set()
        return await asyncio.Future[dict[str, dict[str, Any]]]()

    with monkeypatch.context() as patched:
        patched.setattr(watching.store, "get_configs", hang)
        reading = asyncio.create_task(watching.live.refresh())
        await is_asked.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    await watching.live.refresh()
    assert watching.taken == [("often", None), ("seldom", None)]


async def test_when_a_key_can_not_be_read_its_documents_stay_due(watching: Watching) -> None:
    watching.store.error = StoreUnavailableError("BatchGetItem", "timeout")
    with pytest.raises(StoreUnavailableError):
        await watching.live.find_key("sk-poe-some-secret-0")
    watching.store.error = None
    await watching.live.refresh()
    assert watching.taken == [("often", None), ("seldom", None)]


async def test_a_document_that_is_not_there_yet_is_looked_for_again_soon() -> None:
    watching = Watching()
    watching.live.watch("new", lambda _: None, every_seconds=300, every_seconds_if_absent=5)
    await watching.live.refresh()
    watching.now = 5
    await watching.store.put_config("new", {"n": 1})
    await watching.live.refresh()
    watching.now = 10
    await watching.live.refresh()
    assert watching.store.reads == [["often", "seldom", "new"], ["new"]]


async def test_a_document_that_can_not_be_used_hurts_no_other(watching: Watching) -> None:
    await watching.store.put_config("seldom", {"is": "nonsense"})
    await watching.store.put_config("often", {"n": 1})
    await watching.live.refresh()
    assert watching.taken == [("often", {"n": 1})]
    assert watching.logged() == [("seldom", "ValueError")]


@pytest.mark.parametrize("document", [{"models": 5}, {"models": [{"name": "no id"}]}, {"models": ["text"]}])
async def test_a_list_of_models_that_can_not_be_read_leaves_the_last_one(
    house: House, document: dict[str, Any]
) -> None:
    await house.add_account("key")
    before = await house.services.catalogue.models()
    await house.store.put_config("models", document)
    await house.services.catalogue.reload()
    assert await house.services.catalogue.models() is before
    assert (await house.call(body=ask())).status == 200
