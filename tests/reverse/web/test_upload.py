"""Files with messages, in both forms and from every source; and the older generation of operations as a whole."""

from __future__ import annotations

import asyncio
import base64
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from local.poe_web import Scenario
from local.poe_web.request_faults import ChallengePage, HttpError, WrongJson
from local.poe_web.stream_faults import HangStream
from reverse.chat import Attachment, ChatRequest, Message
from reverse.errors import ErrorCode, PoeError
from reverse.events import FileAttached, TextDelta
from reverse.web import attachment_from_path

NOTE = Attachment("note.txt", "text/plain", b"a note")
PIXEL = Attachment("pixel.png", "image/png", b"\x89PNG....")


@pytest.fixture(params=["newer", "older"])
def generation(request) -> str:
    return request.param


@dataclass
class Fetched:
    data: bytes = b"fetched"
    content_type: str = "text/plain"
    name: str = "fetched.txt"


class RecordingFetch:
    """Stands in for the guarded fetcher."""

    def __init__(self, error: PoeError | None = None) -> None:
        self.calls: list[tuple[str, int, float]] = []
        self.error = error

    async def __call__(self, url: str, *, max_bytes: int, timeout_seconds: float) -> Fetched:
        self.calls.append((url, max_bytes, timeout_seconds))
        if self.error:
            raise self.error
        return Fetched()


async def send(client, *attachments: Attachment, bot: str = "Echo") -> str:
    request = ChatRequest(bot, [Message("user", "see", attachments)])
    async with aclosing(client.stream(request)) as events:
        return "".join([event.text async for event in events if isinstance(event, TextDelta)])


def paths(simulator) -> list[str]:
    return [record.path for record in simulator.requests if "upload" in record.path]


async def test_files_arrive_in_order_with_their_types(connect, generation, simulator):
    async with connect(operation_generation=generation) as client:
        text = await send(client, NOTE, PIXEL, Attachment("code.py", "", b"x = 1"))
    assert text.split("\n")[1:] == [
        "note.txt (text/plain, 6 bytes)",
        "pixel.png (image/png, 8 bytes)",
        "code.py (text/x-python, 5 bytes)",
    ]
    separate = ["/api/finish_upload_POST"] * 3
    assert paths(simulator) == (separate if generation == "newer" else ["/api/gql_upload_POST"])


async def test_a_file_that_the_bot_refuses_is_a_typed_error(connect, generation, simulator):
    simulator.bots.named("Echo").upload_limit = 3
    async with connect(operation_generation=generation) as client:
        with pytest.raises(PoeError) as caught:
            await send(client, NOTE)
        assert caught.value.code is ErrorCode.FILE_TOO_LARGE
        with pytest.raises(PoeError) as caught:
            await send(client, Attachment("x.exe", "application/x-msdownload", b"MZ"))
        assert caught.value.code is ErrorCode.UNSUPPORTED_FILE


async def test_a_stale_form_key_during_an_upload_is_renewed(connect, account, simulator):
    async with connect() as client:
        await send(client)
        account.form_key = "e" * 32
        assert "note.txt" in await send(client, NOTE)
    assert len(paths(simulator)) == 2


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (HttpError(413), ErrorCode.FILE_TOO_LARGE),
        (HttpError(500), ErrorCode.UPSTREAM_FAILED),
        (WrongJson("{}"), ErrorCode.PROTOCOL),
    ],
)
async def test_a_failed_upload_sends_no_message(connect, simulator, fault, code):
    simulator.enqueue(Scenario(fault, operation="/api/finish_upload_POST", times=9))
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await send(client, NOTE, PIXEL)
    assert caught.value.code is code
    assert not any(record.query_name == "sendMessageMutation" for record in simulator.requests)


async def test_an_upload_ends_with_the_message_that_cannot_be_sent(connect, simulator):
    """Whoever is told that the account can't be used does not wait for the rest of a large file."""
    simulator.enqueue(Scenario(ChallengePage(), operation="/api/settings"))
    is_over = asyncio.Event()

    async def endless(url: str, *, max_bytes: int, timeout_seconds: float) -> Fetched:
        try:
            await asyncio.Event().wait()
        finally:
            is_over.set()

    async with connect(fetch=endless) as client:
        with pytest.raises(PoeError) as caught:
            await asyncio.wait_for(send(client, Attachment("a.txt", "text/plain", url="https://a.example/a.txt")), 30)
        assert caught.value.code is ErrorCode.CHALLENGE and is_over.is_set()


