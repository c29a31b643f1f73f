"""Bots and knowledge through the original's methods."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.poe_web import PoeWebSimulator, SimulatedAccount
from reverse import AsyncPoeApi, ErrorCode, PoeError


async def test_what_poe_says_about_a_bot_has_poes_names(async_api: AsyncPoeApi) -> None:
    info = await async_api.get_botInfo("GPT-4o")
    older = {"handle", "model", "supportsFileUpload", "messageTimeoutSecs", "viewerIsCreator", "id"}
    assert older <= set(info) and info["model"] == "gpt4_o"
    assert (await async_api.get_botInfo("Painter"))["controls"]["controls"][0]["parameter_name"] == "aspect"
    assert (await async_api.get_botData("GPT-4o"))["botId"] == 3001
    with pytest.raises(PoeError) as raised:
        await async_api.get_botInfo("no-such-bot")
    assert raised.value.code is ErrorCode.BOT_NOT_FOUND


async def test_lists_of_bots_are_as_long_as_asked(async_api: AsyncPoeApi, simulator: PoeWebSimulator) -> None:
    few = await async_api.get_available_bots(count=3)
    assert len(few) == 3 and few["GPT-4o"]["bot"]["handle"] == "GPT-4o"
    assert len(await async_api.get_available_bots(get_all=True)) == len(list(simulator.bots))
    assert "Official" in await async_api.get_available_categories()
    assert len(await async_api.explore("Official", count=4)) == 4
    everything = await async_api.explore("Official", explore_all=True)
    assert len(everything) == len(set(everything)) > 4
    assert "Echo" in await async_api.explore(search="echo")
    assert await async_api.explore(search="no such thing") == []


async def test_a_bot_is_made_changed_and_deleted(async_api: AsyncPoeApi, account: SimulatedAccount) -> None:
    models = await async_api.get_available_creation_models()
    assert set(models) == {"text", "image", "video"} and models["text"]
    await async_api.complete_profile("tester")
    added = await async_api.upload_knowledge(
        [str(_written())], [{"title": "a text", "content": "one"}, {"title": "a text", "content": "two"}]
    )
    assert [len(ids) for ids in added.values()] == [1, 2]
    await async_api.create_bot("My_Bot.1", "Be brief.", base_model=models["text"][0], knowledgeSourceIds=added)
    assert set(await async_api.get_available_knowledge("My_Bot.1")) == set(added)
    assert sum(map(len, (await async_api.get_available_knowledge("My_Bot.1", count=2)).values())) == 2
    await async_api.edit_knowledge(added["a text"][0], title="renamed")
    edited = await async_api.edit_bot(
        "My_Bot.1",
        "Be long.",
        base_model=models["text"][0],
        new_handle="My_Bot.2",
        knowledgeSourceIdsToRemove={"a text": added["a text"][1:]},
    )
    assert edited["handle"] == "My_Bot.2" and edited["status"] == "success"
    assert set(await async_api.get_available_knowledge("My_Bot.2", get_all=True)) == {*added, "renamed"} - {"a text"}
    assert (await async_api.get_botInfo("My_Bot.2"))["viewerIsCreator"]
    await async_api.delete_bot("My_Bot.2")
    with pytest.raises(PoeError):
        await async_api.get_botInfo("My_Bot.2")
    await async_api.complete_profile()
    assert account.handle not in (None, "tester") and account.handle.isalnum()


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _written() -> Path:
    path = Path("notes.md")
    path.write_text("# Notes")
    return path
