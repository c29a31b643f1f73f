"""Responses, messages, the bot protocol, images, videos, audio, upload: the client against the simulator."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import (
    CloseEarly,
    CutSocket,
    DropConnection,
    ErrorEvent,
    Fault,
    HangRequest,
    HttpError,
    PointsRunOut,
    SplitBytes,
)
from reverse.chat import Attachment, ChatRequest, Message, ToolCall
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.errors import Delivery, ErrorCode, PoeError
from reverse.events import (
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
    UsageReported,
)
from reverse.fetch import FetchedFile
from reverse.official import PoeOfficialClient, Route, VideoStatus
from reverse.official.messages_endpoint import MessagesDecoder
from reverse.official.responses_endpoint import ResponsesDecoder
from reverse.official.uploads import with_bytes

Question = Callable[..., ChatRequest]
TextOf = Callable[[list[Event]], str]

KEY = "test-key-0123456789abcdef"
CITY = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
TALK = [
    Message("system", "Be brief."),
    Message("user", "Weather?"),
    Message("assistant", "Let me look.", tool_calls=(ToolCall("call_1", "weather", '{"city":"Rome"}'),)),
    Message("tool", "sunny", tool_call_id="call_1"),
]
THREE_ROUTES = [(Route.RESPONSES, "GPT-5.2"), (Route.MESSAGES, "Claude-Sonnet-4.5"), (Route.BOT_QUERY, "ToolCaller")]


async def ask(client: PoeOfficialClient, request: ChatRequest, route: Route | None = None) -> list[Event]:
    return [event async for event in client.stream(request, route=route)]


def calls_of(events: list[Event]) -> list[tuple[str | None, str]]:
    calls: dict[int, tuple[str | None, str]] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            name, arguments = calls.get(event.index, (event.name, ""))
            assert (event.id is not None) == (event.index not in calls)
            calls[event.index] = (name, arguments + event.arguments)
    return list(calls.values())


@pytest.mark.parametrize(("route", "bot"), THREE_ROUTES)
async def test_every_route_streams_text_to_its_end(
    client: PoeOfficialClient, question: Question, text_of: TextOf, route: Route, bot: str
) -> None:
    events = await ask(client, question(bot, "a b c [[say: one two three]]"), route)
    assert text_of(events) == "one two three"
    assert sum(isinstance(event, TextDelta) for event in events) == 3
    assert events[-1] == Finished(FinishReason.STOP)


@pytest.mark.parametrize(("route", "bot"), THREE_ROUTES)
async def test_every_route_calls_tools_in_parallel(
    client: PoeOfficialClient, question: Question, route: Route, bot: str
) -> None:
    text = '[[call: {"city": "Paris"}]] [[call: {"city": "Rome"}]]'
    events = await ask(client, question(bot, text, tools=[CITY]), route)
    assert calls_of(events) == [("weather", '{"city": "Paris"}'), ("weather", '{"city": "Rome"}')]
    assert events[-1] == Finished(FinishReason.TOOL_CALLS)


@pytest.mark.parametrize(("route", "bot"), THREE_ROUTES)
async def test_every_route_takes_tool_results_back(
    client: PoeOfficialClient, text_of: TextOf, route: Route, bot: str
) -> None:
    events = await ask(client, ChatRequest(bot, TALK, tools=[CITY]), route)
    assert text_of(events) == "The tool said: sunny"


@pytest.mark.parametrize(("route", "bot"), THREE_ROUTES)
@pytest.mark.parametrize(("at", "delivery"), [(0, Delivery.REFUSED), (1, Delivery.FAILED)])
async def test_a_message_that_was_taken_was_not_refused(
    client: PoeOfficialClient,
    simulator: PoeOfficialSimulator,
    question: Question,
    route: Route,
    bot: str,
    at: int,
    delivery: Delivery,
) -> None:
    """The first frame has no text yet, but Poe has begun, and may charge for it."""
    simulator.enqueue(Scenario(PointsRunOut(at)))
    with pytest.raises(PoeError) as caught:
        await ask(client, question(bot, "a b c"), route)
    assert (caught.value.code, caught.value.delivery) == (ErrorCode.INSUFFICIENT_POINTS, delivery)


@pytest.mark.parametrize(("route", "bot"), THREE_ROUTES)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (CutSocket(6), ErrorCode.CONNECTION_FAILED),
        (CloseEarly(6), ErrorCode.PROTOCOL),
        (ErrorEvent(6, "overloaded_error", None), None),
        (PointsRunOut(6), ErrorCode.INSUFFICIENT_POINTS),
    ],
    ids=repr,
)
async def test_every_route_tells_a_broken_stream(
    client: PoeOfficialClient,
    simulator: PoeOfficialSimulator,
    question: Question,
    route: Route,
    bot: str,
    fault: CutSocket,
    code: ErrorCode | None,
) -> None:
    simulator.enqueue(Scenario(fault))
    with pytest.raises(PoeError) as caught:
        await ask(client, question(bot, "[[say: a b c d e f]]"), route)
    # The bot protocol's error event carries no such type.
    expected = ErrorCode.BOT_FAILED if route is Route.BOT_QUERY else ErrorCode.OVERLOADED
    assert caught.value.code is (code or expected)
    assert len(simulator.requests) == 1


@pytest.mark.parametrize(("route", "bot"), THREE_ROUTES)
async def test_every_route_reads_single_bytes(
    client: PoeOfficialClient,
    simulator: PoeOfficialSimulator,
    question: Question,
    text_of: TextOf,
    route: Route,
    bot: str,
) -> None:
    simulator.enqueue(Scenario(SplitBytes(1)))
    assert text_of(await ask(client, question(bot, "[[say: ä b]]"), route)) == "ä b"


@pytest.mark.virtual_time
@pytest.mark.parametrize(("route", "bot"), THREE_ROUTES)
async def test_every_route_sends_once_and_bounds_silence(
    simulator: PoeOfficialSimulator, config: PoeConfig, question: Question, route: Route, bot: str
) -> None:
    hasty = replace(config, first_event_timeout_seconds=0.2)
    faults = [(HttpError(529, "overloaded_error"), Delivery.REFUSED), (HangRequest(), Delivery.UNKNOWN)]
    async with PoeOfficialClient(OfficialCredentials(KEY), hasty) as client:
        for number, (fault, delivery) in enumerate(faults, 1):
            simulator.enqueue(Scenario(fault))
            with pytest.raises(PoeError) as caught:
                await ask(client, question(bot), route)
            assert caught.value.delivery is delivery
            assert len(simulator.requests) == number


@pytest.mark.parametrize("fault", [HttpError(502), HttpError(500), DropConnection()], ids=repr)
async def test_media_is_made_once_too(client: PoeOfficialClient, simulator: PoeOfficialSimulator, fault: Fault) -> None:
    """Each is paid for."""
    for make in (client.media.images, client.media.audio, client.media.create_video):
        simulator.requests.clear()
        simulator.enqueue(Scenario(fault))
        with pytest.raises(PoeError):
            await make("Some-Model", "waves")
        assert len(simulator.requests) == 1


async def test_responses_think_and_report_usage(client: PoeOfficialClient, question: Question, text_of: TextOf) -> None:
    request = question("O3-Responses", "why", parameters={"reasoning_effort": "low"}, max_tokens=99)
    events = await ask(client, request, Route.RESPONSES)
    thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert thoughts == "Thinking with low effort about why"
    assert text_of(events) == "Answer: why"
    usage = next(event for event in events if isinstance(event, UsageReported))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.reasoning_tokens) == (4, 8, 6)


async def test_messages_count_the_cached_part_of_the_prompt(client: PoeOfficialClient, question: Question) -> None:
    events = await ask(client, question("Claude-Messages", "one two three", max_tokens=99), Route.MESSAGES)
    usage = [event for event in events if isinstance(event, UsageReported)][-1]
    assert (usage.prompt_tokens, usage.cached_tokens) == (6, 3)


async def test_messages_alternate_and_mark_what_repeats(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator
) -> None:
    turns = [*TALK, Message("tool", "23 degrees", tool_call_id="call_2"), Message("user", "Thanks")]
    await ask(client, ChatRequest("Claude-Messages", turns, tools=[CITY], stop=["END"]), Route.MESSAGES)
    record = simulator.requests[-1]
    assert [message["role"] for message in record.body["messages"]] == ["user", "assistant", "user"]
    assert record.body["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}
    assert record.body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert record.body["stop_sequences"] == ["END"]
    assert (record.headers["x-api-key"], record.headers["anthropic-version"]) == (KEY, "2023-06-01")
    assert "authorization" not in record.headers


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        ("none", {"type": "none"}),
    ],
)
async def test_messages_have_their_own_word_for_one_call_at_a_time(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question, choice: str | None, sent: object
) -> None:
    request = question(
        "Claude-Messages", tools=[CITY], tool_choice=choice, parameters={"parallel_tool_calls": False}, max_tokens=9
    )
    await ask(client, request, Route.MESSAGES)
    assert simulator.requests[-1].body["tool_choice"] == sent
    assert "parallel_tool_calls" not in simulator.requests[-1].body


async def test_a_model_is_asked_where_it_lists_itself(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    await client.models()
    paths = {}
    for bot in ("Echo", "O3-Responses", "Claude-Messages", "Claude-Sonnet-4.5", "GPT-Image-1"):
        await ask(client, question(bot))
        paths[bot] = simulator.requests[-1].path
    await ask(client, question("Claude-Sonnet-4.5", "long " * 4000))
    assert paths == {
        "Echo": "/v1/chat/completions",
        "O3-Responses": "/v1/responses",
        "Claude-Messages": "/v1/messages",
        "Claude-Sonnet-4.5": "/v1/chat/completions",
        "GPT-Image-1": "/v1/chat/completions",
    }
    assert simulator.requests[-1].path == "/v1/messages"


async def test_features_that_an_endpoint_lacks_are_refused_rather_than_dropped(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    cases = [
        (question("x", stop=["END"]), Route.RESPONSES, "stop"),
        (question("x", response_format=wanted), Route.MESSAGES, "response_format"),
        (question("x", response_format=wanted), Route.BOT_QUERY, "response_format"),
        (question("x", tool_choice="required"), Route.BOT_QUERY, "tool_choice"),
    ]
    for request, route, field in cases:
        with pytest.raises(PoeError) as caught:
            await ask(client, request, route)
        assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_FEATURE, field)
    assert simulator.requests == []


async def test_raw_events_decode_to_the_same_answer(
    client: PoeOfficialClient, question: Question, text_of: TextOf
) -> None:
    responses, messages = ResponsesDecoder(), MessagesDecoder()
    one: list[Event] = []
    async for values in client.responses({"model": "GPT-5.2", "input": "[[say: hello there]]"}):
        one += responses.decode_event(values)
    body = {"model": "Claude-Messages", "max_tokens": 9, "messages": [{"role": "user", "content": "[[say: hi]]"}]}
    two: list[Event] = []
    async for values in client.messages(body):
        two += messages.decode_event(values)
    assert (text_of(one + responses.end()), text_of(two)) == ("hello there", "hi")
    assert two[-1] == Finished()


# The bot protocol.


async def test_a_bot_without_endpoint_is_found_in_the_bot_protocol_and_remembered(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, config: PoeConfig, question: Question, text_of: TextOf
) -> None:
    with pytest.raises(PoeError) as caught:
        await ask(client, question("BotOnly", "x"))
    assert (caught.value.code, caught.value.may_be_bot_only) == (ErrorCode.BOT_NOT_FOUND, True)
    assert text_of(await ask(client, question("BotOnly", "x", in_bot_protocol=True))) == "You said: x"
    assert text_of(await ask(client, question("BotOnly", "x"))) == "You said: x"
    assert [record.path for record in simulator.requests] == ["/v1/chat/completions", "/bot/BotOnly", "/bot/BotOnly"]
    simulator.requests.clear()
    kept = client.session_data()
    async with PoeOfficialClient(OfficialCredentials(KEY), config, session_data=kept) as later:
        await ask(later, question("botonly", "x"))
    assert [record.path for record in simulator.requests] == ["/bot/botonly"]


async def test_a_bot_that_nobody_knows_is_not_found(client: PoeOfficialClient, question: Question) -> None:
    with pytest.raises(PoeError) as caught:
        await ask(client, question("No/Such?Bot", in_bot_protocol=True))
    assert (caught.value.code, caught.value.may_be_bot_only) == (ErrorCode.BOT_NOT_FOUND, False)
    with pytest.raises(PoeError) as caught:
        await ask(client, question("No/Such?Bot"))
    assert (caught.value.code, caught.value.operation) == (ErrorCode.BOT_NOT_FOUND, "chat.completions")
    assert client.session_data() == {}


async def test_a_bot_that_lists_chat_is_not_asked_twice(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    await client.models()
    simulator.requests.clear()
    simulator.enqueue(Scenario(HttpError(404, "not_found_error", 404)))
    with pytest.raises(PoeError):
        await ask(client, question("GPT-4o"))
    assert len(simulator.requests) == 1


async def test_points_that_are_gone_in_the_bot_protocol_are_told_as_such(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    simulator.enqueue(Scenario(PointsRunOut(1), operation="/bot"))
    with pytest.raises(PoeError) as caught:
        await ask(client, question("BotOnly", in_bot_protocol=True))
    assert caught.value.code is ErrorCode.INSUFFICIENT_POINTS


async def test_drafts_are_replaced_and_replies_are_suggested(
    client: PoeOfficialClient, question: Question, text_of: TextOf
) -> None:
    events = [event async for event in client.query_bot(question("Suggester", "x"))]
    assert TextReplaced("") in events
    assert text_of(events) == "Answer: x"
    assert [event.text for event in events if isinstance(event, SuggestedReply)] == ["Tell me more", "Why?"]


async def test_a_file_event_and_the_same_link_in_the_text_are_one_file(
    client: PoeOfficialClient, question: Question
) -> None:
    events = await ask(client, question("Painter"), Route.BOT_QUERY)
    files = [event for event in events if isinstance(event, FileAttached)]
    assert [(file.name, file.content_type) for file in files] == [("hello there.png", "image/png")]


async def test_bytes_are_uploaded_for_the_bot_protocol_with_the_bare_key(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, text_of: TextOf
) -> None:
    files = (Attachment("a.png", "image/png", data=b"png"), Attachment("b.pdf", "application/pdf", data=b"pdf"))
    request = ChatRequest("Echo", [Message("user", "look", attachments=files)])
    assert text_of(await ask(client, request, Route.BOT_QUERY)) == "You said: look\n[a.png]\n[b.pdf]"
    assert sorted(simulator.uploads) == [("a.png", "image/png", b"png"), ("b.pdf", "application/pdf", b"pdf")]
    upload = next(record for record in simulator.requests if "upload" in record.path)
    assert upload.headers["authorization"] == KEY


async def test_one_failing_upload_is_the_error_and_not_a_group(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator
) -> None:
    simulator.enqueue(Scenario(HttpError(413, "request_too_large"), operation="/poe_api"))
    files = (Attachment("a", "image/png", data=b"1"), Attachment("b", "image/png", data=b"2"))
    with pytest.raises(PoeError) as caught:
        await ask(client, ChatRequest("Echo", [Message("user", "look", attachments=files)]), Route.BOT_QUERY)
    assert caught.value.code is ErrorCode.FILE_TOO_LARGE


async def test_a_file_that_fails_ends_the_others_and_leaves_a_deadline_what_it_is() -> None:
    ended: list[str] = []

    async def fetch(url: str) -> FetchedFile:
        if url.endswith("gone"):
            raise PoeError(ErrorCode.INVALID_REQUEST)
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            ended.append(url)

    files = tuple(Attachment(name, "text/plain", url=f"https://files/{name}") for name in ("slow", "gone", "also-gone"))
    question = ChatRequest("Echo", [Message("user", "read", attachments=files)])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            with pytest.raises(PoeError):
                await with_bytes(question, fetch)
            assert ended == ["https://files/slow"]
            # Another try; a cancellation that was not taken back would make the deadline look like one from outside.
            await asyncio.get_running_loop().create_future()


async def test_bot_parameters_go_with_the_message(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    parameters = {"temperature": 0.2, "aspect": "16:9"}
    await ask(client, question("Echo", parameters=parameters, stop=["END", "  "]), Route.BOT_QUERY)
    body = simulator.requests[-1].body
    assert (body["temperature"], body["stop_sequences"]) == (0.2, ["END"])
    assert body["query"][-1]["parameters"] == {"aspect": "16:9"}


# Files.


async def test_a_file_is_uploaded_by_bytes_or_by_address(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator
) -> None:
    kept = await client.upload(Attachment('we"ird\r\n/näme.txt', "text/plain", data=b"hello"))
    assert kept.url.startswith(simulator.base_url) and kept.content_type == "text/plain"
    await client.upload(Attachment("far.pdf", "application/pdf", url="https://example.com/far.pdf"))
    assert [(name, data) for name, _, data in simulator.uploads] == [("we_ird_näme.txt", b"hello"), ("far.pdf", b"")]


async def test_a_document_behind_an_address_is_fetched_and_sent_inline(
    simulator: PoeOfficialSimulator, config: PoeConfig, text_of: TextOf
) -> None:
    async def fetch_file(url: str) -> FetchedFile:
        return FetchedFile(b"%PDF-", "application/pdf", "far.pdf", url)

    async with PoeOfficialClient(OfficialCredentials(KEY), config, fetch_file=fetch_file) as client:
        files = (Attachment("", "application/pdf", url="https://example.com/far.pdf"),)
        await ask(client, ChatRequest("Echo", [Message("user", "look", attachments=files)]))
    part = simulator.requests[-1].body["messages"][0]["content"][-1]
    assert part["file"] == {"filename": "far.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}


async def test_a_document_behind_a_forbidden_address_is_refused(client: PoeOfficialClient) -> None:
    files = (Attachment("x.pdf", "application/pdf", url="https://169.254.169.254/latest"),)
    with pytest.raises(PoeError) as caught:
        await ask(client, ChatRequest("Echo", [Message("user", "look", attachments=files)]))
    assert caught.value.code is ErrorCode.UNSAFE_URL


# Media.


async def test_images_have_addresses(client: PoeOfficialClient) -> None:
    files = await client.media.images("Dall-E-3", "a house", parameters={"quality": "high"})
    assert ["/base/image/" in file.url for file in files] == [True]


async def test_the_image_endpoint_answers_a_stream_too(client: PoeOfficialClient, question: Question) -> None:
    events = await ask(client, question("GPT-Image-1", "a house"), Route.IMAGES)
    assert [type(event) for event in events] == [FileAttached, Finished]


async def test_audio_comes_as_a_data_url(client: PoeOfficialClient) -> None:
    file = await client.media.audio("ElevenLabs-v3", "hello")
    assert file.content_type == "audio/wav"
    assert base64.b64decode(file.url.partition(",")[2]).startswith(b"RIFF")


async def test_a_video_is_made_waited_for_and_read(client: PoeOfficialClient) -> None:
    started = await client.media.create_video("Veo-3.1", "waves")
    assert started.status is VideoStatus.QUEUED
    finished = await client.media.wait_for_video(started.id, timeout_seconds=2, poll_seconds=0)
    assert (finished.status, finished.is_terminal) == (VideoStatus.COMPLETED, True)
    content = b"".join([chunk async for chunk in client.media.video_content(started.id)])
    assert content[4:8] == b"ftyp"
    with pytest.raises(PoeError):
        [chunk async for chunk in client.media.video_content(started.id, max_bytes=3)]
    extended = await client.media.extend_video(started.id, "more waves")
    remixed = await client.media.remix_video(started.id, "red waves")
    assert len({started.id, extended.id, remixed.id}) == 3


async def test_a_video_that_fails_raises_its_error(client: PoeOfficialClient) -> None:
    started = await client.media.create_video("Veo-3.1", "fail please")
    with pytest.raises(PoeError) as caught:
        await client.media.wait_for_video(started.id, timeout_seconds=2, poll_seconds=0)
    assert caught.value.code is ErrorCode.BOT_FAILED


@pytest.mark.virtual_time
async def test_waiting_for_a_video_is_bounded(config: PoeConfig, client: PoeOfficialClient) -> None:
    async with PoeOfficialClient(OfficialCredentials(KEY), config, sleep=asyncio.sleep) as patient:
        started = await patient.media.create_video("Veo-3.1", "waves")
        with pytest.raises(PoeError) as caught:
            await patient.media.wait_for_video(started.id, timeout_seconds=0.1, poll_seconds=5)
    assert caught.value.code is ErrorCode.TIMEOUT


@pytest.mark.parametrize("video_id", ["../models", "..", "a/b", "x?y=1", ""])
async def test_a_hostile_video_id_stays_one_path_segment(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, video_id: str
) -> None:
    with pytest.raises(PoeError) as caught:
        await client.media.video(video_id)
    assert caught.value.code is ErrorCode.BOT_NOT_FOUND
    assert simulator.requests[-1].path.startswith("/v1/videos/")


LONG = "long " * 4000


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "/v1/chat/completions"),
        ({"tools": [CITY]}, "/v1/messages"),
        ({"tools": [CITY], "parameters": {"temperature": 0.5, "parallel_tool_calls": False}}, "/v1/messages"),
        ({"tools": [CITY], "parameters": {"temperature": 1.5}}, "/v1/chat/completions"),
        ({"tools": [CITY], "parameters": {"thinking_budget": 2000}}, "/v1/messages"),
        ({"tools": [CITY], "parameters": {"web_search": True}}, "/v1/chat/completions"),
        ({"tools": [CITY], "response_format": {"type": "json_object"}}, "/v1/chat/completions"),
        ({"tools": [CITY], "response_format": {"type": "text"}}, "/v1/messages"),
    ],
)
async def test_tools_are_called_at_the_providers_own_endpoint_where_it_takes_the_request(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question, fields: dict[str, Any], path: str
) -> None:
    await client.models()
    await ask(client, question("Claude-Sonnet-4.5", **fields))
    assert simulator.requests[-1].path == path


@pytest.mark.parametrize(("given", "sent"), [(None, 32_768), (500, 500)])
async def test_another_route_is_no_other_limit(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question, given: int | None, sent: int
) -> None:
    await client.models()
    await ask(client, question("Claude-Sonnet-4.5", LONG, max_tokens=given))
    assert (simulator.requests[-1].path, simulator.requests[-1].body["max_tokens"]) == ("/v1/messages", sent)


async def test_a_model_whose_limit_is_not_known_stays_on_chat(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    known = simulator.models["claude-sonnet-4.5"]
    simulator.models["claude-sonnet-4.5"] = replace(known, max_output=None)
    await client.models()
    await ask(client, question("Claude-Sonnet-4.5", LONG))
    assert simulator.requests[-1].path == "/v1/chat/completions"


async def test_a_signed_call_makes_the_round_trip(client: PoeOfficialClient, simulator: PoeOfficialSimulator) -> None:
    asked = Message("user", '[[call: weather {"city": "Rome"}]]')
    events = await ask(client, ChatRequest("Gemini-3-Pro", [asked], tools=[CITY]))
    pieces = [event for event in events if isinstance(event, ToolCallDelta)]
    assert pieces[0].extra_content and pieces[0].id and pieces[0].name
    arguments = "".join(piece.arguments for piece in pieces)
    signed = ToolCall(pieces[0].id, pieces[0].name, arguments, pieces[0].extra_content)
    result = Message("tool", "sunny", tool_call_id=signed.id)
    turns = [asked, Message("assistant", "", tool_calls=(signed,)), result]
    answer = await ask(client, ChatRequest("Gemini-3-Pro", turns, tools=[CITY]))
    assert answer[-1] == Finished()
    unsigned = Message("assistant", "", tool_calls=(replace(signed, extra_content=None),))
    with pytest.raises(PoeError):
        await ask(client, ChatRequest("Gemini-3-Pro", [asked, unsigned, result], tools=[CITY]))


async def test_an_image_model_edits_through_chat_and_is_asked_at_its_endpoint_where_chat_does_not_know_it(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator
) -> None:
    await client.models()
    hat = Message("user", "a hat", (Attachment("a.png", "image/png", b"\x89PNG\r\n\x1a\n"),))
    for bot in ("GPT-Image-1", "GPT-Image-1.5"):
        events = await ask(client, ChatRequest(bot, [hat], parameters={"quality": "low", "use_mask": True}))
        assert [type(event) for event in events].count(FileAttached) == 1
        assert simulator.requests[-1].path == "/v1/chat/completions"
    simulator.enqueue(Scenario(HttpError(404, "not_found_error"), operation="/v1/chat/completions", times=2))
    events = await ask(client, ChatRequest("GPT-Image-1", [Message("user", "a hat")]))
    assert simulator.requests[-1].path == "/v1/images"
    assert [type(event) for event in events] == [FileAttached, Finished]
    with pytest.raises(PoeError) as caught:
        await ask(client, ChatRequest("GPT-Image-1", [hat]))
    assert caught.value.code is ErrorCode.BOT_NOT_FOUND


async def test_the_operator_says_where_a_model_calls_tools(simulator: PoeOfficialSimulator, question: Question) -> None:
    config = PoeConfig(official_base_url=simulator.base_url, tool_endpoints={"claude-sonnet-4.5": "responses"})
    async with PoeOfficialClient(OfficialCredentials(KEY), config) as client:
        await client.models()
        await ask(client, question("Claude-Sonnet-4.5", tools=[CITY]))
        assert simulator.requests[-1].path == "/v1/responses"
        await ask(client, question("Claude-Sonnet-4.5"))
        assert simulator.requests[-1].path == "/v1/chat/completions"
