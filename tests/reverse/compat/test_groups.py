"""Groups through the original's methods, all of which the original's asynchronous class fails at."""

from __future__ import annotations

import itertools
import json
from contextlib import aclosing
from pathlib import Path

import pytest

from local.poe_web import Scenario
from local.poe_web.stream_faults import HangStream
from reverse import AsyncPoeApi, ErrorCode, PoeApi, PoeError

BOTS = [{"bot": "Echo", "name": "Anna"}, {"bot": "Puppet", "name": "Ben", "talkativeness": 0.9}, {"bot": "Thinker"}]


async def test_groups_are_made_listed_and_deleted(async_api: AsyncPoeApi) -> None:
    assert await async_api.create_group("friends", BOTS) == "friends"
    assert await async_api.create_group(bots=BOTS[:1]) == "group-1"
    assert set(await async_api.get_available_groups()) == {"friends", "group-1"}
    group = await async_api.get_group("friends")
    assert set(group) == {"bots", "conversation_log", "previous_bot", "dual_lock"}
    assert [bot["name"] for bot in group["bots"]] == ["Anna", "Ben", "Thinker"]
    assert set(group["bots"][0]) == {"bot", "name", "chatId", "chatCode", "priority", "bot_log", "talkativeness"}
    await async_api.delete_group("friends")
    with pytest.raises(ValueError, match="no group"):
        await async_api.get_group("friends")


@pytest.mark.parametrize("name", ["friends", "", "../elsewhere", "x" * 65])
async def test_names_that_are_taken_or_no_file_names_are_refused(async_api: AsyncPoeApi, name: str) -> None:
    await async_api.create_group("friends", BOTS)
    with pytest.raises(ValueError, match="name"):
        await async_api.create_group(name, BOTS)
    with pytest.raises(ValueError, match="members"):
        await async_api.create_group("empty")


async def test_the_bot_that_a_message_names_most_is_to_answer(async_api: AsyncPoeApi) -> None:
    await async_api.create_group("friends", BOTS)
    chosen = await async_api.get_most_mentioned("friends", "Ben, no: THINKER or thinker?")
    assert (chosen["name"], chosen["priority"]) == ("Thinker", 2)


async def test_bots_answer_in_turn_each_in_its_own_chat(async_api: AsyncPoeApi) -> None:
    await async_api.create_group("friends", BOTS)
    said: list[tuple[str, str]] = []
    async for piece in async_api.send_message_to_group("friends", "Anna, hello", user="Eve"):
        said.append((piece["bot"], piece["response"]))
    assert said[0][0] == "Anna"
    group = await async_api.get_group("friends")
    speakers = [line.partition(":")[0] for line in group["conversation_log"]]
    assert speakers[:2] == ["Eve", "Anna"] and 3 <= len(speakers) - 1 <= 6
    assert all(one != two for one, two in itertools.pairwise(speakers))
    assert group["dual_lock"] == speakers[-2:] and group["previous_bot"] == speakers[-1]
    anna = group["bots"][0]
    assert anna["chatId"] and anna["chatCode"] and anna["bot_log"]


async def test_a_group_is_saved_and_goes_on_elsewhere(
    async_api: AsyncPoeApi, tokens: dict[str, str], config: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    await async_api.create_group("friends", BOTS)
    async for _ in async_api.send_message_to_group("friends", "hello", autosave=True):
        pass
    saved = Path("friends.json")
    assert saved.stat().st_mode & 0o777 == 0o600
    elsewhere = tmp_path / "elsewhere.json"
    assert await async_api.save_group_history("friends", elsewhere) == str(elsewhere)
    assert elsewhere.read_text() == saved.read_text()
    before = await async_api.get_group("friends")
    async with AsyncPoeApi(tokens, config=config, group_pause_seconds=(0, 0)) as other:  # type: ignore[arg-type]
        assert await other.load_group_history(elsewhere) == {"group_name": "friends", "group_data": before}
        async for _ in other.send_message_to_group("any", "again", preset_history=str(elsewhere), autosave=True):
            pass
        after = await other.get_group("friends")
    assert all(
        new["chatId"] == old["chatId"]
        for new, old in zip(after["bots"], before["bots"], strict=True)
        if old["chatId"] is not None
    )
    assert len(after["conversation_log"]) > len(before["conversation_log"])
    assert len(json.loads(elsewhere.read_text())["log"]) == len(after["conversation_log"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "../x", "members": [], "log": []}', "[" * 100_000])
async def test_a_file_that_holds_no_group_is_refused(async_api: AsyncPoeApi, tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"group|Expecting"):
        await async_api.load_group_history(path)
    assert await async_api.get_available_groups() == {}


async def test_autoplay_goes_on_until_the_caller_stops(async_api: AsyncPoeApi) -> None:
    await async_api.create_group("pair", BOTS[:2])
    async with aclosing(async_api.send_message_to_group("pair", "go", autoplay=True)) as pieces:
        speakers: list[str] = []
        async for piece in pieces:
            if speakers[-1:] != [piece["bot"]]:
                speakers.append(piece["bot"])
            if len(speakers) == 12:
                break
    assert set(speakers) == {"Anna", "Ben"}


async def test_a_silent_bot_is_given_up_where_the_caller_says_so(async_api: AsyncPoeApi, simulator: object) -> None:
    await async_api.create_group("pair", BOTS[:2])
    simulator.enqueue(Scenario(HangStream(0)))  # type: ignore[attr-defined]
    with pytest.raises(PoeError) as raised:
        async for _ in async_api.send_message_to_group("pair", "go", timeout=0.2):
            pass
    assert raised.value.code is ErrorCode.TIMEOUT


def test_the_blocking_class_has_groups_too(api: PoeApi) -> None:
    api.create_group("pair", BOTS[:2])
    assert {piece["bot"] for piece in api.send_message_to_group("pair", "hello")} == {"Anna", "Ben"}
