"""Chats, bots, sharing, exploring, creating and knowledge, over the wire."""

import pytest

from local.poe_web.catalogue import OPERATIONS
from local.poe_web.operations import TABLE

NONCE = "0123456789abcdef"


def test_every_operation_of_the_catalogue_is_served():
    assert set(TABLE) == set(OPERATIONS)


async def talk(client, *prompts, bot="Echo"):
    """One chat per prompt, each finished; the chats in order."""
    chats = []
    for prompt in prompts:
        client.frames.clear()
        chats.append((await client.ask(bot, prompt))["chat"])
        await client.until(lambda: client.events("chatTitleUpdated"))
    return chats


async def all_chats(client, name, root, **variables):
    found, cursor = [], None
    while True:
        page = (await client.query(name, {"count": 2, "cursor": cursor, **variables}))[root]
        found += [edge["node"] for edge in page["edges"]]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


async def test_chats_are_listed_page_by_page_the_latest_first(make_client):
    async with make_client() as client:
        await talk(client, "one", "two", "three")
        await talk(client, "count 1", bot="GPT-4o")
        nodes = await all_chats(client, "ChatHistoryListPaginationQuery", "chats")
        of_echo = await all_chats(client, "ChatHistoryFilteredListPaginationQuery", "filteredChats", handle="echo")
        of_gpt = await all_chats(client, "ChatHistoryFilteredListPaginationQuery", "filteredChats", handle="GPT-4o")
    assert [node["title"] for node in nodes] == ["count 1", "three", "two", "one"]
    assert nodes[0]["defaultBotObject"] == {"displayName": "GPT-4o"}
    assert [node["title"] for node in of_echo] == ["three", "two", "one"]
    assert [node["title"] for node in of_gpt] == ["count 1"]


async def test_paging_goes_on_when_chats_are_deleted_in_between(make_client):
    async with make_client() as client:
        chats = await talk(client, "one", "two", "three", "four")
        first = (await client.query("ChatHistoryListPaginationQuery", {"count": 2, "cursor": None}))["chats"]
        await client.query("DeleteChat", {"chatId": chats[3]["chatId"]})
        cursor = first["pageInfo"]["endCursor"]
        second = (await client.query("ChatHistoryListPaginationQuery", {"count": 2, "cursor": cursor}))["chats"]
    assert [edge["node"]["title"] for edge in second["edges"]] == ["two", "one"]


async def test_messages_are_paged_backwards_until_a_page_is_empty(make_client):
    async with make_client() as client:
        (chat,) = await talk(client, "one")
        for prompt in ("two", "three"):
            client.frames.clear()
            await client.ask("Echo", prompt, chat["chatId"])
        pages, cursor = [], None
        while not pages or pages[-1]:
            variables = {"count": 4, "cursor": cursor, "id": chat["id"]}
            node = (await client.query("ChatListPaginationQuery", variables))["node"]["messagesConnection"]
            pages.append([edge["node"]["text"] for edge in node["edges"]])
            cursor = node["pageInfo"]["startCursor"]
    assert pages == [["two", "You said: two", "three", "You said: three"], ["one", "You said: one"], []]


async def test_a_chat_is_found_by_its_code(make_client):
    async with make_client() as client:
        (chat,) = await talk(client, "one")
        page = (await client.query("ChatPageQuery", {"chatCode": chat["chatCode"]}))["chatOfCode"]
        other = (await client.raw("ChatPageQuery", {"chatCode": "nothing"})).json()
    assert page["chatId"] == chat["chatId"]
    nodes = [edge["node"] for edge in page["messagesConnection"]["edges"]]
    assert [(n["author"], n["state"]) for n in nodes] == [("human", "complete"), ("Echo", "complete")]
    assert other["data"] is None


