"""Bots: descriptions, lists, and those that an account makes; and their knowledge."""

from __future__ import annotations

import pytest

from local.poe_web import Bot, Scenario
from local.poe_web.answers import echo
from local.poe_web.request_faults import BotDeleted, GraphQLError, HttpError, MutationStatus, WrongJson
from reverse.chat import Attachment
from reverse.errors import Delivery, ErrorCode, PoeError
from reverse.web import BotDraft


@pytest.fixture
async def client(connect):
    async with connect() as client:
        yield client


@pytest.fixture(autouse=True)
def _profile(account):
    account.handle = "somebody"


async def collected(items):
    return [item async for item in items]


async def test_describes_a_bot(client):
    bot = await client.bots.info("GPT-4o")
    assert (bot.handle, bot.bot_id, bot.model, bot.accepts_files) == ("GPT-4o", 3001, "gpt4_o", True)
    assert (bot.can_access, bot.is_down, bot.is_official, bot.is_own, bot.price_points) == (
        True,
        False,
        True,
        False,
        20,
    )
    assert (await client.bots.details("gpt-4o")).raw["botId"] == 3001


async def test_describes_the_options_of_a_bot(client):
    bot = await client.bots.info("Painter")
    assert [control["parameter_name"] for control in bot.controls["controls"]] == ["aspect"]


async def test_asks_only_once_for_a_bot_also_across_clients(client, connect, simulator):
    await client.bots.info("Echo")
    await client.bots.info("echo")
    async with connect(session_data=client.session_data()) as other:
        assert (await other.bots.info("ECHO")).bot_id == 3003
    assert sum(record.query_name == "handleBotLandingPageQuery" for record in simulator.requests) == 1


async def test_a_description_grows_old(connect, simulator):
    now = 1_000_000.0
    async with connect(wall_clock=lambda: now) as client:
        await client.bots.info("Echo")
        now += 3601
        await client.bots.info("Echo")
    assert sum(record.query_name == "handleBotLandingPageQuery" for record in simulator.requests) == 2


async def test_an_unknown_bot_is_told_apart(client):
    for call in (client.bots.info("Nobody"), client.bots.details("Nobody"), client.bots.delete("Nobody")):
        with pytest.raises(PoeError) as caught:
            await call
        assert caught.value.code is ErrorCode.BOT_NOT_FOUND


async def test_a_bot_that_is_null_is_not_found(client, simulator):
    simulator.enqueue(Scenario(WrongJson('{"data":{"bot":null}}'), operation="HandleBotLandingPageQuery"))
    with pytest.raises(PoeError) as caught:
        await client.bots.info("Echo")
    assert caught.value.code is ErrorCode.BOT_NOT_FOUND


async def test_lists_available_bots_across_pages_without_deleted_ones(client, simulator):
    simulator.bots.named("Story").deleted = True
    bots = await collected(client.bots.available(page_size=4))
    handles = [bot.handle for bot in bots]
    assert len(handles) == len(set(handles)) == 14
    assert "Story" not in handles and handles[-1] == "GPT-3.5-Turbo"


async def test_a_page_of_deleted_bots_does_not_end_the_list(client, simulator):
    for name in ("GPT-4o", "Assistant"):
        simulator.bots.named(name).deleted = True
    handles = [bot.handle for bot in await collected(client.bots.available(page_size=2))]
    assert handles[0] == "Echo" and len(handles) == 13


async def test_explores_categories(client):
    assert "ImageGen" in await client.bots.categories()
    assert await collected(client.bots.explore("ImageGen", page_size=1)) == ["Painter", "Sketcher"]
    assert len(await collected(client.bots.explore(page_size=4))) == 15
    assert await collected(client.bots.explore("Nothing")) == []


async def test_searches_bots_and_people_without_skipping(client, simulator):
    """The published client asks for 50 and goes on at 60."""
    for n in range(120):
        simulator.bots.add(Bot(5000 + n, f"Match-{n}", echo))
    found = await collected(client.bots.search("match"))
    assert found == [f"Match-{n}" for n in range(120)]
    assert await collected(client.bots.search("somebo", kind="user")) == ["somebody"]
    assert await collected(client.bots.search("zzz")) == []


async def test_lists_the_bots_of_a_person(client):
    await client.bots.create(BotDraft(handle="MyBot_1", prompt="Be brief.", base_model="gpt4_o"))
    assert await client.bots.of_user("somebody") == ("MyBot_1",)
    with pytest.raises(PoeError) as caught:
        await client.bots.of_user("nobody")
    assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_creates_asks_edits_and_deletes_a_bot(client, ask, simulator):
    await client.bots.create(BotDraft(handle="MyBot_1", prompt="Be brief.", base_model="gpt4_o"))
    assert (await ask(client, "hello", bot="MyBot_1")).text == "(Be brief.) You said: hello"
    assert (await client.bots.info("mybot_1")).is_own
    await client.bots.edit("MyBot_1", BotDraft(handle="MyBot_2", prompt="Be long.", base_model="beaver"))
    assert (await ask(client, "hello", bot="MyBot_2")).text == "(Be long.) You said: hello"
    await client.bots.delete("MyBot_2")
    assert simulator.bots.named("MyBot_2") is None


async def test_models_for_creation_have_kinds(client):
    models = await client.bots.creation_models()
    assert "gpt4_o" in models.text and models.image == ("dalle3",) and models.video == ("runway",)


@pytest.mark.parametrize("handle", ["abc", "a" * 21, "with space", "Ünicode"])
async def test_an_impossible_handle_is_refused_without_a_call(client, simulator, handle):
    with pytest.raises(PoeError) as caught:
        await client.bots.create(BotDraft(handle=handle, base_model="gpt4_o"))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert simulator.requests == []


