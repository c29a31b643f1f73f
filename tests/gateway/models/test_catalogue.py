"""Names of models."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Collection
from typing import Any

import pytest

from accounts import AccountStore, InMemoryAccountStore, StoreUnavailableError
from gateway.http.errors import GatewayError
from gateway.http.request_log import Journal
from gateway.models.catalogue import ABSENT_REFRESH_SECONDS, REFRESH_SECONDS, Catalogue, require
from gateway.models.live_config import LiveConfig
from refresh_points.catalogue import put_models
from tests.accounts.test_documents import counted_rows

# Loggers live as long as the process: each journal that is looked at has its own.
NUMBERS = itertools.count()


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


async def store_many(store: AccountStore, *, updated_at: float = 5.0) -> None:
    """A list as the scheduled job stores it, large enough to be packed."""
    models = [
        {"id": f"Maker-{number}.5", "aliases": [f"m {number}"], "description": "says much " * 30}
        for number in range(200)
    ]
    await put_models(store, {"updated_at": updated_at, "created": 1, "models": models})


async def test_a_new_sandbox_reads_no_row_and_a_chat_those_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    store = InMemoryAccountStore()
    await store_many(store)
    aliases = {"best": {"model": "maker-7.5", "fallbacks": ["m8", "Maker-9-5", "Unlisted"]}}
    await store.put_config("model_aliases", {"aliases": aliases})
    parsed = counted_rows(monkeypatch)
    catalogue = catalogue_over(store)
    await catalogue.refresh()
    assert (catalogue.updated_at, parsed) == (5.0, [])
    for _ in range(2):
        assert (await catalogue.resolve("maker-17-5")).bot == "Maker-17.5"
        assert (await catalogue.resolve("nobody's")).model is None
    assert parsed == [17]
    meant = await catalogue.resolve("best")
    assert [meant.bot, *(other.bot for other in meant.fallbacks)] == ["Maker-7.5", "Maker-8.5", "Maker-9.5", "Unlisted"]
    assert parsed == [17, 7, 8, 9]
    assert len(await catalogue.models()) == 200


async def test_the_same_list_read_again_is_not_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock = InMemoryAccountStore(), Clock()
    await store_many(store)
    catalogue = catalogue_over(store, clock)
    parsed = counted_rows(monkeypatch)
    before = await catalogue.find("m17")
    clock.now += REFRESH_SECONDS
    assert await catalogue.find("m17") is before
    assert parsed == [17]
    await store_many(store, updated_at=6.0)
    clock.now += REFRESH_SECONDS
    after = await catalogue.find("m17")
    assert after == before and after is not before


async def test_a_list_that_the_last_version_stored_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from accounts import _documents

    store = InMemoryAccountStore()
    monkeypatch.setattr(_documents, "pack_by_row", _documents.pack)
    models = [{"id": f"Maker-{number}.5", "description": "says much " * 30} for number in range(200)]
    await store.put_config("models", {"updated_at": 5.0, "created": 1, "models": models})
    catalogue = catalogue_over(store)
    assert (await catalogue.resolve("maker-17-5")).bot == "Maker-17.5"
    assert [model.id for model in await catalogue.models()] == sorted(model["id"] for model in models)


async def test_a_broken_row_is_reported_once_and_the_rest_of_the_list_counts() -> None:
    store, log = InMemoryAccountStore(), io.StringIO()
    models = [{"id": "Good"}, {"name": "secret"}, None, {"id": "Moved"}]
    names = [["Good"], ["Bad"], ["Worse"], ["Elsewhere"]]
    await store.put_config("models", {"updated_at": 5.0, "models": models, "names": names})
    catalogue = Catalogue(LiveConfig(store, Journal(stream=log, service=f"catalogue-{next(NUMBERS)}"), clock=Clock()))
    for name in ("Bad", "Worse", "Elsewhere", "Good"):
        meant = await catalogue.resolve(name)
        assert (meant.bot, meant.model is not None) == (name, name == "Good")
    assert [model.id for model in await catalogue.entries()] == ["Good"]
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["message"], line["config"], line["code"]) == ("config.unusable", "models", "KeyError")
    assert "secret" not in log.getvalue()


async def test_a_list_without_a_good_row_leaves_the_last_good_one() -> None:
    store, log, clock = InMemoryAccountStore(), io.StringIO(), Clock()
    await store.put_config("models", {"updated_at": 5.0, "models": [{"id": "Good"}]})
    catalogue = Catalogue(LiveConfig(store, Journal(stream=log, service=f"catalogue-{next(NUMBERS)}"), clock=clock))
    kept = await catalogue.models()
    for models in ([None], [{"name": "a"}], "text", 5, []):
        await store.put_config("models", {"updated_at": 6.0, "models": models})
        clock.now += REFRESH_SECONDS
        assert await catalogue.models() is kept
    assert catalogue.updated_at == 5.0
    assert {json.loads(line)["message"] for line in log.getvalue().splitlines()} == {"config.unusable"}


async def test_entries_are_the_same_object_until_the_list_or_the_aliases_change() -> None:
    store, clock = InMemoryAccountStore(), Clock()
    await store_many(store)
    catalogue = catalogue_over(store, clock)
    plain = await catalogue.entries()
    assert plain is await catalogue.models()
    seen = [plain]
    for aliases in ({"best": "m7"}, {"best": "m8"}, {}):
        await store.put_config("model_aliases", {"aliases": aliases})
        catalogue.forget_aliases()
        entries = await catalogue.entries()
        assert all(entries is not other for other in seen[-1:])
        clock.now += REFRESH_SECONDS
        assert await catalogue.entries() is entries, "read again, and nothing is new"
        seen.append(entries)
    assert seen[-1] is plain
    assert [[entry.id for entry in entries if entry.alias_of] for entries in seen] == [[], ["best"], ["best"], []]
    await store_many(store, updated_at=6.0)
    await catalogue.reload()
    assert await catalogue.entries() is not plain