async def test_an_account_does_not_see_the_chats_of_another(make_client):
    async with make_client() as client, make_client("cookie-2") as stranger:
        (chat,) = await talk(client, "one")
        message_id = client.account.messages[1].message_id
        for name, variables in (
            ("ChatPageQuery", {"chatCode": chat["chatCode"]}),
            ("ChatListPaginationQuery", {"count": 9, "cursor": None, "id": chat["id"]}),
            ("DeleteChat", {"chatId": chat["chatId"]}),
            ("RegenerateMessageMutation", {"messageId": message_id}),
            ("SendMessageMutation", stranger.send_variables("Echo", "hi", chat["chatId"])),
            ("SendChatBreakMutation", {"chatId": chat["chatId"], "clientNonce": NONCE}),
            ("ShareMessageMutation", {"chatId": chat["chatId"], "messageIds": [message_id]}),
        ):
            assert (await stranger.raw(name, variables)).json()["data"] is None, name
        await stranger.query("DeleteMessageMutation", {"messageIds": [message_id]})
        assert (await stranger.query("MessageCitationSourceModalQuery", {"messageId": message_id}))["message"] is None
        await stranger.query("DeleteUserMessagesMutation")
    assert len(client.account.messages) == 2


async def test_a_shared_chat_is_continued_by_another_account(make_client):
    async with make_client() as client, make_client("cookie-2") as friend:
        (chat,) = await talk(client, "one")
        ids = [m.message_id for m in client.account.messages]
        shared = await client.query("ShareMessageMutation", {"chatId": chat["chatId"], "messageIds": ids})
        variables = {"botName": "Echo", "shareCode": shared["messagesShare"]["shareCode"], "postId": None}
        name = "ContinueChatCTAButton_continueChatFromPoeShare_Mutation"
        data = (await friend.query(name, variables))["continueChatFromPoeShare"]
        nothing = (await friend.query(name, variables | {"shareCode": "x"}))["continueChatFromPoeShare"]
        empty = await client.query("ShareMessageMutation", {"chatId": chat["chatId"], "messageIds": []})
    (copy,) = friend.account.chats.values()
    assert data["status"] == "success"
    assert data["messages"][0]["node"]["chat"]["chatCode"] == copy.code
    assert [m.text for m in copy.messages] == ["one", "You said: one"]
    assert nothing["status"] != "success"
    assert empty["messagesShare"] is None


async def test_citations_and_context_optimisation(make_client):
    async with make_client() as client:
        (chat,) = await talk(client, "one", bot="Librarian")
        answer = client.account.messages[1]
        data = await client.query("MessageCitationSourceModalQuery", {"messageId": answer.message_id})
        name = "ChatSettingsModal_ChatSetContextOptimization_Mutation"
        await client.query(name, {"chatId": chat["chatId"], "isContextOptimizationOn": False})
    assert data["message"]["citations"][0]["url"].startswith("https://")
    assert client.account.chats[chat["chatId"]].optimizes_context is False
    assert client.bot_messages()[-1]["hasCitations"] is True


async def test_the_landing_page_has_the_fields_that_both_generations_read(make_client):
    async with make_client() as client:
        data = await client.query("HandleBotLandingPageQuery", {"botHandle": "gpt-4o"})
    older = {"handle", "model", "supportsFileUpload", "messageTimeoutSecs", "viewerIsCreator", "id"}
    newer = {"displayName", "botId", "allowsImageAttachments", "uploadFileSizeLimit", "canUserAccessBot", "isApiBot"}
    assert older | newer | {"isOfficialBot", "isDown"} <= set(data["bot"])
    assert {"submitMessageParamsAsDict", "shouldUseFinishUploadEndpoint", "shouldUsePresignedUrl"} <= set(
        data["viewer"]
    )
    assert data["bot"]["model"] == "gpt4_o"


async def pages_of_bots(client, **variables):
    handles, cursor = [], None
    while True:
        data = await client.query("AvailableBotsSelectorModalPaginationQuery", {"cursor": cursor, **variables})
        connection = data["viewer"]["availableBotsConnection"]
        if not connection["edges"]:
            return handles
        handles += [edge["node"]["handle"] for edge in connection["edges"]]
        cursor = connection["pageInfo"]["endCursor"]


@pytest.mark.parametrize("variables", [{}, {"limit": 4, "botSelectorFilter": "all"}])
async def test_available_bots_are_paged_until_a_page_is_empty(make_client, simulator, variables):
    async with make_client() as client:
        assert await pages_of_bots(client, **variables) == [bot.handle for bot in simulator.bots]


