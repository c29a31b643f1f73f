"""Random faults through whole generations: sends, points and deliveries stay within what the plan allows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import AccountKind
from gateway.settings import Settings
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import ChatStarted, Finished, TextDelta, UsageReported
from tests.gateway.scripted import House, ask

MAX_SENDS = 3
BODIES: list[dict[str, Any]] = [
    ask(),
    ask(reasoning_effort="high", temperature=0.5, stop="END"),
    ask(response_format={"type": "json_object"}, stop="END"),
    ask(tools=[{"type": "function", "function": {"name": "look"}}], tool_choice="required"),
    ask(metadata={"session_id": "s"}),
]


def _failure(code: ErrorCode, delivery: Delivery | None, param: str | None, is_bot_only: bool) -> PoeError:
    error = poe_error(code, delivery=delivery, param=param, retry_after_seconds=None)
    error.may_be_bot_only = is_bot_only and code is ErrorCode.BOT_NOT_FOUND
    return error


_ERRORS = st.builds(
    _failure,
    st.sampled_from(list(ErrorCode)),
    st.one_of(st.none(), st.sampled_from([Delivery.NOT_SENT, Delivery.REFUSED, Delivery.FAILED, Delivery.UNKNOWN])),
    st.sampled_from([None, "stop", "response_format", "reasoning_effort", "temperature"]),
    st.booleans(),
)
_SCRIPTS = st.builds(
    lambda points, text, end: [
        ChatStarted(7),
        *([UsageReported(points=points)] if points else []),
        *([TextDelta(text)] if text else []),
        end,
    ],
    st.sampled_from([0, 20]),
    st.sampled_from(["", "", "no JSON", "{}"]),
    st.one_of(_ERRORS, _ERRORS, _ERRORS, st.just(Finished())),
)


def _may_have_been_taken(script: Sequence[Any]) -> bool:
    """Whether Poe may make, or has made, an answer of this send."""
    end = script[-1]
    if any(isinstance(step, UsageReported | TextDelta) for step in script) or isinstance(end, Finished):
        return True
    return end.delivery not in (Delivery.NOT_SENT, Delivery.REFUSED)


def _must_be_last(script: Sequence[Any]) -> bool:
    """Whether the delivery is unknown, or part of the answer came before a failure."""
    end = script[-1]
    if isinstance(end, Finished):
        return False
    return end.delivery is Delivery.UNKNOWN or any(isinstance(step, TextDelta) for step in script)


async def _run(scripts: list[list[Any]], body: dict[str, Any], stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(Settings(store="memory", account_wait_seconds=0.0))
    await house.add_key()
    for secret, kind in ("a", AccountKind.OFFICIAL), ("b", AccountKind.OFFICIAL), ("w", AccountKind.WEB):
        await house.add_account(secret, kind)
    for script in scripts:
        house.poe.enqueue(*script)
    sleep = asyncio.sleep
    with monkeypatch.context() as patched:
        patched.setattr("gateway.generation.leasing.asyncio.sleep", lambda _seconds: sleep(0))
        answer = await house.call(body=body | {"stream": stream})
    assert answer.status
    made = scripts[: len(house.poe.requests)]
    assert 1 <= len(made) <= MAX_SENDS
    assert house.lines("request.ended")[-1]["attempts"] == len(made)
    repeated = made[:-1]
    assert not any(_must_be_last(script) for script in repeated), "a second delivery"
    failed = [script for script in repeated if _may_have_been_taken(script) and not isinstance(script[-1], Finished)]
    empty = [script for script in repeated if isinstance(script[-1], Finished) and not _has_text(script)]
    assert len(failed) + len(empty) <= 2
    spent = sum(step.points or 0 for script in made for step in script if isinstance(step, UsageReported))
    booked = sum(usage.points or 0 for _, usage in house.store.released if usage is not None)
    assert booked == spent, "each send is in the books"
    assert house.store.most_held == 1
    assert not house.store.held
    await house.services.aclose()


def _has_text(script: Sequence[Any]) -> bool:
    return any(isinstance(step, TextDelta) for step in script)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scripts=st.lists(_SCRIPTS, min_size=8, max_size=8), body=st.sampled_from(BODIES), stream=st.booleans())
def test_no_sequence_of_faults_costs_more_than_the_plan_allows(
    monkeypatch: pytest.MonkeyPatch, scripts: list[list[Any]], body: dict[str, Any], stream: bool
) -> None:
    asyncio.run(_run(scripts, body, stream, monkeypatch))