async def test_a_model_that_bots_cannot_use_is_refused(client):
    with pytest.raises(PoeError) as caught:
        await client.bots.create(BotDraft(handle="MyBot_1", base_model="secret-model"))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_a_taken_handle_is_a_typed_error(client):
    with pytest.raises(PoeError) as caught:
        await client.bots.create(BotDraft(handle="Story", base_model="gpt4_o"))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_other_peoples_bots_cannot_be_edited_and_are_only_hidden_by_deletion(client, simulator):
    with pytest.raises(PoeError) as caught:
        await client.bots.edit("Story", BotDraft(handle="Story", base_model="gpt4_o"))
    assert caught.value.code is ErrorCode.BOT_ACCESS_DENIED
    await client.bots.delete("Story")
    assert simulator.bots.named("Story") is not None
    assert "Story" not in [bot.handle for bot in await collected(client.bots.available())]


async def test_no_public_name_is_made_up_for_an_account(client, account):
    account.handle = None
    with pytest.raises(PoeError, match="complete_profile") as caught:
        await client.bots.create(BotDraft(handle="MyBot_1", base_model="gpt4_o"))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert account.handle is None
    await client.bots.complete_profile("chosen")
    await client.bots.create(BotDraft(handle="MyBot_1", base_model="gpt4_o"))
    assert account.handle == "chosen"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (GraphQLError("PersistedQueryNotFound"), ErrorCode.STALE_OPERATION),
        (HttpError(429), ErrorCode.RATE_LIMITED),
        (HttpError(503), ErrorCode.OVERLOADED),
    ],
)
async def test_another_failure_is_not_taken_for_a_missing_public_name(client, simulator, fault, code):
    simulator.enqueue(Scenario(fault, operation="MarkMultiplayerNuxCompleted", times=5))
    with pytest.raises(PoeError) as caught:
        await client.bots.create(BotDraft(handle="MyBot_1", base_model="gpt4_o"))
    assert caught.value.code is code
    assert "complete_profile" not in str(caught.value)


async def test_a_bot_deleted_meanwhile_is_a_typed_error(client, ask, simulator):
    simulator.enqueue(Scenario(BotDeleted(), operation="SendMessageMutation"))
    with pytest.raises(PoeError) as caught:
        await ask(client, "hello")
    assert caught.value.code is ErrorCode.BOT_NOT_FOUND


async def test_a_bot_that_one_may_not_use_is_told_from_one_that_is_not_there(client, ask, simulator):
    simulator.enqueue(Scenario(MutationStatus("no_access"), operation="SendMessageMutation"))
    with pytest.raises(PoeError) as caught:
        await ask(client, "hello")
    assert caught.value.code is ErrorCode.BOT_ACCESS_DENIED
    with pytest.raises(PoeError) as caught:
        await ask(client, "hello", "NoSuchBot")
    assert (caught.value.code, caught.value.delivery) == (ErrorCode.BOT_NOT_FOUND, Delivery.REFUSED)


class TestKnowledge:
    """Sources of the account's own bots."""

    async def test_adds_texts_and_files_edits_and_lists_all_from_the_first(self, client, account):
        texts = [await client.knowledge.add_text(f"note {n}", f"text {n}") for n in range(7)]
        file = await client.knowledge.add_file(Attachment("facts.txt", "text/plain", b"the facts"))
        assert file.title == "facts.txt" and account.knowledge[file.source_id].content == "the facts"
        ids = [source.source_id for source in (*texts, file)]
        await client.bots.create(BotDraft(handle="MyBot_1", base_model="gpt4_o", knowledge_source_ids=ids))
        await client.knowledge.edit(texts[0].source_id, title="changed")
        listed = await collected(client.knowledge.of_bot("MyBot_1", page_size=3))
        assert [source.source_id for source in listed] == ids
        assert listed[0].title == "changed" and account.knowledge[texts[0].source_id].content == "text 0"

    async def test_an_edit_adds_and_removes_sources(self, client):
        one, two = await client.knowledge.add_text("1", "a"), await client.knowledge.add_text("2", "b")
        draft = BotDraft(handle="MyBot_1", base_model="gpt4_o", knowledge_source_ids=[one.source_id])
        await client.bots.create(draft)
        changed = BotDraft(
            handle="MyBot_1",
            base_model="gpt4_o",
            knowledge_source_ids=[two.source_id],
            removed_knowledge_source_ids=[one.source_id],
        )
        await client.bots.edit("MyBot_1", changed)
        assert [source.title for source in await collected(client.knowledge.of_bot("MyBot_1"))] == ["2"]

    async def test_the_part_keeps_its_name_when_the_form_key_is_renewed(self, client, account):
        """The published client renames the part on its second try."""
        account.form_key = "f" * 32
        source = await client.knowledge.add_file(Attachment("facts.txt", "text/plain", b"the facts"))
        assert account.knowledge[source.source_id].content == "the facts"

    async def test_refusals_have_codes(self, client, simulator):
        with pytest.raises(PoeError) as caught:
            await client.knowledge.add_file(Attachment("facts.exe", "application/x-msdownload", b"MZ"))
        assert caught.value.code is ErrorCode.UNSUPPORTED_FILE
        name = "Knowledge_EditKnowledgeSourceMutation"
        simulator.enqueue(Scenario(MutationStatus("file_too_large"), operation=name))
        with pytest.raises(PoeError) as caught:
            await client.knowledge.edit(1, content="x")
        assert caught.value.code is ErrorCode.FILE_TOO_LARGE

    async def test_only_own_bots_show_their_sources(self, client):
        with pytest.raises(PoeError) as caught:
            await collected(client.knowledge.of_bot("Echo"))
        assert caught.value.code is ErrorCode.BOT_ACCESS_DENIED