async def test_exploring_by_category_and_by_search(make_client):
    async with make_client(handle="some_user") as client:
        data = await client.query("ExploreBotsIndexPageQuery", {"categoryName": "defaultCategory"})
        categories = [c["categoryName"] for c in data["exploreBotsCategoryObjects"]]
        first = await client.query("ExploreBotsListPaginationQuery", {"categoryName": "ImageGen", "count": 1})
        edge = first["exploreBotsConnection"]["edges"][0]
        rest = await client.query(
            "ExploreBotsListPaginationQuery", {"categoryName": "ImageGen", "count": 9, "cursor": edge["cursor"]}
        )
        search = {"query": "GPT", "entityType": "bot", "count": 50}
        bots = await client.query("SearchResultsListPaginationQuery", search)
        more = await client.query("SearchResultsListPaginationQuery", search | {"cursor": 60})
        users = await client.query("SearchResultsListPaginationQuery", search | {"query": "some", "entityType": "user"})
    assert {"Official", "ImageGen"} <= set(categories)
    assert [edge["node"]["handle"], *(e["node"]["handle"] for e in rest["exploreBotsConnection"]["edges"])] == [
        "Painter",
        "Sketcher",
    ]
    assert {e["node"]["handle"] for e in bots["searchEntityConnection"]["edges"]} == {"GPT-4o", "GPT-3.5-Turbo"}
    assert more["searchEntityConnection"]["edges"] == []
    assert users["searchEntityConnection"]["edges"] == [{"node": {"nullableHandle": "some_user"}}]


CREATE = {
    "botCategory": 1,
    "model": "gpt4_o",
    "displayName": None,
    "handle": "MyBot_1",
    "prompt": "Be brief",
    "isPromptPublic": True,
    "introduction": "",
    "description": "",
    "profilePictureUrl": None,
    "apiUrl": None,
    "apiKey": None,
    "isApiBot": False,
    "hasMarkdownRendering": True,
    "hasSuggestedReplies": False,
    "isPrivateBot": False,
    "temperature": None,
    "customMessageLimit": None,
    "knowledgeSourceIds": [],
    "messagePriceCc": None,
    "shouldCiteSources": True,
    "allowRelatedBotRecommendations": True,
    "inviteCodeReqHash": None,
}


async def knowledge(client, title):
    variables = {"sourceInput": {"text_input": {"title": title, "content": "facts"}}}
    data = (await client.query("Knowledge_CreateKnowledgeSourceMutation", variables))["knowledgeSourceCreate"]
    assert data["status"] == "success"
    return data["source"]["knowledgeSourceId"]


async def test_a_bot_is_created_used_edited_and_deleted(make_client):
    async with make_client(handle="maker") as client, make_client("cookie-2") as other:
        models = (await client.query("CreateBotIndexPageQuery", {"messageId": None}))["viewer"]
        assert CREATE["model"] in [m["model"] for m in models["botsAllowedForUserCreation"]]
        created = (await client.query("PoeBotCreate", CREATE))["poeBotCreate"]
        assert created["status"] == "success"
        assert (await other.query("PoeBotCreate", CREATE))["poeBotCreate"]["status"] == "handle_already_taken"
        await client.ask("mybot_1", "hi")
        assert client.bot_messages()[-1]["text"] == "(Be brief) You said: hi"

        sidebar = {"useChat": False, "useBotName": True, "botName": "mybot_1"}
        bot_id = (await client.query("LayoutRightSidebarQuery", sidebar))["bot"]["botId"]
        assert (await client.query("LayoutRightSidebarQuery", sidebar))["bot"]["viewerIsCreator"] is True
        assert (await other.query("LayoutRightSidebarQuery", sidebar))["bot"]["viewerIsCreator"] is False
        users_bots = (await other.query("HandleProfilePageQuery", {"handle": "Maker"}))["user"]
        assert (users_bots["createdBotCount"], users_bots["createdBots"]) == (1, [{"handle": "MyBot_1"}])

        source = await knowledge(client, "notes")
        change = {k: v for k, v in CREATE.items() if k not in ("model", "isApiBot", "knowledgeSourceIds")}
        change |= {"baseBot": "gpt4_o", "botId": bot_id, "handle": "MyBot_2", "prompt": "Be long"}
        change |= {"knowledgeSourceIdsToAdd": [source], "knowledgeSourceIdsToRemove": [], "isPrivateBot": True}
        assert (await other.raw("PoeBotEdit", change)).json()["data"] is None
        assert (await client.query("PoeBotEdit", change))["poeBotEdit"]["status"] == "success"
        assert (await other.raw("HandleBotLandingPageQuery", {"botHandle": "mybot_2"})).json()["data"] is None

        delete = "BotInfoCardActionBar_poeBotDelete_Mutation"
        assert (await other.raw(delete, {"botId": bot_id})).json()["errors"]
        await client.query(delete, {"botId": bot_id})
        assert (await client.raw("LayoutRightSidebarQuery", sidebar | {"botName": "mybot_2"})).json()["data"] is None


