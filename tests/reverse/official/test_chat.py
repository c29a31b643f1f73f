"""The client against the simulator: questions, events, and what is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

from local.poe_official import PoeOfficialSimulator
from reverse.chat import Attachment, ChatRequest, Message, ToolCall
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.errors import ErrorCode, PoeError
from reverse.events import (
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from reverse.official import OfficialTransport, PoeOfficialClient
from tests.virtual_time import now

pytestmark = pytest.mark.virtual_time

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}

Question = Callable[..., ChatRequest]
TextOf = Callable[[list[Event]], str]


async def ask(client: PoeOfficialClient, request: ChatRequest) -> list[Event]:
    return [event async for event in client.stream(request)]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  the simulator's state has no event to wait for
            await asyncio.sleep(0.005)


async def test_an_answer_streams_in_pieces_and_ends_with_usage_and_finish(
    client: PoeOfficialClient, question: Question, text_of: TextOf
) -> None:
    events = await ask(client, question("Echo", "how are you"))
    assert text_of(events) == "You said: how are you"
    assert sum(isinstance(event, TextDelta) for event in events) == 5
    assert events[-2:] == [UsageReported(prompt_tokens=6, completion_tokens=5), Finished(FinishReason.STOP)]


async def test_reasoning_that_comes_under_two_names_is_told_once(client: PoeOfficialClient, question: Question) -> None:
    events = await ask(client, question("Reasoner", "why", parameters={"reasoning_effort": "high"}))
    thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    assert thoughts == "Thinking with high effort about why"


async def test_parallel_tool_calls_keep_their_index_id_and_arguments(
    client: PoeOfficialClient, question: Question
) -> None:
    text = '[[call: {"city": "Paris"}]] and [[call: {"city": "Rome"}]]'
    events = await ask(client, question("ToolCaller", text, tools=[WEATHER]))
    calls = [event for event in events if isinstance(event, ToolCallDelta)]
    openings = [(call.index, call.name) for call in calls if call.id]
    assert openings == [(0, "weather"), (1, "weather")]
    assert len({call.id for call in calls if call.id}) == 2
    joined = {n: "".join(call.arguments for call in calls if call.index == n) for n in (0, 1)}
    assert joined == {0: '{"city": "Paris"}', 1: '{"city": "Rome"}'}
    assert events[-1] == Finished(FinishReason.TOOL_CALLS)


async def test_a_tool_result_goes_back_and_the_bot_goes_on(client: PoeOfficialClient, text_of: TextOf) -> None:
    turns = [
        Message("user", "weather?"),
        Message("assistant", "", tool_calls=(ToolCall("call_1", "weather", '{"city":"Rome"}'),)),
        Message("tool", "sunny", tool_call_id="call_1"),
    ]
    events = await ask(client, ChatRequest("ToolCaller", turns, tools=[WEATHER]))
    assert text_of(events) == "The tool said: sunny"


async def test_structured_output_is_asked_for_and_valid(
    client: PoeOfficialClient, question: Question, text_of: TextOf
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 7}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert text_of(await ask(client, question("Structured", "go", response_format=wanted))) == '{"n": 7}'


async def test_images_and_files_reach_the_bot(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, text_of: TextOf
) -> None:
    files = (
        Attachment("a.png", "image/png", data=b"\x89PNG"),
        Attachment("b.png", "image/png", url="https://example.com/b.png"),
        Attachment("c.pdf", "application/pdf", data=b"%PDF-"),
    )
    request = ChatRequest("Echo", [Message("user", "look", attachments=files)])
    assert text_of(await ask(client, request)) == "You said: look\n[image]\n[image]\n[c.pdf]"
    parts = simulator.requests[-1].body["messages"][0]["content"]
    assert parts[1]["image_url"]["url"] == "data:image/png;base64,iVBORw=="
    assert parts[2]["image_url"]["url"] == "https://example.com/b.png"


async def test_a_file_in_the_text_is_attached_as_well(client: PoeOfficialClient, question: Question) -> None:
    events = await ask(client, question("Painter"))
    files = [event for event in events if isinstance(event, FileAttached)]
    assert [(file.name, file.content_type) for file in files] == [("hello there.png", "image/png")]


async def test_media_bots_are_asked_without_streaming_once_the_list_is_known(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    await client.models()
    events = await ask(client, question("Speaker"))
    assert simulator.requests[-1].body["stream"] is False
    assert len([event for event in events if isinstance(event, FileAttached)]) == 1
    assert events[-1] == Finished()


async def test_parameters_pass_through_but_never_replace_the_question(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    parameters = {"temperature": 0.5, "aspect": "16:9", "model": "Silent", "messages": [], "stream": False}
    await ask(client, question("Strict", "hi", parameters=parameters, max_tokens=9, stop=["END", " "]))
    body = simulator.requests[-1].body
    assert (body["model"], body["stream"], body["messages"][0]["content"]) == ("Strict", True, "hi")
    assert (body["temperature"], body["aspect"], body["max_tokens"], body["stop"]) == (0.5, "16:9", 9, ["END"])


async def test_a_field_that_the_bot_does_not_declare_is_named(client: PoeOfficialClient, question: Question) -> None:
    with pytest.raises(PoeError) as caught:
        await ask(client, question("Strict", parameters={"sharpness": 3}))
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_FEATURE, "sharpness")


async def test_one_round_trip_and_one_connection_for_many_questions(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    for _ in range(5):
        await ask(client, question("Echo"))
    assert len(simulator.requests) == 5
    assert len({record.connection for record in simulator.requests}) == 1


async def test_the_first_token_comes_after_one_round_trip_of_latency(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    await ask(client, question("Echo"))
    simulator.latency_seconds = 0.4
    started = now()
    async with aclosing(client.stream(question("Echo"))) as events:
        await anext(events)
        assert now() - started == pytest.approx(0.4, abs=0.01)


async def test_a_proxy_that_the_user_names_is_the_only_way_out(config: PoeConfig, question: Question) -> None:
    seen: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    for base_url in ("https://api.example.com", "http://api.example.com"):
        behind = replace(config, official_base_url=base_url, proxy=address)
        async with PoeOfficialClient(OfficialCredentials("k"), behind, max_retries=0) as client:
            with pytest.raises(PoeError):
                await ask(client, question("Echo"))
    server.close()
    assert seen == [
        b"CONNECT api.example.com:443 HTTP/1.1\r\n",
        b"POST http://api.example.com/v1/chat/completions HTTP/1.1\r\n",
    ]


async def test_questions_at_the_same_time_do_not_mix(
    client: PoeOfficialClient, question: Question, text_of: TextOf
) -> None:
    answers = await asyncio.gather(*(ask(client, question("Echo", f"number {n}")) for n in range(20)))
    assert [text_of(events) for events in answers] == [f"You said: number {n}" for n in range(20)]


async def test_a_connection_that_rested_through_a_freeze_is_not_used_again(
    simulator: PoeOfficialSimulator, config: PoeConfig, question: Question
) -> None:
    """The wall clock went on while the process stood still; the sockets may be dead by now."""
    now = 1_000_000.0
    credentials = OfficialCredentials("test-key-0123456789abcdef")
    transport = OfficialTransport(config, wall_clock=lambda: now)
    async with PoeOfficialClient(credentials, config, transport=transport) as client:
        await ask(client, question("Echo"))
        now += config.channel_trust_seconds + 1
        await ask(client, question("Echo"))
        await ask(client, question("Echo"))
        now -= 3600
        await ask(client, question("Echo"))
    await transport.aclose()
    first, second, third, fourth = (record.connection for record in simulator.requests)
    assert first != second == third != fourth


async def test_closing_the_generator_stops_the_answer_upstream(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    simulator.settings.pace_seconds = 0.01
    async with aclosing(client.stream(question("Story", "count 5000"))) as events:
        async for _ in events:
            break
    await until(lambda: simulator.requests[-1].ended is not None)
    assert not simulator.requests[-1].completed


async def test_cancelling_the_task_stops_the_answer_and_stays_a_cancellation(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    simulator.settings.pace_seconds = 0.01
    started = asyncio.Event()

    async def read() -> None:
        async with aclosing(client.stream(question("Story", "count 5000"))) as events:
            async for _ in events:
                started.set()

    task = asyncio.create_task(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: simulator.requests[-1].ended is not None)
    assert not simulator.requests[-1].completed


async def test_nothing_is_left_after_close(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    await ask(client, question("Echo"))
    await client.aclose()
    await client.aclose()
    await until(lambda: not simulator.open_connections)


async def test_two_hundred_answers_leave_no_task_behind(client: PoeOfficialClient, question: Question) -> None:
    await ask(client, question("Echo"))
    before = len(asyncio.all_tasks())
    for _ in range(200):
        await ask(client, question("Echo"))
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) <= before


async def test_an_oversized_attachment_is_refused_before_anything_is_sent(
    simulator: PoeOfficialSimulator, client: PoeOfficialClient
) -> None:
    file = Attachment("x", "image/png", data=b"x" * 50_000_001)
    with pytest.raises(PoeError) as caught:
        await ask(client, ChatRequest("Echo", [Message("user", "x", attachments=(file,))]))
    assert caught.value.code is ErrorCode.FILE_TOO_LARGE
    assert simulator.requests == []


async def test_the_honest_user_agent_is_sent(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, config: PoeConfig, question: Question
) -> None:
    await ask(client, question("Echo"))
    assert simulator.requests[-1].headers["user-agent"] == config.user_agent
