"""Sending, streaming, cancelling, repeating; and what it costs."""

import asyncio
import re

import httpx
import pytest

OLDER, NEWER = 0, -1
NEWER_FORM = {"chatNonce": "0123456789abcdef", "referencedMessageId": None, "parameters": None, "fileHashJwts": []}


async def test_a_new_chat_is_answered_word_by_word(make_client):
    async with make_client() as client:
        edge = await client.ask("Echo", "hello wide world")
    assert edge["status"] == "success"
    assert set(edge["chat"]) >= {"chatId", "chatCode", "id", "title"}
    texts = [data["text"] for data in client.bot_messages()]
    assert texts == [
        "You ",
        "You said: ",
        "You said: hello ",
        "You said: hello wide ",
        "You said: hello wide world",
        "You said: hello wide world",
    ]
    assert [data["state"] for data in client.bot_messages()] == ["incomplete"] * 5 + ["complete"]


async def test_the_events_of_an_answer_come_in_the_usual_order(make_client):
    async with make_client() as client:
        await client.ask("Echo", "hi")
        await client.until(lambda: client.events("chatTitleUpdated"))
    names = [name for name, _ in client.events()]
    assert names[:2] == ["messageAdded", "jobStarted"]
    assert names[-3:] == ["jobUpdated", "jobCostUpdated", "chatTitleUpdated"]
    assert client.events("messageAdded")[0]["author"] == "human"


async def test_an_existing_chat_goes_on_and_keeps_its_title(make_client):
    async with make_client() as client:
        first = await client.ask("Echo", "one")
        await client.until(lambda: client.events("chatTitleUpdated"))
        client.frames.clear()
        second = await client.ask("Echo", "two", first["chat"]["chatId"])
        await client.until(lambda: client.events("jobCostUpdated"))
    assert "chat" not in second
    assert client.events("chatTitleUpdated") == []
    (chat,) = client.account.chats.values()
    assert [m.text for m in chat.messages] == ["one", "You said: one", "two", "You said: two"]


async def test_the_newer_form_with_parameters_is_accepted(make_client):
    async with make_client(generation=NEWER) as client:
        await client.ask("echo", "hi", **NEWER_FORM | {"parameters": '{"web_search":false}'})
    assert client.account.messages[0].parameters == '{"web_search":false}'


async def test_points_fall_by_the_cost_which_is_announced(make_client):
    async with make_client() as client:
        await client.ask("Thinker", "hi")
        await client.until(lambda: client.events("jobCostUpdated"))
    (cost,) = client.events("jobCostUpdated")
    assert cost["totalCostPoints"] == 50
    assert client.account.points == 2950


async def test_an_account_without_enough_points_is_refused_by_a_message_state(make_client):
    async with make_client(points=10) as client:
        edge = await client.ask("GPT-4o", "hi")
    assert edge["status"] == "success"
    (refusal,) = client.bot_messages()
    assert (refusal["state"], refusal["text"]) == ("error_insufficient_fund", "")
    assert refusal["messageStateText"]
    assert client.account.points == 10


async def test_bought_points_are_spent_last(make_client):
    async with make_client(points=30, addon_points=100) as client:
        await client.ask("Thinker", "hi")
        info = (await client.query("SettingsPageQuery"))["viewer"]["messagePointInfo"]
    assert (info["subscriptionPointBalance"], info["addonPointBalance"], info["messagePointBalance"]) == (0, 80, 80)


async def test_points_are_granted_again_when_the_time_has_come(make_client):
    async with make_client(points=5) as client:
        client.account.next_grant -= 2 * 86_400_000_000
        info = (await client.query("SettingsPageQuery"))["viewer"]["messagePointInfo"]
    assert info["messagePointBalance"] == 3000
    assert info["computePointNextGrantTime"] == client.account.next_grant


async def test_a_bot_for_subscribers_is_not_for_others(make_client):
    async with make_client(subscribed=False) as client:
        edge = await client.send("Premium", "hi")
        assert (await client.query("SettingsPageQuery"))["viewer"]["subscription"] is None
    assert edge["status"] == "no_access"
    assert edge["statusMessage"]
    assert client.account.chats == {}


async def test_an_unknown_bot_is_no_access(make_client):
    async with make_client() as client:
        assert (await client.send("NoSuchBot", "hi"))["status"] == "no_access"


@pytest.mark.parametrize("name", ["GPT-4o", "gpt-4o", "gpt4_o", "GPT- 4o"])
async def test_bots_are_found_by_handle_in_any_case_and_by_codename(make_client, name):
    async with make_client() as client:
        await client.ask(name, "count 2")
    assert client.bot_messages()[-1]["text"] == "w0001 w0002"
    assert client.bot_messages()[-1]["author"] == "gpt4_o"


async def test_the_thinker_replaces_a_longer_text_by_a_shorter_one(make_client):
    async with make_client() as client:
        await client.ask("Thinker", "why")
    texts = [data["text"] for data in client.bot_messages()]
    assert texts[1] == "Thinking... (2s elapsed)"
    assert texts[2] == "Answer: "
    assert texts[-1] == "Answer: why"