async def test_addresses_go_through_the_fetcher_with_limits(connect):
    fetch = RecordingFetch()
    async with connect(fetch=fetch, max_attachment_bytes=1234, request_timeout_seconds=9.0) as client:
        text = await send(client, Attachment("", "text/plain", url="https://files.example/x"))
    assert "fetched.txt (text/plain, 7 bytes)" in text
    assert fetch.calls == [("https://files.example/x", 1234, 9.0)]


async def test_an_address_that_the_fetcher_refuses_sends_no_message(connect, simulator):
    async with connect() as client:
        with pytest.raises(PoeError) as caught:
            await send(client, Attachment("x.txt", "text/plain", url="http://169.254.169.254/latest/meta-data"))
    assert caught.value.code is ErrorCode.UNSAFE_URL
    assert not any(record.query_name == "sendMessageMutation" for record in simulator.requests)


async def test_a_data_url_needs_no_network(connect):
    url = "data:text/plain;base64," + base64.b64encode(b"hello").decode()
    async with connect() as client:
        assert "x.txt (text/plain, 5 bytes)" in await send(client, Attachment("x.txt", "text/plain", url=url))


async def test_a_path_is_read_for_programs(connect, tmp_path):
    path = tmp_path / "notes.md"
    path.write_text("# hi")
    async with connect() as client:
        assert "notes.md" in await send(client, attachment_from_path(path))


async def test_too_much_is_refused_before_anything_is_sent(connect, simulator):
    async with connect(max_attachment_bytes=5) as client:
        with pytest.raises(PoeError) as caught:
            await send(client, NOTE)
        assert caught.value.code is ErrorCode.FILE_TOO_LARGE
        with pytest.raises(PoeError) as caught:
            await send(client, *[Attachment("a.txt", "text/plain", b"a")] * 21)
        assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert paths(simulator) == []


async def test_names_cannot_leave_their_place(connect, account):
    async with connect() as client:
        await send(client, Attachment('../../et"c/pa\r\nss"wd.txt', "text/plain", b"x"))
    (chat,) = account.chats.values()
    assert [file.name for file in chat.messages[0].attachments] == ["pa__ss_wd.txt"]


async def test_files_that_a_bot_makes_are_events(connect, ask):
    async with connect() as client:
        answer = await ask(client, "a cat", bot="Painter", parameters={"aspect": "16:9"})
    (file,) = [event for event in answer.events if isinstance(event, FileAttached)]
    assert file.content_type.startswith("image/") and file.url.startswith("http")


async def test_parameters_reach_the_bot_as_json_text(connect, ask, account):
    async with connect() as client:
        chat = (await ask(client, "hello", parameters={"web_search": False})).chat
    assert account.chats[chat.chat_id].messages[0].parameters == '{"web_search":false}'


class TestOlderGeneration:
    """The operations of 2025, for when the newer ones should stop working."""

    @pytest.fixture
    async def client(self, connect):
        async with connect(operation_generation="older") as client:
            yield client

    async def test_asks_continues_lists_and_reads_points(self, client, ask, simulator):
        chat = (await ask(client, "first")).chat
        assert (await ask(client, "second", chat=chat)).text == "You said: second"
        assert (await client.points()).balance is not None
        assert len([bot async for bot in client.bots.available()]) == 15
        assert {record.query_name for record in simulator.requests if record.query_name} == {
            "SubscriptionsMutation",
            "SendMessageMutation",
            "SettingsPageQuery",
            "AvailableBotsSelectorModalPaginationQuery",
        }

    async def test_stops_an_answer_by_its_message(self, client, chat_request, simulator):
        simulator.enqueue(Scenario(HangStream(at=2)))
        async with aclosing(client.stream(chat_request("one two three"))) as events:
            await anext(events)
        assert simulator.requests[-1].query_name == "StopMessage_messageCancel_Mutation"
        assert simulator.requests[-1].status == 200


async def test_a_file_that_was_just_sent_is_not_sent_again(connect, simulator):
    async with connect() as client:
        await send(client, NOTE, NOTE, PIXEL)
        await send(client, PIXEL, NOTE)
        assert len(paths(simulator)) == 2
        await send(client, Attachment("other.txt", "text/plain", NOTE.data))
        assert len(paths(simulator)) == 3, "a name is part of what the bot sees"


async def test_files_of_a_refused_message_are_sent_again(connect, simulator):
    async with connect() as client:
        await send(client, NOTE)
        simulator.enqueue(Scenario(HttpError(500), operation="SendMessageMutation"))
        with pytest.raises(PoeError):
            await send(client, NOTE)
        await send(client, NOTE)
    assert len(paths(simulator)) == 2
