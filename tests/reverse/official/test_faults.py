"""Each upstream fault and the typed error, or the answer, that comes of it."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import replace

import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import (
    ChallengePage,
    CloseEarly,
    CutSocket,
    DropConnection,
    EmptyBody,
    ErrorEvent,
    Fault,
    GarbageFrame,
    HangRequest,
    HttpError,
    JoinFrames,
    MissingDone,
    MissingFinish,
    MissingUsage,
    NoPoints,
    PingOnly,
    PointsRunOut,
    SplitBytes,
    StallStream,
    WrongJson,
)
from reverse.chat import ChatRequest
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.errors import Delivery, ErrorCode, PoeError, Scope
from reverse.events import Event, Finished
from reverse.official import PoeOfficialClient
from reverse.official.exchange import Exchange
from tests.virtual_time import now

pytestmark = pytest.mark.virtual_time

Question = Callable[..., ChatRequest]
TextOf = Callable[[list[Event]], str]

REFUSALS = [
    (HttpError(400, "invalid_request_error", 400, param="messages"), ErrorCode.INVALID_REQUEST),
    (HttpError(400, "invalid_request_error", "unsupported_feature_for_model"), ErrorCode.UNSUPPORTED_FEATURE),
    (HttpError(400, "invalid_request_error", "context_length_exceeded"), ErrorCode.MESSAGE_TOO_LONG),
    (HttpError(401, "authentication_error", 401), ErrorCode.NOT_AUTHENTICATED),
    (HttpError(401, "authentication_error", "invalid_api_key"), ErrorCode.NOT_AUTHENTICATED),
    (HttpError(402, "insufficient_credits", 402), ErrorCode.INSUFFICIENT_POINTS),
    (HttpError(402, "insufficient_quota", "insufficient_points"), ErrorCode.INSUFFICIENT_POINTS),
    (HttpError(403, "moderation_error", 403), ErrorCode.CONTENT_REFUSED),
    (HttpError(403, body="<html>no</html>", content_type="text/html"), ErrorCode.BLOCKED),
    (ChallengePage(), ErrorCode.CHALLENGE),
    (HttpError(413, "request_too_large", 413), ErrorCode.MESSAGE_TOO_LONG),
    (HttpError(418, body="teapot"), ErrorCode.INVALID_REQUEST),
    (HttpError(429, "rate_limit_error", 429), ErrorCode.RATE_LIMITED),
    (HttpError(504, body="<html>gateway time-out</html>"), ErrorCode.TIMEOUT),
    (EmptyBody(), ErrorCode.PROTOCOL),
    (WrongJson(), ErrorCode.PROTOCOL),
    (WrongJson("[1, 2"), ErrorCode.PROTOCOL),
    (NoPoints(), ErrorCode.INSUFFICIENT_POINTS),
]

PASSING = [
    (HttpError(408, "timeout_error", 408), ErrorCode.TIMEOUT),
    (HttpError(500, "provider_error", 500), ErrorCode.BOT_FAILED),
    (HttpError(500, body="oops"), ErrorCode.UPSTREAM_FAILED),
    (HttpError(502, "upstream_error", 502), ErrorCode.UPSTREAM_FAILED),
    (HttpError(503, body=""), ErrorCode.OVERLOADED),
    (HttpError(529, "overloaded_error", 529), ErrorCode.OVERLOADED),
    (HttpError(429, "rate_limit_error", 429, retry_after=0.5), ErrorCode.RATE_LIMITED),
    (DropConnection(), ErrorCode.CONNECTION_FAILED),
    (CutSocket(0), ErrorCode.CONNECTION_FAILED),
]

BROKEN_STREAMS = [
    (CutSocket(3), ErrorCode.CONNECTION_FAILED),
    (CloseEarly(3), ErrorCode.PROTOCOL),
    (MissingFinish(), ErrorCode.PROTOCOL),
    (GarbageFrame(3), ErrorCode.PROTOCOL),
    (GarbageFrame(3, "[" * 100_000), ErrorCode.PROTOCOL),
    (ErrorEvent(3), ErrorCode.BOT_FAILED),
    (ErrorEvent(3, "overloaded_error", None), ErrorCode.OVERLOADED),
    (ErrorEvent(3, "whatever", 429), ErrorCode.RATE_LIMITED),
    (PointsRunOut(3), ErrorCode.INSUFFICIENT_POINTS),
]

HARMLESS: list[Fault] = [MissingDone(), MissingUsage(), SplitBytes(1), SplitBytes(7), JoinFrames(3), JoinFrames(100)]


async def ask(client: PoeOfficialClient, request: ChatRequest) -> list[Event]:
    return [event async for event in client.stream(request)]


@pytest.mark.parametrize(("fault", "code"), REFUSALS, ids=repr)
async def test_a_refusal_becomes_its_error_without_a_retry(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question, fault: Fault, code: ErrorCode
) -> None:
    simulator.enqueue(Scenario(fault, times=5))
    with pytest.raises(PoeError) as caught:
        await ask(client, question("Echo"))
    assert caught.value.code is code
    assert len(simulator.requests) == 1


@pytest.mark.parametrize(("fault", "code"), PASSING, ids=repr)
async def test_a_message_is_sent_once_whatever_fails(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question, fault: Fault, code: ErrorCode
) -> None:
    simulator.enqueue(Scenario(fault, times=9))
    with pytest.raises(PoeError) as caught:
        await ask(client, question("Echo"))
    assert caught.value.code is code
    assert len(simulator.requests) == 1


@pytest.mark.parametrize(
    ("fault", "delivery"),
    [
        (HttpError(429, "rate_limit_error", 429), Delivery.REFUSED),
        (HttpError(402, "insufficient_credits", 402), Delivery.REFUSED),
        (HttpError(408, "timeout_error", 408), Delivery.REFUSED),
        (HttpError(503, retry_after=1), Delivery.REFUSED),
        (HttpError(529, "overloaded_error", 529), Delivery.REFUSED),
        (HttpError(500, "provider_error", 500), Delivery.FAILED),
        (HttpError(500), Delivery.FAILED),
        (ErrorEvent(0), Delivery.FAILED),
        (HttpError(408), Delivery.UNKNOWN),
        (HttpError(502, "upstream_error", 502), Delivery.UNKNOWN),
        (HttpError(502, "provider_error", 502), Delivery.UNKNOWN),
        (HttpError(503), Delivery.UNKNOWN),
        (HttpError(504), Delivery.UNKNOWN),
        (EmptyBody(), Delivery.UNKNOWN),
        (DropConnection(), Delivery.UNKNOWN),
        (CutSocket(0), Delivery.UNKNOWN),
        (CutSocket(3), Delivery.PARTIAL),
        (ErrorEvent(3), Delivery.PARTIAL),
        (PointsRunOut(3), Delivery.PARTIAL),
        # Before anything of an answer it is a refusal; after its first frame, which has no text yet, it is not.
        (PointsRunOut(0), Delivery.REFUSED),
        (PointsRunOut(1), Delivery.FAILED),
    ],
    ids=repr,
)
async def test_an_error_says_what_became_of_the_message(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question, fault: Fault, delivery: Delivery
) -> None:
    simulator.enqueue(Scenario(fault))
    with pytest.raises(PoeError) as caught:
        await ask(client, question("Echo", "a b c"))
    assert caught.value.delivery is delivery


@pytest.mark.parametrize("fault", [HttpError(500), HttpError(502), HttpError(503), DropConnection()], ids=repr)
async def test_a_read_is_repeated(client: PoeOfficialClient, simulator: PoeOfficialSimulator, fault: Fault) -> None:
    simulator.enqueue(Scenario(fault, times=2))
    assert await client.models()
    assert len(simulator.requests) == 3


@pytest.mark.parametrize(("fault", "code"), BROKEN_STREAMS, ids=lambda value: repr(value)[:60])
async def test_a_broken_stream_raises_after_its_text_and_is_never_asked_again(
    client: PoeOfficialClient,
    simulator: PoeOfficialSimulator,
    question: Question,
    text_of: TextOf,
    fault: Fault,
    code: ErrorCode,
) -> None:
    simulator.enqueue(Scenario(fault))
    events: list[Event] = []
    with pytest.raises(PoeError) as caught:
        async for event in client.stream(question("Echo", "a b c")):
            events.append(event)
    assert caught.value.code is code
    assert text_of(events).startswith("You said: ")
    assert not any(isinstance(event, Finished) for event in events)
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("fault", HARMLESS, ids=repr)
async def test_what_is_only_untidy_changes_nothing(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question, text_of: TextOf, fault: Fault
) -> None:
    simulator.enqueue(Scenario(fault))
    events = await ask(client, question("Echo", "a é 漢字 c"))
    assert text_of(events) == "You said: a é 漢字 c"
    assert events[-1] == Finished()


@pytest.mark.parametrize("fault", [HangRequest(), StallStream(3), PingOnly(3)], ids=repr)
async def test_silence_ends_in_a_timeout_even_if_comments_go_on(
    simulator: PoeOfficialSimulator, config: PoeConfig, question: Question, fault: Fault
) -> None:
    hasty = replace(config, first_event_timeout_seconds=0.2, idle_timeout_seconds=0.2)
    simulator.enqueue(Scenario(fault))
    async with PoeOfficialClient(OfficialCredentials("test-key-0123456789abcdef"), hasty) as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, question("Echo", "a b c"))
    assert caught.value.code is ErrorCode.TIMEOUT
    assert len(simulator.requests) == 1


@pytest.mark.parametrize("fault", [StallStream(7), CutSocket(7), PingOnly(7)], ids=repr)
async def test_an_answer_that_has_its_reason_is_whole_without_its_trailer(
    client: PoeOfficialClient,
    simulator: PoeOfficialSimulator,
    question: Question,
    text_of: TextOf,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
) -> None:
    """Usage and end mark are worth a short wait, not the time that an answer may be silent."""
    monkeypatch.setattr("reverse.official.exchange._TRAILER_SECONDS", 0.1)
    simulator.enqueue(Scenario(fault))
    started = now()
    events = await ask(client, question("Echo", "a b c"))
    assert (text_of(events), events[-1]) == ("You said: a b c", Finished())
    assert now() - started < 0.2


async def test_nobody_listening_is_a_failed_connection(config: PoeConfig, question: Question) -> None:
    dead = replace(config, official_base_url="http://127.0.0.1:9")
    async with PoeOfficialClient(OfficialCredentials("k"), dead, max_retries=0) as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, question("Echo"))
    assert (caught.value.code, caught.value.scope) == (ErrorCode.CONNECTION_FAILED, Scope.NETWORK)
    assert caught.value.delivery is Delivery.NOT_SENT


async def test_retry_after_is_kept_for_the_caller_and_a_long_one_is_not_waited_for(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, question: Question
) -> None:
    simulator.enqueue(Scenario(HttpError(429, "rate_limit_error", 429, retry_after=60), times=3))
    with pytest.raises(PoeError) as caught:
        await ask(client, question("Echo"))
    assert caught.value.retry_after_seconds == 60
    assert len(simulator.requests) == 1


async def test_an_answer_beyond_the_size_limit_is_cut_off(
    simulator: PoeOfficialSimulator, config: PoeConfig, question: Question
) -> None:
    async with PoeOfficialClient(
        OfficialCredentials("test-key-0123456789abcdef"), replace(config, max_answer_chars=500)
    ) as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, question("Story", "count 2000"))
    assert caught.value.code is ErrorCode.PROTOCOL


async def test_an_oversized_page_is_not_read_to_its_end(simulator: PoeOfficialSimulator, config: PoeConfig) -> None:
    simulator.enqueue(Scenario(WrongJson('"' + "x" * 100_000 + '"')))
    async with PoeOfficialClient(OfficialCredentials("k"), replace(config, max_page_bytes=10_000)) as client:
        with pytest.raises(PoeError) as caught:
            await client.models()
    assert caught.value.code is ErrorCode.PROTOCOL


@pytest.mark.parametrize(("fault", "code"), REFUSALS + PASSING + BROKEN_STREAMS, ids=lambda value: repr(value)[:60])
async def test_no_failure_shows_the_key_the_prompt_or_upstream_text(
    client: PoeOfficialClient,
    simulator: PoeOfficialSimulator,
    question: Question,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    code: ErrorCode,
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.enqueue(Scenario(fault, times=9))
    prompt = "-".join(("SECRET", "PROMPT"))  # a traceback shows this line, and must not show the value
    with pytest.raises(PoeError) as caught:
        await ask(client, question("Echo", prompt))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    logged = "".join(f"{record.getMessage()} {record.args}" for record in caplog.records if record.name[:5] != "local")
    for text in ("test-key", prompt, "simulated failure"):
        assert text not in shown
        assert text not in logged


def test_a_request_shows_neither_its_key_nor_its_prompt() -> None:
    exchange = Exchange(OfficialCredentials("the-key"), PoeConfig())
    chat = exchange.request("POST", "/v1/chat/completions", "chat", json={"messages": "the-prompt"})
    message = exchange.messages_request("/v1/messages", "messages", {"messages": "the-prompt"})
    upload = exchange.upload_request("upload", file=("a", b"the-prompt", "text/plain"))
    for request in (chat, message, upload):
        assert "the-" not in repr(request)


@pytest.mark.parametrize("key", ["key\r\nX-Evil: 1", "schlüssel", "key\x00"])
async def test_a_key_that_fits_no_header_is_not_quoted(config: PoeConfig, question: Question, key: str) -> None:
    async with PoeOfficialClient(OfficialCredentials(key), config, max_retries=0) as client:
        with pytest.raises(PoeError) as caught:
            await ask(client, question("Echo"))
    shown = "".join(traceback.format_exception(caught.value))
    assert "Evil" not in shown and "schl" not in shown and "key\\x00" not in shown


@pytest.mark.parametrize(
    "parameters", [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}], ids=["nan", "object", "set"]
)
async def test_parameters_that_are_no_json_are_a_bad_request(
    client: PoeOfficialClient, question: Question, parameters: dict[str, object]
) -> None:
    with pytest.raises(PoeError) as caught:
        await ask(client, question("Echo", parameters=parameters))
    assert caught.value.code is ErrorCode.INVALID_REQUEST