async def test_media_bots_attach_files_that_can_be_fetched(make_client):
    async with make_client() as client:
        for bot, kind, magic in (("Painter", "image/png", b"\x89PNG"), ("Speaker", "audio/wav", b"RIFF")):
            client.frames.clear()
            await client.ask(bot, "something nice")
            (attachment,) = client.bot_messages()[-1]["attachments"]
            assert attachment["file"]["mimeType"] == kind
            async with httpx.AsyncClient() as anybody:
                fetched = await anybody.get(attachment["file"]["url"])
            assert fetched.content.startswith(magic)
            assert fetched.headers["content-type"] == kind
            assert attachment["file"]["size"] == len(fetched.content)


async def test_the_sketcher_puts_the_address_into_the_text(make_client):
    async with make_client() as client:
        await client.ask("Sketcher", "a tree")
        last = client.bot_messages()[-1]
        (url,) = re.findall(r"https?://\S+", last["text"])
        assert (await client.http.get(url)).content.startswith(b"\x89PNG")
    assert last["attachments"] == []


async def test_the_helper_suggests_replies_after_it_is_complete(make_client):
    async with make_client() as client:
        await client.ask("Helper", "hi")
        await client.until(lambda: sum(d["state"] == "complete" for d in client.bot_messages()) == 8)
    complete = [data for data in client.bot_messages() if data["state"] == "complete"]
    assert complete[0]["followupActions"] == []
    assert [action["bodyText"] for action in complete[-1]["followupActions"]] == [
        "Tell me more",
        "Give an example",
        "What else?",
    ]


async def test_the_puppet_says_what_the_prompt_puts_into_brackets(make_client):
    prompt = 'system\n```json\n{"tools":[[1]]}\n```\n[[say: ```json\n{"calls":[[1,2],[3]]}\n```]] trailing'
    async with make_client() as client:
        await client.ask("Puppet", prompt)
    assert client.bot_messages()[-1]["text"] == '```json\n{"calls":[[1,2],[3]]}\n```'


@pytest.mark.parametrize("way", ["message", "chat"])
async def test_either_cancel_ends_the_answer(make_client, way):
    async with make_client() as client:
        edge = await client.send("Story", "count 500")
        await client.until(lambda: len(client.bot_messages()) >= 3)
        message_id = client.bot_messages()[0]["messageId"]
        if way == "message":
            variables = {"messageId": message_id, "textLength": 12}
            await client.query("StopMessage_messageCancel_Mutation", variables)
        else:
            variables = {"chatId": edge["chat"]["chatId"]}
            await client.query("cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation", variables)
        await client.until(lambda: client.events("messageCancelled"))
        (cancelled,) = client.events("messageCancelled")
        assert cancelled["messageId"] == message_id
        await client.until(lambda: client.events("chatTitleUpdated"))
    answer = client.account.messages[-1]
    assert answer.state == "cancelled"
    assert len(answer.text) == cancelled["textLengthOnCancellation"] == len(client.bot_messages()[-1]["text"])


async def test_an_answer_can_be_repeated_under_a_new_id(make_client):
    async with make_client() as client:
        await client.ask("Echo", "hi")
        old = client.bot_messages()[-1]["messageId"]
        await client.until(lambda: client.events("chatTitleUpdated"))
        client.frames.clear()
        await client.query("RegenerateMessageMutation", {"messageId": old})
        await client.until(client.is_over)
    assert client.bot_messages()[-1]["messageId"] > old
    assert client.bot_messages()[-1]["text"] == "You said: hi"
    assert not [data for data in client.events("messageAdded") if data["author"] == "human"]
    assert [m.author for m in client.account.messages] == ["human", "Echo"]


async def test_a_chat_break_is_a_message_and_an_event(make_client):
    async with make_client() as client:
        chat_id = (await client.ask("Echo", "hi"))["chat"]["chatId"]
        await client.query("SendChatBreakMutation", {"chatId": chat_id, "clientNonce": "0123456789abcdef"})
        await client.until(lambda: client.events("messageAdded")[-1]["author"] == "chat_break")
    assert client.account.messages[-1].author == "chat_break"


async def test_messages_and_everything_can_be_deleted(make_client):
    async with make_client() as client:
        await client.ask("Echo", "hi")
        question, answer = client.account.messages
        await client.query("DeleteMessageMutation", {"messageIds": [question.message_id, 1]})
        assert client.account.messages == [answer]
        await client.query("DeleteUserMessagesMutation")
        assert client.account.chats == {}


async def test_answers_run_side_by_side_and_the_peak_is_known(make_client):
    async with make_client() as client:
        edges = await asyncio.gather(*(client.send("Echo", f"number {n}") for n in range(8)))
        done = lambda: sum(d["state"] == "complete" for d in client.bot_messages()) == 8  # noqa: E731
        await client.until(done)
    assert len({edge["chat"]["chatId"] for edge in edges}) == 8
    assert {d["text"] for d in client.bot_messages() if d["state"] == "complete"} == {
        f"You said: number {n}" for n in range(8)
    }
    assert client.account.peak_concurrency == 8
    assert client.account.running == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"clientNonce": "short"},
        {"source": {"sourceType": "other"}},
        {"chatId": 1},
        {"shouldFetchChat": False},
        {"query": None},
        {"attachments": None},
        {"attachments": ["file0"]},
        {"parameters": {"a": 1}},
    ],
)
async def test_a_malformed_message_is_a_server_error_and_costs_nothing(make_client, wrong):
    async with make_client() as client:
        answer = (await client.raw("SendMessageMutation", client.send_variables("Echo", "hi") | wrong)).json()
    assert answer["errors"] == [{"message": "Server Error"}]
    assert client.account.points == 3000
    assert client.account.messages == []
