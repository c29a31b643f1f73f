"""Chats, histories, deletion, sharing: every operation against the simulator."""

from __future__ import annotations

import asyncio

import pytest

from local.poe_web import Scenario
from local.poe_web.request_faults import MutationStatus, WrongJson
from reverse.chat import ChatRequest, Message
from reverse.errors import ErrorCode, PoeError
from reverse.events import Finished, UrlCited

pytestmark = pytest.mark.virtual_time


@pytest.fixture
async def client(connect):
    async with connect() as client:
        yield client


async def collected(items):
    return [item async for item in items]


async def test_history_has_every_chat_once_newest_first(client, ask):
    chats = [(await ask(client, f"chat {n}")).chat for n in range(7)]
    history = await collected(client.chats.history(page_size=3))
    assert [chat.chat_id for chat in history] == [chat.chat_id for chat in reversed(chats)]
    assert history[0].bot == "Echo"
    assert history[0].ref == chats[-1]


async def test_history_of_one_bot(client, ask):
    await ask(client, "one")
    other = (await ask(client, "two", bot="Story")).chat
    assert [chat.chat_id for chat in await collected(client.chats.history("Story"))] == [other.chat_id]


async def test_history_of_a_bot_without_chats_is_empty(client):
    assert await collected(client.chats.history("Story")) == []


async def test_a_page_can_be_continued_by_its_cursor(client, ask):
    for n in range(3):
        await ask(client, f"chat {n}")
    first = await client.chats.history_page(count=2)
    second = await client.chats.history_page(count=2, cursor=first.cursor)
    assert (len(first.items), len(second.items), second.cursor) == (2, 1, None)


async def test_opens_a_chat_by_code_and_finds_one_by_number(client, ask):
    chat = (await ask(client, "hello")).chat
    found, messages = await client.chats.open(chat.chat_code)
    assert found.ref == chat
    assert [(message.author, message.text) for message in messages] == [
        ("human", "hello"),
        ("Echo", "You said: hello"),
    ]
    assert (await client.chats.find(chat_id=chat.chat_id)).ref == chat


async def test_unknown_chats_are_told_apart(client):
    for call in (client.chats.open("nosuchcode"), client.chats.find(chat_id=4)):
        with pytest.raises(PoeError) as caught:
            await call
        assert caught.value.code is ErrorCode.CHAT_NOT_FOUND


async def test_messages_come_newest_first_across_pages_each_once(client, ask):
    chat = (await ask(client, "0")).chat
    for n in range(1, 4):
        await ask(client, str(n), chat=chat)
    messages = await collected(client.chats.messages(chat.chat_id, page_size=3))
    assert [message.text for message in messages if message.author == "human"] == ["3", "2", "1", "0"]
    assert len({message.message_id for message in messages}) == 8
    assert messages[0].created_at is not None and messages[0].created_at > 1_700_000_000


async def test_purge_deletes_exactly_so_many_and_ends(client, ask, account):
    """Three of four messages: the published client deletes whole pages, and never ends when the size does not fit."""
    chat = (await ask(client, "first")).chat
    await ask(client, "second", chat=chat)
    assert await client.chats.purge(chat.chat_id, 3) == 3
    assert [message.text for message in account.chats[chat.chat_id].messages] == ["first"]
    assert await client.chats.purge(chat.chat_id) == 1
    assert await client.chats.purge(chat.chat_id) == 0


async def test_deletes_messages_chats_and_everything(client, ask, account):
    chats = [(await ask(client, f"chat {n}")).chat for n in range(4)]
    ids = [message.message_id for message in account.chats[chats[0].chat_id].messages]
    await client.chats.delete_messages(ids[:1])
    assert [message.message_id for message in account.chats[chats[0].chat_id].messages] == ids[1:]
    await client.chats.delete(chats[0].chat_id, chats[1].chat_id)
    assert set(account.chats) == {chats[2].chat_id, chats[3].chat_id}
    assert await client.chats.delete_all("Echo") == 2
    await ask(client, "another")
    await client.chats.purge_all()
    assert account.chats == {}


async def test_a_chat_break_clears_the_context_and_ends_no_stream(client, ask, account):
    chat = (await ask(client, "before")).chat
    await client.chats.clear_context(chat.chat_id)
    assert account.chats[chat.chat_id].messages[-1].author == "chat_break"
    assert (await ask(client, "after", chat=chat)).text == "You said: after"


async def test_shares_a_chat_and_continues_it_with_another_bot(client, ask, account):
    chat = (await ask(client, "first")).chat
    await ask(client, "second", chat=chat)
    code = await client.chats.share(chat, 2)
    imported = await client.chats.import_shared(code, "Story")
    copied = account.chats[imported.chat_id]
    assert imported.chat_code == copied.code
    assert [message.text for message in copied.messages] == ["first", "You said: first"]


