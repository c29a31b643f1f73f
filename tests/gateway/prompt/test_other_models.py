"""Aliases of the owner's, and models that answer in another one's place, on every surface that asks in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts import AccountKind
from gateway.settings import Settings
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import Answer, House, Pause, ask

ALIASES = {
    "aliases": {
        "gpt-4o": {"model": "Grok-4", "fallbacks": ["Claude-Opus-4.5", "GPT-5-nano"]},
        "once": {"model": "Grok-4", "fallbacks": ["Claude-Opus-4.5"]},
        "plain": "Grok-4",
        "openai/*": "*",
    }
}
SURFACES = {
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}),
    "responses": ("/v1/responses", {"input": "Hi"}),
    "messages": ("/v1/messages", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100}),
    "completions": ("/v1/completions", {"prompt": "Hi"}),
}


@pytest.fixture
async def aliased(house: House) -> House:
    """A gateway with aliases and one account."""
    await house.add_account()
    stored = await house.admin("/config/models", ALIASES, method="PUT")
    assert (stored.status, stored.json["unlisted"]) == (200, [])
    return house


async def say(house: House, surface: str, model: str, *, stream: bool = False) -> Answer:
    path, body = SURFACES[surface]
    return await house.call(path, {"model": model, "stream": stream, **body})


def down() -> PoeError:
    """A new one each time: what became of it is noted in it."""
    return poe_error(ErrorCode.BOT_UNAVAILABLE)


def models_named(answer: Answer) -> set[str]:
    """Every model that the body names, streamed or not."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return {answer.json["model"]}
    lines = [line.removeprefix("data: ") for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    found = [json.loads(line) for line in lines]
    named = [item.get("model") or (item.get("response") or item.get("message") or {}).get("model") for item in found]
    return {name for name in named if name is not None}


def asked(house: House) -> list[str]:
    return [request.bot for request in house.poe.requests]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
async def test_an_alias_is_answered_by_its_model_which_is_named(aliased: House, surface: str, stream: bool) -> None:
    for name in ("plain", "PLAIN", "openai/plain", "openai/Grok-4"):
        answer = await say(aliased, surface, name, stream=stream)
        assert answer.status == 200
        assert answer.headers["x-gateway-model"] == "Grok-4"
        assert models_named(answer) == {"Grok-4"}
    assert asked(aliased) == ["Grok-4"] * 4
    line = aliased.lines("request.ended")[-1]
    assert (line["model"], line["alias"]) == ("Grok-4", "openai/*")


async def test_without_an_alias_nothing_changes(aliased: House) -> None:
    answer = await say(aliased, "chat", "grok-4")
    assert "x-gateway-model" not in answer.headers
    assert models_named(answer) == {"grok-4"}
    assert "alias" not in aliased.lines("request.ended")[-1]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", SURFACES)
async def test_a_model_that_is_down_is_followed_by_the_next_one_and_that_is_told(
    aliased: House, surface: str, stream: bool
) -> None:
    aliased.poe.enqueue(down())
    aliased.poe.enqueue(UsageReported(prompt_tokens=5, completion_tokens=7, points=3), TextDelta("Hello"), Finished())
    answer = await say(aliased, surface, "gpt-4o", stream=stream)
    assert (answer.status, asked(aliased)) == (200, ["Grok-4", "Claude-Opus-4.5"])
    assert answer.headers["x-gateway-model"] == "Claude-Opus-4.5"
    assert models_named(answer) == {"Claude-Opus-4.5"}
    assert [intention.model for intention in aliased.store.intentions] == ["grok-4", "claude-opus-4.5"]
    line = aliased.lines("request.ended")[-1]
    assert (line["model"], line["alias"], line["attempts"]) == ("Claude-Opus-4.5", "gpt-4o", 2)
    (fallback,) = aliased.lines("model.fallback")
    assert (fallback["model"], fallback["instead_of"]) == ("Claude-Opus-4.5", "Grok-4")


async def test_all_models_together_have_one_budget_of_sends_and_the_first_ones_failure_is_told(aliased: House) -> None:
    for code in (ErrorCode.BOT_LIMIT_REACHED, ErrorCode.BOT_UNAVAILABLE, ErrorCode.BOT_NOT_FOUND):
        aliased.poe.enqueue(poe_error(code))
    answer = await say(aliased, "chat", "gpt-4o")
    assert asked(aliased) == ["Grok-4", "Claude-Opus-4.5", "GPT-5-nano"]
    assert (answer.status, answer.error["code"]) == (429, "insufficient_quota")


@pytest.mark.parametrize(
    "failure",
    [
        poe_error(ErrorCode.TIMEOUT),
        poe_error(ErrorCode.CONNECTION_FAILED),
        poe_error(ErrorCode.UPSTREAM_FAILED),
        poe_error(ErrorCode.BOT_UNAVAILABLE, delivery=Delivery.UNKNOWN),
        poe_error(ErrorCode.CONTENT_REFUSED),
        poe_error(ErrorCode.INVALID_REQUEST),
    ],
    ids=lambda failure: f"{failure.code}-{failure.delivery}",
)
@pytest.mark.parametrize("stream", [False, True])
async def test_no_other_model_follows_an_unknown_delivery_or_a_refused_request(
    aliased: House, failure: Any, stream: bool
) -> None:
    aliased.poe.enqueue(failure)
    answer = await say(aliased, "chat", "gpt-4o", stream=stream)
    assert (asked(aliased), answer.status >= 400) == (["Grok-4"], True)


async def test_an_unknown_delivery_to_the_next_model_is_what_is_told(aliased: House) -> None:
    aliased.poe.enqueue(down())
    aliased.poe.enqueue(poe_error(ErrorCode.TIMEOUT))
    answer = await say(aliased, "chat", "gpt-4o")
    assert (asked(aliased), answer.error["code"]) == (["Grok-4", "Claude-Opus-4.5"], "upstream_timeout")


async def test_after_the_first_byte_the_model_stays(aliased: House) -> None:
    aliased.poe.enqueue(TextDelta("Hel"), down())
    answer = await say(aliased, "chat", "gpt-4o", stream=True)
    assert asked(aliased) == ["Grok-4"]
    assert models_named(answer) == {"Grok-4"} and "error" in answer.body.decode()


async def test_several_answers_come_from_one_model(aliased: House) -> None:
    aliased.poe.enqueue(down())
    answer = await aliased.call(body={**ask(), "model": "gpt-4o", "n": 2})
    assert set(asked(aliased)) == {"Grok-4"}
    assert answer.status >= 400


async def test_a_model_that_no_account_may_use_is_passed_over_without_a_send(aliased: House) -> None:
    aliased.poe.enqueue(poe_error(ErrorCode.BOT_ACCESS_DENIED))
    assert (await say(aliased, "chat", "plain")).status == 403
    answer = await say(aliased, "chat", "once")
    assert (answer.status, models_named(answer)) == (200, {"Claude-Opus-4.5"})
    assert asked(aliased) == ["Grok-4", "Claude-Opus-4.5"]


async def test_a_model_with_too_small_a_window_is_left_out(house: House) -> None:
    await house.add_account()
    models = [{"id": "Big"}, {"id": "Small", "context_length": 10, "output_modalities": ["text"]}, {"id": "Other"}]
    await house.store.put_config("models", {"models": models, "updated_at": 1})
    aliases = {"aliases": {"a": {"model": "Big", "fallbacks": ["Small", "Other"]}}}
    await house.admin("/config/models", aliases, method="PUT")
    await house.admin("/models/reload", {})
    house.poe.enqueue(down())
    answer = await house.call(body={**ask("many words " * 100), "model": "a"})
    assert (answer.status, asked(house)) == (200, ["Big", "Other"])
    (unfit,) = house.lines("model.unfit")
    assert (unfit["model"], unfit["code"]) == ("Small", "context_length_exceeded")


async def test_a_keys_list_of_models_holds_for_aliases_and_for_what_follows(aliased: House) -> None:
    async def answer_of(model: str, *models: str) -> tuple[int, list[str]]:
        secret = f"sk-only-{len(aliased.store.held)}-{'-'.join(models)}-q7Zk3vP8RmT5"
        await aliased.store.create_key(name=secret[-20:], secret=secret, models=models)
        before = len(aliased.poe.requests)
        aliased.poe.enqueue(down())
        answer = await aliased.call(body={**ask(), "model": model}, key=secret)
        if len(aliased.poe.requests) == before:
            aliased.poe.scripts.clear()
        return answer.status, asked(aliased)[before:]

    assert (await answer_of("once", "Llama-3"))[0] == 403
    assert (await answer_of("once", "once")) == (200, ["Grok-4", "Claude-Opus-4.5"])
    assert (await answer_of("once", "Grok-4", "claude-*")) == (200, ["Grok-4", "Claude-Opus-4.5"])
    status, bots = await answer_of("once", "grok-*")
    assert status >= 400 and set(bots) == {"Grok-4"}


async def test_the_list_of_models_has_aliases(aliased: House) -> None:
    rows = {row["id"]: row for row in (await aliased.call("/v1/models")).json["data"]}
    assert rows["plain"]["alias_of"] == "Grok-4" and rows["plain"]["fallbacks"] == []
    assert rows["gpt-4o"]["alias_of"] == "Grok-4"
    assert rows["gpt-4o"]["fallbacks"] == ["Claude-Opus-4.5", "GPT-5-nano"]
    assert "GPT-4o" not in rows, "the alias hides the model of its name"
    assert rows["plain"]["context_length"] == rows["Grok-4"]["context_length"]
    assert "alias_of" not in rows["Grok-4"] and "openai/*" not in rows
    assert (await aliased.call("/v1/models/openai/Grok-4")).json["alias_of"] == "Grok-4"
    assert (await aliased.call("/v1/models/openai/nothing-like-it")).status == 404
    anthropic = await aliased.call("/v1/models/plain", headers={"anthropic-version": "2023-06-01"})
    assert (anthropic.json["id"], anthropic.json["display_name"]) == ("plain", "Grok-4")


async def test_a_keys_list_decides_which_aliases_it_sees(aliased: House) -> None:
    secret = "sk-narrow-q7Zk3vP8RmT5xWn2LyB9dHc4"
    await aliased.store.create_key(name="narrow", secret=secret, models=["plain"])
    listed = [row["id"] for row in (await aliased.call("/v1/models", key=secret)).json["data"]]
    assert listed == ["plain"]


async def test_a_fallback_reserves_what_it_costs(house: House) -> None:
    await house.add_account()
    models = [{"id": "Cheap", "pricing": {"request": "0.0003"}}, {"id": "Dear", "pricing": {"request": "3"}}]
    await house.store.put_config("models", {"models": models, "updated_at": 1})
    await house.admin("/config/models", {"aliases": {"a": {"model": "Cheap", "fallbacks": ["Dear"]}}}, method="PUT")
    await house.admin("/models/reload", {})
    secret = "sk-budget-q7Zk3vP8RmT5xWn2LyB9dHc4"
    await house.store.create_key(name="budget", secret=secret, points_per_day=1_000)
    house.poe.enqueue(down())
    answer = await house.call(body={**ask(), "model": "a"}, key=secret)
    assert asked(house) == ["Cheap"], "the dear one is over the budget"
    assert answer.status == 502, "how the model ended that was asked for"
    assert [intention.model for intention in house.store.intentions] == ["cheap"]


@pytest.mark.parametrize("can_fall_back", [True, False])
async def test_a_status_line_that_leaves_early_names_no_model_that_may_be_another(
    environment: dict[str, str], can_fall_back: bool
) -> None:
    house = House(Settings.from_env({**environment, "GATEWAY_KEEP_ALIVE_SECONDS": "0.05"}))
    await house.add_key()
    await house.add_account()
    await house.admin("/config/models", ALIASES, method="PUT")
    pause = Pause()
    house.poe.enqueue(pause, down() if can_fall_back else TextDelta("x"), Finished())
    path, body = SURFACES["chat"]
    answer = await house.call(
        path,
        {"model": "once" if can_fall_back else "plain", "stream": True, **body},
        on_part=lambda _answer, _part: pause.event.set(),  # the comment
    )
    assert answer.headers.get("x-gateway-model") == (None if can_fall_back else "Grok-4")
    assert models_named(answer) == {"Claude-Opus-4.5" if can_fall_back else "Grok-4"}
    await house.services.aclose()


async def test_aliases_that_can_not_be_used_are_refused_and_change_nothing(aliased: House) -> None:
    for body, param in (
        ({"aliases": {"a": "*"}}, "aliases.a.model"),
        ({"aliases": {"a": {"model": "X", "fallbacks": ["X"]}}}, "aliases.a.fallbacks"),
    ):
        refused = await aliased.admin("/config/models", body, method="PUT")
        assert (refused.status, refused.error["param"]) == (400, param)
    for other in ([], {"aliases": [1]}, {"aliases": {"a": {"model": 5}}}, {"typo": {}}):
        assert (await aliased.admin("/config/models", other, method="PUT")).status == 400
    assert (await aliased.admin("/config/models")).json["aliases"] == ALIASES["aliases"]
    unlisted = await aliased.admin("/config/models", {"aliases": {"a": "Nobody-Lists-This"}}, method="PUT")
    assert unlisted.json["unlisted"] == ["Nobody-Lists-This"]
    assert (await aliased.admin("/config/models", {}, method="PUT")).json["aliases"] == {}
    assert (await say(aliased, "chat", "plain")).status == 200
    assert asked(aliased) == ["plain"]


async def test_a_stored_document_of_no_use_leaves_the_aliases_as_they_were(aliased: House) -> None:
    await aliased.store.put_config("model_aliases", {"aliases": {"plain": 5}})
    aliased.services.catalogue.forget_aliases()
    assert (await say(aliased, "chat", "plain")).headers["x-gateway-model"] == "Grok-4"
    assert aliased.lines("config.unusable")[-1]["config"] == "model_aliases"


async def test_a_web_account_may_answer_in_an_alias_too(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    await house.admin("/config/models", ALIASES, method="PUT")
    house.poe.enqueue(down())
    answer = await say(house, "chat", "gpt-4o")
    assert models_named(answer) == {"Claude-Opus-4.5"}


@pytest.mark.parametrize("name", ["Café-Bot", "名前", "a b"])
async def test_any_name_fits_into_the_header(house: House, name: str) -> None:
    await house.add_account()
    await house.admin("/config/models", {"aliases": {"x": name}}, method="PUT")
    for stream in (False, True):
        answer = await say(house, "chat", "x", stream=stream)
        assert answer.status == 200 and answer.headers["x-gateway-model"].isascii()
        assert models_named(answer) == {name}
