"""Names of models."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Any

import pytest

from accounts import AccountStore, InMemoryAccountStore, StoreUnavailableError
from gateway.http.errors import GatewayError
from gateway.http.request_log import Journal
from gateway.models.catalogue import ABSENT_REFRESH_SECONDS, REFRESH_SECONDS, Catalogue, require
from gateway.models.live_config import LiveConfig


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def catalogue_over(store: AccountStore, clock: Clock | None = None) -> Catalogue:
    return Catalogue(LiveConfig(store, Journal(stream=io.StringIO()), clock=clock or Clock()))


EVERYTHING = {
    "id": "Painter",
    "aliases": ["The Painter"],
    "owned_by": "somebody",
    "created": 1_750_000_000,
    "description": "Paints.",
    "input_modalities": ["text", "image"],
    "output_modalities": ["image"],
    "features": [],
    "context_length": 4000,
    "max_output_tokens": 100,
    "pricing": {"request": "300"},
    "parameters": [{"name": "aspect", "schema": {"enum": ["1:1"]}, "default_value": None, "description": ""}],
    "upstream_endpoints": ["/v1/images"],
    "kinds": ["official"],
}


@pytest.mark.parametrize(
    ("name", "bot"),
    [
        ("Grok-4", "Grok-4"),
        ("grok-4", "Grok-4"),
        ("gpt4_o", "GPT-4o"),
        ("DALLE3", "Dall-E-3"),
        ("claude_2_1_cedar", "Claude-3-Opus"),
        ("claude-3-opus", "claude-3-opus"),
        ("claude-opus-4-5", "Claude-Opus-4.5"),
        ("claude-opus-4-5-20251101", "claude-opus-4-5-20251101"),
        ("My-Own-Bot", "My-Own-Bot"),
    ],
)
async def test_names_are_found_without_regard_to_case_and_unknown_ones_passed_on(name: str, bot: str) -> None:
    assert (await catalogue_over(InMemoryAccountStore()).resolve(name)).bot == bot


async def test_dashes_stand_for_dots_only_where_that_leaves_no_doubt() -> None:
    store = InMemoryAccountStore()
    ids = ("A-1.5", "A-1-5", "B-1.2-3", "B-1-2.3", "C-2.5")
    await store.put_config("models", {"models": [{"id": name} for name in ids]})
    catalogue = catalogue_over(store)
    await catalogue.reload()
    found = {name: (await catalogue.resolve(name)).bot for name in ("a-1-5", "b-1-2-3", "c-2-5")}
    assert found == {"a-1-5": "A-1-5", "b-1-2-3": "b-1-2-3", "c-2-5": "C-2.5"}


async def test_an_alias_never_takes_a_name_that_a_model_has() -> None:
    """Whichever stands first in the list, and whether the name is an id or an id with dashes for its dots."""
    for reverse in (False, True):
        models = [
            {"id": "Painter", "aliases": ["Writer", "Speaker-1.5", "Speaker-1-5"]},
            {"id": "Writer"},
            {"id": "Speaker-1.5"},
        ]
        store = InMemoryAccountStore()
        await store.put_config("models", {"models": models[::-1] if reverse else models})
        catalogue = catalogue_over(store)
        await catalogue.reload()
        found = {name: (await catalogue.resolve(name)).bot for name in ("writer", "WRITER", "speaker-1.5")}
        assert found == {"writer": "Writer", "WRITER": "Writer", "speaker-1.5": "Speaker-1.5"}
        # Dashes for dots are only a guess: a name that somebody wrote down wins over it.
        assert (await catalogue.resolve("speaker-1-5")).bot == "Painter"


async def test_the_embedded_list_is_sound_and_claims_no_more_than_is_known() -> None:
    models = await catalogue_over(InMemoryAccountStore()).models()
    names = [name.lower() for model in models for name in (model.id, *model.aliases)]
    assert len(set(names)) == len(names)
    assert all(model.created > 1_700_000_000 for model in models)
    assert all(model.tokens is None and model.pricing is None and model.parameters is None for model in models)


async def test_the_first_stored_list_is_found_within_seconds() -> None:
    store, clock = InMemoryAccountStore(), Clock()
    catalogue = catalogue_over(store, clock)
    assert await catalogue.find("New-Model") is None
    await store.put_config("models", {"models": [{"id": "New-Model"}]})
    clock.now += ABSENT_REFRESH_SECONDS
    assert await catalogue.find("New-Model") is not None


async def test_a_newer_list_replaces_the_stored_one_within_minutes() -> None:
    store, clock = InMemoryAccountStore(), Clock()
    await store.put_config("models", {"models": [{"id": "Old-Model"}]})
    catalogue = catalogue_over(store, clock)
    assert await catalogue.find("New-Model") is None
    await store.put_config("models", {"models": [{"id": "New-Model", "bot": "New_Bot", "aliases": ["nm"]}]})
    assert (await catalogue.resolve("nm")).bot == "nm"
    clock.now += REFRESH_SECONDS
    assert (await catalogue.resolve("nm")).bot == "New_Bot"
    assert [model.id for model in await catalogue.models()] == ["New-Model"]


async def test_what_the_table_knows_of_a_model_is_known_to_the_first_request() -> None:
    store = InMemoryAccountStore()
    await store.put_config("models", {"updated_at": 5.0, "models": [EVERYTHING]})
    model = await catalogue_over(store).find("the painter")
    assert model is not None
    shown = model.to_openai()
    assert {name: shown[name] for name in EVERYTHING if name not in ("upstream_endpoints", "aliases")} == {
        name: value for name, value in EVERYTHING.items() if name not in ("upstream_endpoints", "aliases")
    }
    assert shown["tokens"] == 4000
    assert shown["endpoints"] == ["/v1/chat/completions", "/v1/images/generations", "/v1/images/edits"]
    assert model.upstream_endpoints == ("/v1/images",)


async def test_a_table_that_is_asked_again_and_has_nothing_new_changes_no_object() -> None:
    store, clock = InMemoryAccountStore(), Clock()
    await store.put_config("models", {"updated_at": 5.0, "models": [EVERYTHING]})
    catalogue = catalogue_over(store, clock)
    first = await catalogue.models()
    clock.now += REFRESH_SECONDS
    assert await catalogue.models() is first


async def test_a_model_of_which_nobody_said_what_it_makes_is_offered_wherever_text_is() -> None:
    model = await catalogue_over(InMemoryAccountStore()).find("Grok-4")
    assert model is not None and model.output_modalities is None
    assert set(model.endpoints) == {"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/completions"}


async def test_what_nobody_said_is_not_refused() -> None:
    catalogue = catalogue_over(InMemoryAccountStore())
    require(None, "image", "images")
    require(await catalogue.find("Grok-4"), "image", "images")
    with pytest.raises(GatewayError) as caught:
        require(await catalogue.find("dall-e-3"), "audio", "speech")
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "unsupported_endpoint", "model")


async def test_a_table_that_can_not_be_read_changes_nothing() -> None:
    class Store(InMemoryAccountStore):
        async def get_configs(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
            raise StoreUnavailableError("get_configs", "timeout")

    catalogue = catalogue_over(Store())
    assert len(await catalogue.models()) > 10
    assert (await catalogue.resolve("unknown")).bot == "unknown"