async def test_sharing_nothing_and_importing_an_unknown_code_are_errors(client, ask):
    chat = (await ask(client, "first")).chat
    with pytest.raises(PoeError) as caught:
        await client.chats.share(chat, 0)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    with pytest.raises(PoeError) as caught:
        await client.chats.import_shared("nosuchcode", "Echo")
    assert caught.value.operation.startswith("ContinueChat")


async def test_citations(client, ask, account):
    chat = (await ask(client, "cite", bot="Librarian")).chat
    answer = account.chats[chat.chat_id].messages[-1]
    found = await client.chats.citations(answer.message_id)
    assert found
    assert [(citation.title, citation.url) for citation in found] == [
        (raw.get("title"), raw.get("url")) for raw in answer.citations
    ]
    assert await client.chats.citations(7) == ()


async def test_a_search_names_its_sources_with_the_answer(client, account):
    for parameters, expected in (
        ({"web_search": True}, [UrlCited("https://example.invalid/source", "An example source")]),
        ({}, []),
    ):
        request = ChatRequest("Librarian", [Message("user", "cite")], parameters=parameters)
        events = [event async for event in client.stream(request)]
        assert [event for event in events if isinstance(event, UrlCited)] == expected
        assert isinstance(events[-1], Finished)


async def test_a_search_whose_sources_can_not_be_read_is_answered(client, simulator):
    simulator.enqueue(Scenario(WrongJson(), operation="MessageCitationSourceModalQuery", times=5))
    request = ChatRequest("Librarian", [Message("user", "cite")], parameters={"web_search": True})
    events = [event async for event in client.stream(request)]
    assert not [event for event in events if isinstance(event, UrlCited)]
    assert isinstance(events[-1], Finished)


async def test_context_optimization(client, ask, account):
    chat = (await ask(client, "hello")).chat
    await client.chats.set_context_optimization(chat.chat_id, False)
    assert account.chats[chat.chat_id].optimizes_context is False


async def test_regenerate_replaces_the_last_answer(client, ask, account):
    chat = (await ask(client, "again please")).chat
    old = account.chats[chat.chat_id].messages[-1].message_id
    events = await collected(client.regenerate(chat))
    messages = account.chats[chat.chat_id].messages
    assert len(messages) == 2 and messages[-1].message_id != old
    assert "".join(getattr(event, "text", "") for event in events) == "You said: again please"


async def test_regenerating_waits_for_the_answer_that_is_being_written(connect, ask, account):
    async with connect(request_timeout_seconds=1.5) as client:
        chat = (await ask(client, "hello")).chat
        last = account.chats[chat.chat_id].messages[-1]
        last.state = "incomplete"
        with pytest.raises(PoeError) as caught:
            await anext(client.regenerate(chat))
        assert caught.value.code is ErrorCode.INVALID_REQUEST
        asyncio.get_running_loop().call_later(0.2, setattr, last, "state", "complete")
        events = await collected(client.regenerate(chat))
    assert "".join(getattr(event, "text", "") for event in events) == "You said: hello"


async def test_regenerating_after_a_break_of_the_context_gives_the_last_answer_again(client, ask):
    chat = (await ask(client, "hello")).chat
    await client.chats.clear_context(chat.chat_id)
    events = await collected(client.regenerate(chat))
    assert "".join(getattr(event, "text", "") for event in events) == "You said: hello"


async def test_regenerating_without_an_answer_is_refused(client, ask):
    chat = (await ask(client, "hello")).chat
    await client.chats.purge(chat.chat_id, 1)
    with pytest.raises(PoeError) as caught:
        await anext(client.regenerate(chat))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_a_cancelled_answer_can_be_regenerated(client, ask, account):
    """The published client polls forever for an answer that will never be complete."""
    chat = (await ask(client, "hello")).chat
    account.chats[chat.chat_id].messages[-1].state = "cancelled"
    events = await collected(client.regenerate(chat))
    assert "".join(getattr(event, "text", "") for event in events) == "You said: hello"


@pytest.mark.parametrize(
    "body", ['{"data":{}}', '{"data":{"chats":[]}}', '{"data":{"chats":{"edges":[null,{"node":7}],"pageInfo":[]}}}']
)
async def test_a_list_of_another_shape_is_empty_not_a_crash(client, simulator, body):
    simulator.enqueue(Scenario(WrongJson(body), operation="ChatHistoryListPaginationQuery"))
    assert await collected(client.chats.history()) == []


async def test_a_refused_import_carries_a_code(client, simulator):
    name = "ContinueChatCTAButton_continueChatFromPoeShare_Mutation"
    simulator.enqueue(Scenario(MutationStatus("no_access"), operation=name))
    with pytest.raises(PoeError) as caught:
        await client.chats.import_shared("code", "Echo")
    assert caught.value.code is ErrorCode.BOT_ACCESS_DENIED
