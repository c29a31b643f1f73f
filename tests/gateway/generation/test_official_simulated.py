"""The gateway over the real client of the official API and its simulator: all endpoints, surfaces and faults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from accounts import AccountKind
from gateway.bootstrap import build_services
from gateway.settings import Settings
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
    PingOnly,
    PointsRunOut,
    SplitBytes,
    StallStream,
    WrongJson,
)
from reverse.chat import PoeClient
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.official import PoeOfficialClient, read_models
from reverse.official.catalogue import ModelInfo
from tests.gateway.scripted import Answer, House

pytestmark = pytest.mark.virtual_time

KEY = "official-key-0123456789abcdef"
PROMPT = "word by word by word"
SECRET = "upstream-words-nobody-shall-see"
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("look", "go")
]
# Bots, one for each endpoint of the official API.
BOTS = ("Assistant", "O3-Responses", "Claude-Messages", "Suggester")


@pytest.fixture
async def simulator() -> AsyncIterator[PoeOfficialSimulator]:
    async with PoeOfficialSimulator(pace_seconds=0.0) as running:
        running.add_account(KEY)
        yield running


@pytest.fixture
def patience(request: pytest.FixtureRequest) -> float:
    """Seconds that the client waits: few where the upstream falls silent, else more than a busy machine needs."""
    fault = getattr(request.node, "callspec", None) and request.node.callspec.params.get("fault")
    return 0.3 if isinstance(fault, HangRequest | StallStream | PingOnly) else 60.0


@pytest.fixture(scope="module")
def find_model() -> Callable[[str], ModelInfo | None]:
    """Looks up what the list says of a model. The list is the same in all tests, and takes longer than most to read."""

    async def read() -> dict[str, ModelInfo]:
        async with PoeOfficialSimulator() as running:
            listed = await read_models(PoeConfig(official_base_url=running.base_url))
        return {model.id.lower(): model for model in listed}

    return asyncio.run(read()).get


@pytest.fixture
async def real(
    environment: dict[str, str],
    simulator: PoeOfficialSimulator,
    patience: float,
    find_model: Callable[[str], ModelInfo | None],
) -> AsyncIterator[House]:
    """A house whose clients are real."""
    config = PoeConfig(
        official_base_url=simulator.base_url,
        first_event_timeout_seconds=patience,
        idle_timeout_seconds=patience,
    )

    def make(_kind: AccountKind, credentials: Mapping[str, str], session: Mapping[str, Any] | None) -> PoeClient:
        return PoeOfficialClient(
            OfficialCredentials.from_mapping(credentials),
            config,
            max_retries=0,
            session_data=session,
            find_model=find_model,
        )

    house = House(Settings.from_env(environment))
    house.services = build_services(house.settings, store=house.store, make_client=make, journal=house.services.journal)
    await house.add_key()
    await house.add_account(KEY)
    yield house
    await house.services.aclose()
    assert not house.store.held


MESSAGES = [{"role": "user", "content": PROMPT}]
SURFACES: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"messages": MESSAGES}),
    "two choices": ("/v1/chat/completions", {"messages": MESSAGES, "n": 2}),
    "responses": ("/v1/responses", {"input": PROMPT}),
    "messages": ("/v1/messages", {"messages": MESSAGES, "max_tokens": 50}),
}
# Each surface with the usual endpoint, and each other endpoint with the usual surface.
PAIRS = [*((surface, BOTS[0]) for surface in SURFACES), *(("chat", bot) for bot in BOTS[1:])]
SUCCESSES = ("[DONE]", "response.completed", "response.incomplete", "message_stop", '"finish_reason":"')

BEFORE: list[tuple[Fault, int, str]] = [
    (HttpError(429, "rate_limit_error", 429, SECRET), 429, "rate_limited"),
    (HttpError(429, "rate_limit_error", 429, SECRET, retry_after=7), 429, "rate_limited"),
    (HttpError(402, "insufficient_credits", 402, SECRET), 429, "insufficient_points"),
    (HttpError(401, "authentication_error", "invalid_api_key", SECRET), 503, "not_authenticated"),
    (HttpError(403, "moderation_error", 403, SECRET), 400, "content_refused"),
    (HttpError(500, "provider_error", 500, SECRET), 502, "bot_failed"),
    (HttpError(502, body=f"<html>{SECRET}</html>", content_type="text/html"), 502, "upstream_failed"),
    (HttpError(529, "overloaded_error", 529, SECRET), 503, "overloaded"),
    (ChallengePage(), 503, "challenge"),
    (EmptyBody(), 502, "protocol"),
    (WrongJson(f'{{"{SECRET}":1}}'), 502, "protocol"),
    (DropConnection(), 502, "connection_failed"),
    (HangRequest(), 504, "timeout"),
    (CutSocket(0), 502, "connection_failed"),
    (CloseEarly(0), 502, "protocol"),
    (PingOnly(0), 504, "timeout"),
    (GarbageFrame(0, f"{{{SECRET}"), 502, "protocol"),
    (ErrorEvent(0, "rate_limit_error", 429, SECRET), 429, "rate_limited"),
    (GarbageFrame(0, "x" * 3_000_000), 502, "protocol"),
]
OF_ACCOUNTS = {"rate_limited", "insufficient_points", "not_authenticated"}

# After so many frames each endpoint has said something.
MIDDLE = 5
LATER: list[tuple[Fault, str]] = [
    (CutSocket(MIDDLE), "connection_failed"),
    (CloseEarly(MIDDLE), "protocol"),
    (MissingFinish(), "protocol"),
    (GarbageFrame(MIDDLE, f"{{{SECRET}"), "protocol"),
    (ErrorEvent(MIDDLE, "provider_error", 500, SECRET), "bot_failed"),
    (ErrorEvent(MIDDLE, "overloaded_error", None, SECRET), "overloaded"),
    (PointsRunOut(MIDDLE), "insufficient_points"),
    (StallStream(MIDDLE, 5), "timeout"),
    (PingOnly(MIDDLE), "timeout"),
    (GarbageFrame(MIDDLE, "x" * 3_000_000), "protocol"),
]


async def ask(house: House, surface: str, bot: str, **more: Any) -> Answer:
    path, fields = SURFACES[surface]
    return await house.call(path, {"model": bot, **fields, **more})


def outcomes(house: House) -> list[tuple[str, str]]:
    return [(outcome.code, str(outcome.scope)) for outcome, _ in house.store.released]


@pytest.mark.parametrize(
    ("surface", "stream"),
    [("chat", True), ("chat", False), ("two choices", True), ("responses", True), ("messages", False)],
)
@pytest.mark.parametrize(("fault", "status", "code"), BEFORE, ids=lambda value: repr(value)[:50])
async def test_a_failure_before_the_first_word_is_an_ordinary_error(
    real: House, simulator: PoeOfficialSimulator, fault: Fault, status: int, code: str, surface: str, stream: bool
) -> None:
    simulator.enqueue(Scenario(fault, times=9))
    answer = await ask(real, surface, "Assistant", stream=stream)
    # Anthropic's clients know a status of their own for this.
    assert answer.status == (529 if (surface, code) == ("messages", "overloaded") else status), answer.body
    assert answer.headers["content-type"].startswith("application/json")
    assert SECRET not in answer.body.decode() + real.log.getvalue()
    assert KEY not in answer.body.decode() + real.log.getvalue()
    told = outcomes(real)
    assert code in [told_code for told_code, _ in told]
    assert all((scope == "account") == (told_code in OF_ACCOUNTS) for told_code, scope in told)


@pytest.mark.parametrize(("surface", "bot"), PAIRS)
@pytest.mark.parametrize(("fault", "code"), LATER, ids=lambda value: repr(value)[:50])
async def test_a_failure_in_mid_stream_never_looks_like_an_end(
    real: House, simulator: PoeOfficialSimulator, fault: Fault, code: str, surface: str, bot: str
) -> None:
    simulator.enqueue(Scenario(fault, times=9, skip=1 if bot == "Suggester" else 0))
    answer = await ask(real, surface, bot, stream=True)
    assert answer.status == 200, answer.body
    text = answer.body.decode()
    assert '"error"' in text
    assert not any(mark in text for mark in SUCCESSES), text[-500:]
    assert SECRET not in text + real.log.getvalue()
    usages = [usage for _, usage in real.store.released if usage is not None and not usage.is_refused]
    assert len(usages) == (2 if surface == "two choices" else 1), "booked, and once"
    if bot == "Suggester" and code == "overloaded":
        code = "bot_failed"  # the protocol has no word for it
    assert code in [told_code for told_code, _ in outcomes(real)]


@pytest.mark.parametrize("fault", [MissingDone(), MissingUsage(), SplitBytes(7), JoinFrames(50)], ids=repr)
@pytest.mark.parametrize(("surface", "bot"), PAIRS)
async def test_what_is_only_untidy_is_tidied(
    real: House, simulator: PoeOfficialSimulator, fault: Fault, surface: str, bot: str
) -> None:
    simulator.enqueue(Scenario(fault, times=9))
    answer = await ask(real, surface, bot, stream=True)
    assert PROMPT in "".join(_words(answer))
    assert any(mark in answer.body.decode() for mark in SUCCESSES[:4])


def _words(answer: Answer) -> list[str]:
    """The pieces of text of a stream, whatever surface it is of; of several choices the first one's."""
    words: list[str] = []
    for line in answer.body.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line.removeprefix("data: "))
        words += [choice["delta"].get("content") or "" for choice in event.get("choices", ()) if not choice["index"]]
        delta = event.get("delta")
        if event.get("type") == "response.output_text.delta":
            words.append(str(delta))
        if isinstance(delta, dict):
            words.append(delta.get("text", ""))
    return words


