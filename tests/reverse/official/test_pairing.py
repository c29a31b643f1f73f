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
from reverse.official.pairing import paired

ASKED = Message("user", "Weather?")
THANKS = Message("user", "Thanks.")


def called(*ids: str) -> Message:
    return Message("assistant", "", tool_calls=tuple(ToolCall(one, "weather", "{}") for one in ids))


def result(call_id: str, text: str = "sunny") -> Message:
    return Message("tool", text, tool_call_id=call_id)


def told(messages: list[Message]) -> list[str]:
    return [
        f"calls {' '.join(call.id for call in message.tool_calls)}"
        if message.tool_calls
        else f"result {message.tool_call_id}"
        if message.role == "tool"
        else f"{message.role}: {message.text}"
        for message in messages
    ]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([ASKED, called("a"), result("a"), THANKS], ["calls a", "result a", "user: Thanks."]),
        ([ASKED, called("a"), Message("assistant", "Wait."), result("a")], ["calls a", "result a", "assistant: Wait."]),
        (
            [ASKED, called("a", "b"), result("b"), THANKS, result("a")],
            ["calls a b", "result a", "result b", "user: Thanks."],
        ),
        ([ASKED, called("a"), THANKS], ["calls a", "result a", "user: Thanks."]),
        ([ASKED, result("x")], ["user: Result of a tool: sunny"]),
        ([ASKED, called("a"), result("a"), result("a")], ["calls a", "result a", "user: Result of a tool: sunny"]),
        ([ASKED, called("a", "a"), result("a")], ["calls a", "result a"]),
        ([ASKED, called("a"), result("a"), called("a"), result("a")], ["calls a", "result a", "calls a", "result a"]),
        ([ASKED, called("a"), called("b"), result("a"), result("b")], ["calls a", "result a", "calls b", "result b"]),
    ],
)
def test_results_stand_behind_their_calls(messages: list[Message], expected: list[str]) -> None:
    assert told(paired(messages))[1:] == expected


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
