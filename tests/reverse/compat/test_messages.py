"""Messages and chats through the original's methods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.poe_web import PoeWebSimulator, Scenario, SimulatedAccount
from local.poe_web.stream_faults import HangStream, PointsRunOut
from reverse import AsyncPoeApi, ErrorCode, PoeApi, PoeConfig, PoeError

# Seen on chunks of the published package (docs/reference/poe-web.md#published-client).
CHUNK_KEYS = set(
    "__typename attachments author chatCode chatId clientNonce contentType creationTime followupActions hasCitations "
    "id messageId messageStateText msgPrice response sourceType state suggestedReplies text textLengthOnCancellation "
    "title".split()
)


async def _all(chunks: Any) -> list[dict[str, Any]]:
    return [chunk async for chunk in chunks]


async def test_chunks_have_the_originals_keys_and_add_up(async_api: AsyncPoeApi) -> None:
    chunks = await _all(async_api.send_message("Echo", "Mixed CASE, kept"))
    assert all(set(chunk) == CHUNK_KEYS for chunk in chunks)
    assert "".join(chunk["response"] for chunk in chunks) == chunks[-1]["text"] == "You said: Mixed CASE, kept"
    assert [chunk["state"] for chunk in chunks[-2:]] == ["incomplete", "complete"]
    assert chunks[-1]["msgPrice"] == 1


async def test_text_that_is_replaced_is_whole_in_text_and_on_a_new_line_in_response(async_api: AsyncPoeApi) -> None:
    chunks = await _all(async_api.send_message("Thinker", "well?"))
    assert chunks[-1]["text"] == "Answer: well?"
    assert "".join(chunk["response"] for chunk in chunks).splitlines()[-1] == "Answer: well?"


async def test_a_chat_is_continued_by_code_or_number_in_one_request(
    async_api: AsyncPoeApi, simulator: PoeWebSimulator, account: SimulatedAccount
) -> None:
    first = (await _all(async_api.send_message("Echo", "one")))[-1]
    before = len(simulator.requests)
    again = (await _all(async_api.send_message("Echo", "two", chatCode=first["chatCode"])))[-1]
    assert len(simulator.requests) == before + 1
    third = (await _all(async_api.send_message("Echo", "three", chatId=first["chatId"])))[-1]
    assert again["chatId"] == third["chatId"] == first["chatId"]
    assert again["chatCode"] == third["chatCode"] == first["chatCode"]
    assert len(account.chats) == 1


async def test_a_code_from_elsewhere_is_looked_up_and_an_unknown_one_is_refused(
    async_api: AsyncPoeApi, tokens: dict[str, str], config: Any
) -> None:
    first = (await _all(async_api.send_message("Echo", "one")))[-1]
    async with AsyncPoeApi(tokens, config=config) as other:
        chunk = (await _all(other.send_message("Echo", "two", chatCode=first["chatCode"])))[0]
        assert (chunk["chatId"], chunk["title"]) == (first["chatId"], "one")
        with pytest.raises(PoeError) as raised:
            await _all(other.send_message("Echo", "three", chatCode="nosuchchat"))
    assert raised.value.code is ErrorCode.CHAT_NOT_FOUND


async def test_files_are_sent_from_paths_and_data_urls(async_api: AsyncPoeApi, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    data_url = "data:text/plain;base64,aGVsbG8gd29ybGQ="
    text = (await _all(async_api.send_message("Echo", "read", file_path=[str(note), data_url])))[-1]["text"]
    assert "note.txt (text/plain, 5 bytes)" in text and "11 bytes" in text
    with pytest.raises(FileNotFoundError):
        await _all(async_api.send_message("Echo", "read", file_path=[tmp_path / "absent"]))


async def test_files_of_the_bot_are_attachments_in_poes_shape(async_api: AsyncPoeApi) -> None:
    last = (await _all(async_api.send_message("Painter", "a boat", parameters={"aspect": "16:9"})))[-1]
    (attachment,) = last["attachments"]
    assert attachment["file"]["mimeType"].startswith("image/") and attachment["file"]["url"].startswith("http")


async def test_suggested_replies_are_in_the_last_chunk(async_api: AsyncPoeApi) -> None:
    last = (await _all(async_api.send_message("Helper", "hi", suggest_replies=True)))[-1]
    assert last["suggestedReplies"] == ["Tell me more", "Give an example", "What else?"]
    assert [action["bodyText"] for action in last["followupActions"]] == last["suggestedReplies"]
    assert (await _all(async_api.send_message("Helper", "hi")))[-1]["suggestedReplies"] == []


async def test_a_retried_answer_comes_in_chunks_without_a_price(async_api: AsyncPoeApi) -> None:
    first = (await _all(async_api.send_message("Echo", "again?")))[-1]
    chunks = await _all(async_api.retry_message(first["chatCode"]))
    assert chunks[-1]["text"] == first["text"] and chunks[-1]["state"] == "complete"
    assert set(chunks[-1]) == CHUNK_KEYS - {"msgPrice"}


async def test_a_cancelled_answer_just_ends(
    async_api: AsyncPoeApi, simulator: PoeWebSimulator, account: SimulatedAccount, until_idle: Callable[[], None]
) -> None:
    simulator.settings.pace_seconds = 0.01
    states = []
    async for chunk in async_api.send_message("Story", "count 5000"):
        if not states:
            await async_api.cancel_message(chunk)
        states.append(chunk["state"])
    assert "complete" not in states
    until_idle()
    assert account.messages[-1].state == "cancelled"


async def test_an_answer_is_cancelled_by_its_message_id_alone(
    async_api: AsyncPoeApi, simulator: PoeWebSimulator, account: SimulatedAccount, until_idle: Callable[[], None]
) -> None:
    simulator.settings.pace_seconds = 0.01
    is_cancelled = False
    async for chunk in async_api.send_message("Story", "count 5000"):
        if not is_cancelled:
            await async_api.cancel_message(chunk["messageId"])
            is_cancelled = True
    until_idle()
    assert account.messages[-1].state == "cancelled"


async def test_a_chat_is_retried_after_a_break_of_its_context(async_api: AsyncPoeApi) -> None:
    first = (await _all(async_api.send_message("Echo", "again?")))[-1]
    await async_api.chat_break("Echo", chatCode=first["chatCode"])
    chunks = await _all(async_api.retry_message(first["chatCode"]))
    assert (chunks[-1]["text"], chunks[-1]["author"]) == (first["text"], "Echo")


async def test_a_short_timeout_bounds_the_silence_and_the_default_does_not(
    async_api: AsyncPoeApi, simulator: PoeWebSimulator
) -> None:
    simulator.enqueue(Scenario(HangStream(2)))
    with pytest.raises(PoeError) as raised:
        await _all(async_api.send_message("Story", "count 50", timeout=0.2))
    assert raised.value.code is ErrorCode.TIMEOUT


async def test_a_refusal_is_an_error_with_a_code(async_api: AsyncPoeApi, simulator: PoeWebSimulator) -> None:
    """The original yields an empty chunk and hangs."""
    simulator.enqueue(Scenario(PointsRunOut()))
    with pytest.raises(PoeError) as raised:
        await _all(async_api.send_message("Echo", "hi"))
    assert raised.value.code is ErrorCode.INSUFFICIENT_POINTS


async def test_purging_deletes_as_many_messages_as_asked(async_api: AsyncPoeApi, account: SimulatedAccount) -> None:
    """The original deletes whole pages, and never ends where the count does not divide them."""
    code = (await _all(async_api.send_message("Echo", "one")))[-1]["chatCode"]
    await _all(async_api.send_message("Echo", "two", chatCode=code))
    await async_api.purge_conversation("Echo", chatCode=code, count=3)
    assert [message.text for message in account.messages] == ["one"]
    await async_api.purge_conversation("Echo", del_all=True)
    assert account.messages == []


async def test_messages_are_listed_oldest_first_and_deleted_by_number(async_api: AsyncPoeApi) -> None:
    last = (await _all(async_api.send_message("Echo", "one")))[-1]
    await _all(async_api.send_message("Echo", "two", chatCode=last["chatCode"]))
    newest = await async_api.get_previous_messages("Echo", count=3)
    assert [message["text"] for message in newest] == ["You said: one", "two", "You said: two"]
    assert set(newest[0]) == {"author", "text", "messageId", "contentType"}
    await async_api.delete_message(newest[0]["messageId"])
    await async_api.delete_message([message["messageId"] for message in newest[1:]])
    (left,) = await async_api.get_previous_messages("Echo", chatId=last["chatId"], get_all=True, include_extended=True)
    assert (left["text"], left["state"]) == ("one", "complete")
    assert left["creationTime"] > 1_700_000_000_000_000


async def test_chats_are_listed_by_bot_and_page(async_api: AsyncPoeApi) -> None:
    for bot in ("Echo", "Story", "Echo"):
        await _all(async_api.send_message(bot, f"to {bot}"))
    history = await async_api.get_chat_history(interval=1)
    assert {bot: len(chats) for bot, chats in history["data"].items()} == {"Echo": 2, "Story": 1}
    assert history["cursor"] is None
    page = await async_api.get_chat_history("Echo", count=1)
    rest = await async_api.get_chat_history("Echo", count=5, cursor=page["cursor"])
    assert len(page["data"]["Echo"]) == len(rest["data"]["Echo"]) == 1 and rest["cursor"] is None
    (chat,) = page["data"]["Echo"]
    assert set(chat) == {"chatId", "chatCode", "id", "title"}
    assert await async_api.get_threadData("Echo") == chat
    assert await async_api.get_threadData("Echo", chatId=rest["data"]["Echo"][0]["chatId"]) == rest["data"]["Echo"][0]
    assert (await async_api.get_threadData(chatCode=chat["chatCode"]))["chatId"] == chat["chatId"]


async def test_a_bot_without_chats_has_no_thread(async_api: AsyncPoeApi) -> None:
    with pytest.raises(PoeError) as raised:
        await async_api.get_threadData("Echo")
    assert raised.value.code is ErrorCode.CHAT_NOT_FOUND
    assert await async_api.get_chat_history("Echo") == {"data": {}, "cursor": None}


async def test_chats_are_deleted_by_number_by_code_and_all(async_api: AsyncPoeApi, account: SimulatedAccount) -> None:
    made = [(await _all(async_api.send_message("Echo", str(n))))[-1] for n in range(5)]
    other = (await _all(async_api.send_message("Story", "count 2")))[-1]["chatId"]
    with pytest.raises(ValueError, match="chatId or chatCode"):
        await async_api.delete_chat("Echo")
    await async_api.delete_chat("Echo", chatId=[made[0]["chatId"]], chatCode=made[1]["chatCode"])
    await async_api.delete_chat("Echo", chatId=made[2]["chatId"])
    assert set(account.chats) == {made[3]["chatId"], made[4]["chatId"], other}
    await async_api.delete_chat("Echo", del_all=True)
    assert set(account.chats) == {other}


async def test_a_chat_is_shared_imported_and_cleared(async_api: AsyncPoeApi, account: SimulatedAccount) -> None:
    first = (await _all(async_api.send_message("Echo", "to share")))[-1]
    code = await async_api.share_chat("Echo", chatId=first["chatId"])
    imported = await async_api.import_chat("Story", code or "")
    assert imported is not None and imported["chatId"] != first["chatId"] and imported["chatCode"]
    await async_api.chat_break("Echo", chatCode=first["chatCode"])
    assert account.chats[first["chatId"]].messages[-1].author == "chat_break"
    await async_api.purge_all_conversations()
    assert account.messages == []


async def test_citations_and_context_optimisation(async_api: AsyncPoeApi, account: SimulatedAccount) -> None:
    cited = (await _all(async_api.send_message("Librarian", "source?")))[-1]
    assert (await async_api.get_citations(cited["messageId"]) or [])[0]["title"] == "An example source"
    plain = (await _all(async_api.send_message("Echo", "source?")))[-1]
    assert await async_api.get_citations(plain["messageId"]) is None
    assert "data" in await async_api.set_context_optimization(cited["chatId"], False)
    assert not account.chats[cited["chatId"]].optimizes_context


async def test_the_older_generation_of_operations_serves_as_well(
    tokens: dict[str, str], config: PoeConfig, tmp_path: Path
) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    older = dataclasses.replace(config, operation_generation="older", trailing_cost_seconds=0.0)
    async with AsyncPoeApi(tokens, config=older) as api:
        last = (await _all(api.send_message("Echo", "hi", file_path=[note])))[-1]
        assert last["text"] == "You said: hi\nnote.txt (text/plain, 5 bytes)"
        assert (await _all(api.retry_message(last["chatCode"])))[-1]["text"] == last["text"]
        assert (await api.get_settings())["messagePointInfo"]["totalPointBalance"] == 2998


def test_the_originals_example_runs_as_it_is(
    api: PoeApi, tokens: dict[str, str], config: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for chunk in PoeApi(tokens=tokens, config=config).send_message(bot="Assistant", message="hello"):
        print(chunk["response"], end="", flush=True)  # noqa: T201 - the example
    assert capsys.readouterr().out == "You said: hello"