@pytest.mark.parametrize("bot", ["GPT-5.2", "Claude-Messages", "BotOnly"])
@pytest.mark.parametrize("fault", [None, SplitBytes(3), *(fault for fault, _ in LATER[:3])], ids=repr)
async def test_parallel_calls_arrive_whole_or_end_in_an_error(
    real: House, simulator: PoeOfficialSimulator, bot: str, fault: Fault | None
) -> None:
    if fault is not None:
        simulator.enqueue(Scenario(fault, times=9, skip=1 if bot == "BotOnly" else 0))
    prompt = '[[call: look {"a": "é"}]] [[call: go {"b": [1, 2]}]]'
    answer = await real.call(
        "/v1/chat/completions",
        {"model": bot, "stream": True, "tools": TOOLS, "messages": [{"role": "user", "content": prompt}]},
    )
    assert answer.status == 200, answer.body
    if isinstance(fault, CutSocket | CloseEarly | MissingFinish):
        assert '"error"' in answer.body.decode()
        assert '"finish_reason":"' not in answer.body.decode()
        return
    calls: dict[int, list[str]] = {}
    for chunk in answer.chunks:
        for choice in chunk["choices"]:
            for piece in choice["delta"].get("tool_calls", ()):
                call = calls.setdefault(piece["index"], ["", ""])
                call[0] += piece["function"].get("name", "")
                call[1] += piece["function"]["arguments"]
    assert [(name, json.loads(arguments)) for name, arguments in calls.values()] == [
        ("look", {"a": "é"}),
        ("go", {"b": [1, 2]}),
    ]
    assert answer.body.decode().count('"finish_reason":"tool_calls"') == 1


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("bot", BOTS)
async def test_a_callers_trace_is_passed_on_and_answered_with_our_span(
    real: House, simulator: PoeOfficialSimulator, bot: str, stream: bool
) -> None:
    body = {"model": bot, "stream": stream, "messages": MESSAGES}
    answer = await real.call(body=body, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert answer.status == 200
    (line,) = real.lines("request.ended")
    ours = f"00-{TRACE}-{line['span_id']}-01"
    assert (line["trace_id"], line["parent_id"], answer.headers["traceresponse"]) == (TRACE, PARENT, ours)
    assert [request.headers.get("traceparent") for request in simulator.requests[-1:]] == [ours]
    untraced = await real.call(body=body, headers={"traceparent": f"00-{TRACE}-{'0' * 16}-01"})
    assert "traceresponse" not in untraced.headers
    assert "trace_id" not in real.lines("request.ended")[-1]
    assert "traceparent" not in simulator.requests[-1].headers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("surface", ["chat", "two choices", "responses", "messages"])
@pytest.mark.parametrize(
    ("text", "shown", "code"),
    [
        (
            "Unsupported value: 'high' is not supported with the 'gpt-5.2-chat-latest' model. Supported values are: "
            "'medium'. See https://poe.example/e (req_0a1b2c3d4e5f)",
            "Unsupported value: 'high' is not supported with the 'gpt-5.2-chat-latest' model. Supported values are: "
            "'medium'",
            "invalid_request",
        ),
        ("prompt is too long: 9 tokens > 8 maximum", "prompt is too long: 9 tokens > 8", "context_length_exceeded"),
    ],
)
async def test_poes_words_about_a_request_reach_its_caller(
    real: House, simulator: PoeOfficialSimulator, surface: str, stream: bool, text: str, shown: str, code: str
) -> None:
    simulator.enqueue(Scenario(HttpError(400, "invalid_request_error", message=text), times=9))
    path, body = SURFACES[surface]
    answer = await real.call(path, {"model": "Assistant", "stream": stream, **body})
    assert answer.status == 400
    assert shown in answer.error["message"]
    assert "http" not in answer.error["message"] and "req_0" not in answer.error["message"]
    line = real.lines("request.ended")[-1]
    assert (line["status"], line["error"]) == (400, code)
    assert line["cause"] == line["last_failure"]
    assert shown not in real.log.getvalue(), "Poe's words are for the caller, not for the log"
