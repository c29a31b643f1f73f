"""The list of models: when it is read, what becomes of failures, and that both simulators' bots are in it."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest

from accounts import AccountKind, StoreUnavailableError
from local.poe_official import PoeOfficialSimulator
from local.poe_web import PoeWebSimulator
from pool.clients import PoeClients
from refresh_points.catalogue import CatalogueSources, names_of, refresh_catalogue
from reverse.config import PoeConfig
from reverse.errors import ErrorCode, poe_error
from tests.refresh_points.conftest import House

OFFICIAL = [{"id": "gpt-x", "context_length": 9000, "kinds": ["official"]}]
WEB = [{"id": "GPT-X", "description": "said on the web", "kinds": ["web"]}, {"id": "Mine", "kinds": ["web"]}]


class Sources:
    """Says what it is told to."""

    def __init__(self, official: Any = None, web: Any = None) -> None:
        self.answers = {"official": official, "web": web}
        self.asked = 0

    def mapping(self) -> dict[str, Any]:
        def reader(kind: str) -> Any:
            async def read() -> Any:
                self.asked += 1
                answer = self.answers[kind]
                if isinstance(answer, Exception):
                    raise answer
                return answer

            return read

        return {kind: reader(kind) for kind in self.answers}


async def refresh(house: House, sources: Sources, **limits: float) -> Any:
    return await refresh_catalogue(
        house.store, sources.mapping(), **{"now": 1e9, "max_age_seconds": 3600, "seconds": 10} | limits
    )


async def names(house: House) -> dict[str, Any]:
    return {entry["id"]: entry for entry in (await house.store.get_config("models"))["models"]}


async def test_a_bot_of_both_sides_is_listed_once_with_what_each_side_knows(house: House) -> None:
    report = await refresh(house, Sources(OFFICIAL, WEB))
    assert (report.models, report.failures) == (2, {})
    models = await names(house)
    assert set(models) == {"GPT-X", "Mine"}
    merged = models["GPT-X"]
    assert (merged["context_length"], merged["description"]) == (9000, "said on the web")
    assert merged["kinds"] == ["official", "web"]


async def test_a_list_that_is_new_enough_is_left_alone(house: House) -> None:
    sources = Sources(OFFICIAL, WEB)
    await refresh(house, sources)
    assert await refresh(house, sources, now=1e9 + 3599) is None
    assert await refresh(house, sources, now=1e9 + 9999, seconds=1) is None
    assert sources.asked == 2
    assert await refresh(house, sources, now=1e9 + 3600) is not None


@pytest.mark.parametrize("failure", [poe_error(ErrorCode.CHALLENGE), RuntimeError("secret"), TimeoutError()])
async def test_a_side_that_fails_keeps_what_it_said_before(house: House, failure: Exception) -> None:
    await refresh(house, Sources(OFFICIAL, WEB))
    report = await refresh(house, Sources(OFFICIAL, failure), now=2e9)
    assert set(report.failures) == {"web"}
    assert "secret" not in str(report)
    assert set(await names(house)) == {"GPT-X", "Mine"}
    report = await refresh(house, Sources([*OFFICIAL, {"id": "new"}], None), now=3e9)
    assert set(await names(house)) == {"gpt-x", "new"}, "a side with nobody to ask has no bots"
    await refresh(house, Sources(failure, failure), now=4e9)
    assert set(await names(house)) == {"gpt-x", "new"}


async def test_a_list_without_one_side_is_tried_again_soon(house: House) -> None:
    """The first list replaces the embedded one: without the official side it would hide most models for hours."""
    await refresh(house, Sources(poe_error(ErrorCode.TIMEOUT), WEB), max_age_seconds=21_600)
    sources = Sources(OFFICIAL, WEB)
    assert await refresh(house, sources, now=1e9 + 899, max_age_seconds=21_600) is None
    assert (await refresh(house, sources, now=1e9 + 900, max_age_seconds=21_600)).failures == {}
    assert await refresh(house, sources, now=1e9 + 1800, max_age_seconds=21_600) is None
    assert sources.asked == 2


async def test_names_are_stored_beside_the_rows(house: House) -> None:
    """With them the gateway finds a model without reading all of them."""
    await refresh(house, Sources(OFFICIAL, [*WEB, {"id": "plain", "aliases": ["A", "b"]}]))
    document = await house.store.get_config("models")
    assert document["names"] == [["GPT-X"], ["Mine"], ["plain", "A", "b"]]
    assert [row["id"] for row in document["models"]] == [names[0] for names in document["names"]]
    assert names_of({"id": "a", "aliases": None}) == ["a"]


async def test_numbers_that_are_no_json_are_left_out(house: House) -> None:
    await refresh(house, Sources([{"id": "a", "parameters": [{"name": "x", "default_value": float("nan")}]}]))
    assert (await names(house))["a"]["parameters"] == [{"name": "x", "default_value": None}]


async def test_a_list_too_large_for_the_table_loses_its_descriptions(house: House) -> None:
    import random

    noise = random.Random(1)
    large = [{"id": f"bot{n}", "description": noise.randbytes(200).hex()} for n in range(3000)]
    report = await refresh(house, Sources(large))
    assert report.models == 3000
    assert all("description" not in entry for entry in (await names(house)).values())
    document = await house.store.get_config("models")
    assert document["names"] == [[row["id"]] for row in document["models"]]


async def test_a_long_stored_list_is_what_the_next_run_merges_with(house: House) -> None:
    entries = [{"id": f"bot{n}", "description": "says much " * 30, "kinds": ["official"]} for n in range(100)]
    await refresh(house, Sources(entries, [{"id": "old", "kinds": ["web"]}]))
    web = [{"id": "BOT7", "kinds": ["web"]}, {"id": "new", "kinds": ["web"]}]
    report = await refresh(house, Sources(RuntimeError(), web), now=2e9)
    assert (report.models, set(report.failures)) == (101, {"official"})
    models = await names(house)
    assert (models["BOT7"]["kinds"], models["BOT7"]["description"]) == (["official", "web"], "says much " * 30)
    assert "new" in models and "old" not in models


async def test_an_ordinary_run_looks_after_the_list_and_tells(house: House) -> None:
    await house.add("a")
    sources = Sources(OFFICIAL, poe_error(ErrorCode.BLOCKED))
    answer = await house.run(catalogue=sources.mapping())
    assert answer["succeeded"] == 1
    assert answer["catalogue"] == {"models": 1, "failures": {"web": "blocked"}}
    assert [line["failures"] for line in house.lines() if line["message"] == "catalogue.read"] == [{"web": "blocked"}]
    for event in ({}, {"dry_run": True}, {"statuses": ["active"]}):
        assert "catalogue" not in await house.run(event, catalogue=sources.mapping())
    assert "catalogue" in await house.run({"catalogue": True}, catalogue=sources.mapping())


async def test_a_table_that_fails_for_the_list_does_not_fail_the_run(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(name: str) -> None:
        raise StoreUnavailableError("get_config", "timeout")

    await house.add("a")
    monkeypatch.setattr(house.store, "get_config", fail)
    answer = await house.run(catalogue=Sources(OFFICIAL).mapping())
    assert answer["succeeded"] == 1
    assert answer["catalogue"]["failures"] == {"store": "StoreUnavailableError"}


async def test_the_bots_of_both_simulators_are_listed_once(house: House) -> None:
    async with PoeOfficialSimulator(pace_seconds=0) as official, PoeWebSimulator() as web:
        web.add_account("the-cookie")
        config = PoeConfig(official_base_url=official.base_url, web_base_url=web.base_url, channel_url=web.channel_url)
        await house.store.put_account(kind=AccountKind.WEB, label="dead", credentials={"p_b": "unknown-cookie"})
        await house.store.put_account(kind=AccountKind.WEB, label="w", credentials={"p_b": "the-cookie"})
        async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
            sources = CatalogueSources(house.store, config, clients.make)
            report = await refresh_catalogue(
                house.store, {"official": sources.official, "web": sources.web}, now=1e9, max_age_seconds=1, seconds=20
            )
    assert report is not None and not report.failures
    models = await names(house)
    folded = [name.lower() for name in models]
    assert len(set(folded)) == len(folded)
    assert models["Painter"]["kinds"] == ["official", "web"]
    assert models["Painter"]["output_modalities"] == ["image"]
    assert [item["name"] for item in models["Painter"]["parameters"]] == ["aspect", "quality"]
    assert models["Claude-3.5-Sonnet"]["kinds"] == ["web"]
    assert models["GPT-5.2"]["context_length"] == 400_000
    assert 1e9 < models["GPT-5.2"]["created"] < 1e10
    assert models["GPT-5.2"]["pricing"]["prompt"] == "0.0000016"
    assert models["bare"]["output_modalities"] is None
    assert models["bare"]["parameters"] is None
