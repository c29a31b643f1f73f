"""Names of models."""

from __future__ import annotations

import pytest

from accounts import InMemoryAccountStore, StoreUnavailableError
from gateway.catalogue import REFRESH_SECONDS, Catalogue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("name", "bot"),
    [
        ("GPT-5", "GPT-5"),
        ("gpt-5", "GPT-5"),
        ("deepseek-chat", "DeepSeek-V3.2"),
        ("DeepSeek-Chat", "DeepSeek-V3.2"),
        ("My-Own-Bot", "My-Own-Bot"),
    ],
)
async def test_names_are_found_without_regard_to_case_and_unknown_ones_passed_on(name: str, bot: str) -> None:
    assert await Catalogue(InMemoryAccountStore()).bot(name) == bot


async def test_the_embedded_list_is_sound() -> None:
    models = await Catalogue(InMemoryAccountStore()).models()
    names = [name.lower() for model in models for name in (model.id, *model.aliases)]
    assert len(set(names)) == len(names)
    assert all(model.created > 1_700_000_000 and (model.tokens or 0) > 1000 for model in models)


async def test_the_tables_list_replaces_the_embedded_one_within_minutes() -> None:
    store, clock = InMemoryAccountStore(), Clock()
    catalogue = Catalogue(store, clock=clock)
    assert await catalogue.find("New-Model") is None
    await store.put_config("models", {"models": [{"id": "New-Model", "bot": "New_Bot", "aliases": ["nm"]}]})
    assert await catalogue.bot("nm") == "nm"
    clock.now += REFRESH_SECONDS
    assert await catalogue.bot("nm") == "New_Bot"
    assert [model.id for model in await catalogue.models()] == ["New-Model"]


async def test_a_known_name_asks_nobody() -> None:
    class Store(InMemoryAccountStore):
        async def get_config(self, name: str) -> dict[str, object] | None:
            raise AssertionError

    assert await Catalogue(Store()).bot("gpt-5") == "GPT-5"


async def test_a_table_that_can_not_be_read_changes_nothing() -> None:
    class Store(InMemoryAccountStore):
        async def get_config(self, name: str) -> dict[str, object] | None:
            raise StoreUnavailableError("get_config", "timeout")

    catalogue = Catalogue(Store())
    assert len(await catalogue.models()) > 10
    assert await catalogue.bot("unknown") == "unknown"