@pytest.mark.parametrize("wrong", [{"handle": "x"}, {"handle": "with space"}, {"model": "unknown"}])
async def test_a_bot_that_cannot_be_is_refused_by_status(make_client, wrong):
    async with make_client() as client:
        assert (await client.query("PoeBotCreate", CREATE | wrong))["poeBotCreate"]["status"] != "success"


async def test_a_foreign_bot_is_only_taken_off_the_list(make_client, simulator):
    async with make_client() as client:
        connection = "client:Vmlld2VyOjA=:__HomeBotSelector_viewer_availableBotsConnection_connection"
        variables = {"connections": [connection], "botId": simulator.bots.named("Slow").bot_id}
        await client.query("BotInfoCardActionBar_poeRemoveBotFromUserList_Mutation", variables)
        assert "Slow" not in await pages_of_bots(client)
        assert (await client.query("HandleBotLandingPageQuery", {"botHandle": "Slow"}))["bot"]


async def test_the_introduction_needs_a_handle_first(make_client):
    async with make_client() as client:
        assert (await client.raw("MarkMultiplayerNuxCompleted")).json()["data"] is None
        await client.query("NuxInitialModal_poeSetHandle_Mutation", {"handle": "newcomer"})
        await client.query("MarkMultiplayerNuxCompleted")
    assert client.account.handle == "newcomer"


async def test_knowledge_is_uploaded_edited_and_listed_for_its_bot(make_client):
    async with make_client() as client:
        ids = [await knowledge(client, f"source {n}") for n in range(8)]
        payload = client.payload(
            "Knowledge_CreateKnowledgeSourceMutation", {"sourceInput": {"file_upload": {"attachment": "file"}}}
        )
        for name, status in (("facts.txt", "success"), ("facts.exe", "unsupported_file_type")):
            parts = {"queryInfo": (None, payload), "file": (name, b"facts", "text/plain")}
            answer = await client.http.post("/api/gql_upload_POST", files=parts, headers=client.headers(payload))
            created = answer.json()["data"]["knowledgeSourceCreate"]
            assert created["status"] == status
            ids += [created["source"]["knowledgeSourceId"]] if created["source"] else []
        edit = {"knowledgeSourceId": ids[0], "sourceInput": {"text_input": {"title": "renamed", "content": None}}}
        assert (await client.query("Knowledge_EditKnowledgeSourceMutation", edit))["knowledgeSourceEdit"] == {
            "status": "success"
        }
        bot = (await client.query("PoeBotCreate", CREATE | {"knowledgeSourceIds": ids}))["poeBotCreate"]["bot"]
        name = "BotKnowledgeSourcesModalPaginationQuery"
        first = (await client.query(name, {"after": "-1", "first": 6, "id": bot["id"]}))["node"]
        second = (await client.query(name, {"after": "5", "first": 6, "id": bot["id"]}))["node"]
    edges = first["knowledgeSourceConnection"]["edges"]
    assert [edge["node"]["title"] for edge in edges][:2] == ["renamed", "source 1"]
    assert first["knowledgeSourceConnection"]["pageInfo"] == {"hasNextPage": True, "endCursor": "5"}
    assert [e["cursor"] for e in second["knowledgeSourceConnection"]["edges"]] == ["6", "7", "8"]
    assert client.account.knowledge[ids[0]].content == "facts"


async def test_deleting_a_chat_ends_the_answer_in_it(make_client):
    async with make_client() as client:
        edge = await client.send("Slow", "a rather long prompt that takes a while to be said again by this bot")
        await client.until(client.bot_messages)
        await client.query("DeleteChat", {"chatId": edge["chat"]["chatId"]})
        await client.until(lambda: client.events("messageCancelled"))
    assert client.account.chats == {}
