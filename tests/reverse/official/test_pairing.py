"""Tool calls and their results are pairs, whatever a history holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.poe_official import PoeOfficialSimulator
from local.poe_official.checks import check_chat_pairs
from reverse.chat import ChatRequest, Message, ToolCall
from reverse.official import PoeOfficialClient, Route
from reverse.official.chat_completions import build_chat_body
from reverse.official.messages_endpoint import build_messages_body
from reverse.official.pairing import paired
from reverse.official.responses_endpoint import build_responses_body

ASKED = Message("user", "Weather?")
THANKS = Message("user", "Thanks.")


def called(*ids: str) -> Message:
    return Message("assistant", "", tool_calls=tuple(ToolCall(one, "weather", "{}") for one in ids))


def result(call_id: str, text: str = "sunny") -> Message:
    return Message("tool", text, tool_call_id=call_id)


def told(messages: list[Message]) -> list[str]:
    return [
        f"calls {' '.join(call.id for call in message.tool_calls)}{f': {message.text}' if message.text else ''}"
        if message.tool_calls
        else f"result {message.tool_call_id}: {message.text}"
        if message.role == "tool"
        else f"{message.role}: {message.text}"
        for message in messages
    ]


def said(text: str) -> Message:
    return Message("assistant", text)


LOST = "(There is no result of this call.)"
OTHER = Message("assistant", "", tool_calls=(ToolCall("a", "weather", "{}"), ToolCall("a", "weather", '{"x":1}')))


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([called("a"), result("a"), THANKS], ["calls a", "result a: sunny", "user: Thanks."]),
        # Text of the assistant between a call and its result belongs to the call; whatever else comes after the result.
        ([called("a"), said("Wait."), result("a")], ["calls a: Wait.", "result a: sunny"]),
        (
            [called("a", "b"), result("a"), said("One."), result("b"), said("Both.")],
            ["calls a b: One.", "result a: sunny", "result b: sunny", "assistant: Both."],
        ),
        ([called("a"), THANKS, result("a")], ["calls a", "result a: sunny", "user: Thanks."]),
        (
            [called("a"), said("Wait."), THANKS, result("a")],
            ["calls a", "result a: sunny", "assistant: Wait.", "user: Thanks."],
        ),
        (
            [called("a", "b"), result("b"), THANKS, result("a")],
            ["calls a b", "result a: sunny", "result b: sunny", "user: Thanks."],
        ),
        # Calls without results, results without calls.
        ([called("a"), THANKS], ["calls a", f"result a: {LOST}", "user: Thanks."]),
        ([result("x")], ["user: Result of a tool: sunny"]),
        ([called("a"), result("a"), result("a")], ["calls a", "result a: sunny", "user: Result of a tool: sunny"]),
        # Results before their calls, and without an id.
        ([result("a"), called("a"), THANKS], ["calls a", "result a: sunny", "user: Thanks."]),
        (
            [called("a", "b"), Message("tool", "1"), Message("tool", "2")],
            ["calls a b", "result a: 1", "result b: 2"],
        ),
        # Ids that are used again.
        ([called("a", "a"), result("a")], ["calls a", "result a: sunny"]),
        ([called("a", "a"), result("a"), result("a", "rain")], ["calls a a_2", "result a: sunny", "result a_2: rain"]),
        ([OTHER, result("a")], ["calls a a_2", "result a: sunny", f"result a_2: {LOST}"]),
        (
            [called("a"), result("a"), called("a"), result("a", "rain")],
            ["calls a", "result a: sunny", "calls a_2", "result a_2: rain"],
        ),
        (
            [called("a_2"), result("a_2"), called("a"), result("a"), called("a"), result("a")],
            ["calls a_2", "result a_2: sunny", "calls a", "result a: sunny", "calls a_3", "result a_3: sunny"],
        ),
        (
            [called("a"), called("b"), result("a"), result("b")],
            ["calls a", "result a: sunny", "calls b", "result b: sunny"],
        ),
    ],
)
def test_results_stand_behind_their_calls(messages: list[Message], expected: list[str]) -> None:
    assert told(paired([ASKED, *messages]))[1:] == expected


def test_a_history_without_tools_stays_as_it_is() -> None:
    assert paired([ASKED, THANKS]) == [ASKED, THANKS]


MESSAGES = st.lists(
    st.one_of(
        st.just(ASKED),
        st.builds(called, st.sampled_from("abc"), st.sampled_from("abc")),
        st.builds(result, st.sampled_from("abcd")),
    ),
    max_size=12,
)


@given(MESSAGES)
def test_whatever_is_sent_is_what_providers_accept(messages: list[Message]) -> None:
    body = build_chat_body(ChatRequest("Echo", [ASKED, *messages]), streamed=True)
    check_chat_pairs(body["messages"])
    ids = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    assert len(set(ids)) == len(ids)
    told_results = sum(message.role == "tool" for message in messages)
    kept = str(body["messages"]).count("sunny")
    assert kept == told_results


@pytest.mark.parametrize(
    ("route", "bot"), [(Route.CHAT, "Sayer"), (Route.MESSAGES, "Claude-Messages"), (Route.RESPONSES, "GPT-5.2")]
)
async def test_every_endpoint_takes_an_untidy_history(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, route: Route, bot: str
) -> None:
    messages = [
        ASKED,
        result("lost"),
        called("a", "b"),
        THANKS,
        result("b"),
        Message("assistant", "Wait."),
        result("a"),
    ]
    events = [event async for event in client.stream(ChatRequest(bot, [*messages, THANKS]), route=route)]
    assert events and simulator.requests[-1].status == 200


def test_ids_of_other_providers_become_legal_ones() -> None:
    long = "x" * 70
    body = build_messages_body(
        ChatRequest("Claude", [ASKED, called("f.a:0", "f.a:1", long), result("f.a:1", "1"), result("f.a:0", "0")])
    )
    calls = [block["id"] for block in body["messages"][1]["content"]]
    assert calls == ["f_a_0", "f_a_1", "x" * 60]
    results = [(block["tool_use_id"], block["content"]) for block in body["messages"][2]["content"]]
    assert results == [("f_a_0", "0"), ("f_a_1", "1"), ("x" * 60, LOST)]
    items = build_responses_body(ChatRequest("GPT", [ASKED, called(long, long + "y"), result(long + "y")]))["input"]
    assert [item["call_id"] for item in items[1:]] == ["x" * 60, "x" * 60 + "_2"] * 2
