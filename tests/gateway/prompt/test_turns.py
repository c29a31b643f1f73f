"""A conversation and the model's window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.errors import GatewayError
from gateway.prompt.turns import check_window, estimate_tokens, fit_window
from reverse.chat import Message, ToolCall
from tests.gateway.scripted import House, ask


def turn(role: str, tokens: int) -> Message:
    """A turn whose estimate is `tokens`."""
    calls = (ToolCall("c", "f", "xxxx " * (tokens - 5)),) if role == "calls" else ()
    return Message(
        "assistant" if calls else role,  # type: ignore[arg-type]  # one of the roles
        "" if calls else "xxxx " * (tokens - 4),
        tool_calls=calls,
        tool_call_id="c" if role == "tool" else None,
    )


def test_only_what_surely_does_not_fit_is_refused() -> None:
    check_window([turn("user", 100)], None)
    check_window([turn("user", 130)], 100)
    with pytest.raises(GatewayError) as caught:
        check_window([turn("user", 140)], 100)
    assert (caught.value.status, caught.value.code) == (400, "context_length_exceeded")


def test_what_goes_with_the_turns_takes_its_room() -> None:
    turns = [turn("user", 30), turn("assistant", 30), turn("user", 10)]
    with pytest.raises(GatewayError):
        check_window(turns, 100, also=70)
    assert len(fit_window(turns, 100, also=30)) == 2
    with pytest.raises(GatewayError):
        fit_window(turns, 100, also=130)


def test_the_oldest_turns_go_first_and_instructions_stay() -> None:
    turns = [turn("system", 10), turn("user", 50), turn("assistant", 50), turn("user", 20)]
    assert fit_window(turns, 1000) == tuple(turns)
    assert fit_window(turns, 110) == (turns[0], turns[2], turns[3])
    assert fit_window(turns, 80) == (turns[0], turns[3])


def test_room_is_left_for_the_answer() -> None:
    turns = [turn("user", 30), turn("assistant", 30), turn("user", 10)]
    assert len(fit_window(turns, 100)) == 3
    assert len(fit_window(turns, 100, reserve=20)) == 2


def test_a_tools_result_goes_with_its_call() -> None:
    turns = [turn("calls", 60), turn("tool", 10), turn("tool", 10), turn("user", 20)]
    assert fit_window(turns, 100) == (turns[3],)


def test_the_results_that_are_to_be_answered_keep_their_calls() -> None:
    turns = [turn("user", 60), turn("calls", 30), turn("tool", 10), turn("tool", 10)]
    assert fit_window(turns, 80) == tuple(turns[1:])


def test_what_must_stay_and_does_not_fit_is_refused() -> None:
    with pytest.raises(GatewayError):
        fit_window([turn("user", 10), turn("user", 500)], 100)


@given(
    st.lists(
        st.tuples(st.sampled_from(["system", "user", "assistant", "calls", "tool"]), st.integers(6, 60)), min_size=1
    ),
    st.integers(50, 400),
)
def test_what_is_kept_keeps_its_order_its_end_and_its_instructions(shape: list[tuple[str, int]], window: int) -> None:
    turns = [turn(role, tokens) for role, tokens in shape]
    try:
        kept = fit_window(turns, window)
    except GatewayError:
        return
    rest = iter(turns)
    assert all(any(item is other for other in rest) for item in kept)
    assert kept[-1] is turns[-1]
    assert [item for item in kept if item.role == "system"] == [item for item in turns if item.role == "system"]
    assert estimate_tokens(kept) <= window * 1.35


@pytest.mark.parametrize("stream", [True, False])
async def test_turns_are_left_out_only_if_the_caller_agrees(house: House, stream: bool) -> None:
    await house.add_account()
    await house.store.put_config("models", {"models": [{"id": "Tiny", "context_length": 100}]})
    messages = [{"role": "user", "content": "x" * 4 * 200}, {"role": "user", "content": "Hi"}]
    body = ask(stream=stream) | {"model": "Tiny", "messages": messages}
    refused = await house.call(body=body)
    assert (refused.status, refused.error["code"]) == (400, "context_length_exceeded")
    assert not house.poe.requests
    for agreed in ({"truncation": "auto"}, {"extra_body": {"truncation": "auto"}}):
        answer = await house.call(body=body | agreed)
        assert answer.status == 200
        assert answer.headers["x-gateway-truncated"] == "1"
        assert [turn.text for turn in house.poe.requests[-1].messages] == ["Hi"]


async def test_tools_that_can_not_fit_are_refused(house: House) -> None:
    await house.add_account()
    await house.store.put_config("models", {"models": [{"id": "Tiny", "context_length": 100}]})
    tool = {"type": "function", "function": {"name": "f", "description": "long " * 200}}
    refused = await house.call(body=ask(tools=[tool]) | {"model": "Tiny"})
    assert (refused.status, refused.error["code"]) == (400, "context_length_exceeded")
