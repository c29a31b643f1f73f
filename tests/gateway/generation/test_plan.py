"""The plan of sends: each rule, and what holds whatever happens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import AccountKind, NoAccountReason
from gateway.generation.plan import Again, GiveUp, NextModel, decide, may_fall_back, telling
from gateway.generation.rules import MAX_WAIT_SECONDS, RULES, Change, Send, Where, failed_send, rejected_send
from reverse.errors import POLICIES, Delivery, ErrorCode, Scope, poe_error

BOTH = (AccountKind.OFFICIAL, AccountKind.WEB)


def send(code: ErrorCode | None, delivery: Delivery | None = None, *possible: Change, **more: Any) -> Send:
    facts = {"account_id": "a", "kind": AccountKind.OFFICIAL, "change": None, "is_shown": False, "points": None} | more
    wait = facts.pop("retry_after_seconds", None)
    if code is None:
        return rejected_send(is_correctable=Change.CORRECTION in possible, **facts)
    error = poe_error(code, delivery=delivery, retry_after_seconds=wait)
    return failed_send(error, possible=frozenset(possible), **facts)


def after(*sends: Send, kinds: tuple[AccountKind, ...] = BOTH, **more: Any) -> Again | NextModel | GiveUp:
    return decide(sends, kinds=kinds, **({"max_sends": 9} | more))


E = ErrorCode
D = Delivery
CASES = [
    (send(None, None, Change.CORRECTION), Where.SAME, Change.CORRECTION),
    (send(None), None, None),
    (send(E.BOT_NOT_FOUND, None, Change.BOT_PROTOCOL), Where.SAME, Change.BOT_PROTOCOL),
    (send(E.INVALID_REQUEST, None, Change.WITHOUT_OPTION), Where.SAME, Change.WITHOUT_OPTION),
    (send(E.UNSUPPORTED_FEATURE, None, Change.WITHOUT_OPTION), Where.SAME, Change.WITHOUT_OPTION),
    (send(E.UNSUPPORTED_FEATURE, None, Change.WITHOUT_STOP), Where.SAME, Change.WITHOUT_STOP),
    (send(E.UNSUPPORTED_FEATURE, None, Change.FORMAT_IN_WORDS), Where.SAME, Change.FORMAT_IN_WORDS),
    (send(E.CHAT_NOT_FOUND, None, Change.NEW_CHAT), Where.SAME, Change.NEW_CHAT),
    (send(E.CHAT_NOT_FOUND), None, None),
    (send(E.INVALID_REQUEST), None, None),
    (send(E.CONTENT_REFUSED), None, None),
    (send(E.CHALLENGE), None, None),
    (send(E.BOT_NOT_FOUND), Where.OTHER_API, None),
    (send(E.UNSUPPORTED_FEATURE), Where.OTHER_API, None),
    (send(E.STALE_FORM_KEY), Where.SAME, None),
    (send(E.EMPTY_ANSWER), Where.OTHER_OR_SAME, None),
    (send(E.BOT_FAILED), Where.OTHER_OR_SAME, None),
    (send(E.RATE_LIMITED, retry_after_seconds=1.0), Where.OTHER_OR_SAME, None),
    (send(E.RATE_LIMITED, retry_after_seconds=0.0), Where.OTHER_OR_SAME, None),
    (send(E.RATE_LIMITED, retry_after_seconds=60.0), Where.OTHER, None),
    (send(E.RATE_LIMITED), Where.OTHER, None),
    (send(E.OVERLOADED, D.REFUSED), Where.OTHER, None),
    (send(E.OVERLOADED), None, None),
    (send(E.INSUFFICIENT_POINTS), Where.OTHER, None),
    (send(E.NOT_AUTHENTICATED), Where.OTHER, None),
    (send(E.BOT_ACCESS_DENIED), Where.OTHER, None),
    (send(E.BLOCKED), Where.OTHER, None),
    (send(E.CONNECTION_FAILED, D.NOT_SENT), Where.OTHER_OR_SAME, None),
    (send(E.TIMEOUT, D.NOT_SENT), Where.OTHER_OR_SAME, None),
    (send(E.TIMEOUT, D.REFUSED), Where.OTHER_OR_SAME, None),
    (send(E.FILE_TOO_LARGE, D.NOT_SENT), None, None),
    (send(E.CONNECTION_FAILED), None, None),
    (send(E.TIMEOUT), None, None),
    (send(E.UPSTREAM_FAILED), None, None),
    (send(E.PROTOCOL), None, None),
    (send(E.RATE_LIMITED, D.PARTIAL), None, None),
    (send(E.BOT_UNAVAILABLE, is_shown=True), None, None),
]


@pytest.mark.parametrize(
    ("failed", "where", "change"), CASES, ids=lambda v: f"{v.code}-{v.delivery}" if isinstance(v, Send) else None
)
def test_each_failure_has_its_answer(failed: Send, where: Where | None, change: Change | None) -> None:
    decision = after(failed)
    if where is None:
        assert isinstance(decision, GiveUp)
    else:
        assert isinstance(decision, Again)
        assert (decision.where, decision.change) == (where, change)


def test_every_rule_is_reached_by_one_of_the_cases() -> None:
    seconds = [after(*[case, case]) for case, _, _ in CASES]
    decided = [after(case) for case, _, _ in CASES] + seconds
    assert {decision.rule.name for decision in decided if decision.rule} == {rule.name for rule in RULES}


@pytest.mark.parametrize("code", [E.EMPTY_ANSWER, E.BOT_FAILED])
def test_what_may_have_been_charged_is_asked_for_once_more_only(code: ErrorCode) -> None:
    assert isinstance(after(send(code), send(E.EMPTY_ANSWER, account_id="b")), GiveUp)


@pytest.mark.parametrize(
    ("sends", "jitter", "seconds"), [(1, 0.0, 0.125), (1, 1.0, 0.25), (2, 1.0, 0.5), (3, 0.0, 0.5), (3, 1.0, 1.0)]
)
def test_the_pause_doubles_and_up_to_half_is_taken_off(sends: int, jitter: float, seconds: float) -> None:
    decision = after(*[send(E.CONNECTION_FAILED, D.NOT_SENT)] * sends, jitter=jitter)
    assert isinstance(decision, Again)
    assert decision.wait_seconds == seconds


@pytest.mark.parametrize(
    ("asked", "seconds"), [(None, 0.25), (0.1, 0.25), (1.5, 1.5), (MAX_WAIT_SECONDS, MAX_WAIT_SECONDS)]
)
def test_poes_own_time_counts_where_it_is_longer(asked: float | None, seconds: float) -> None:
    decision = after(send(E.CONNECTION_FAILED, D.NOT_SENT, retry_after_seconds=asked), jitter=1.0)
    assert isinstance(decision, Again)
    assert decision.wait_seconds == seconds


def test_a_time_that_no_caller_waits_for_is_cut() -> None:
    decision = after(send(E.CONNECTION_FAILED, D.NOT_SENT, retry_after_seconds=MAX_WAIT_SECONDS * 10))
    assert isinstance(decision, Again)
    assert decision.wait_seconds == MAX_WAIT_SECONDS


@pytest.mark.parametrize(
    "failed",
    [
        send(None, None, Change.CORRECTION, retry_after_seconds=2.0),
        send(E.STALE_FORM_KEY, retry_after_seconds=2.0),
        send(E.RATE_LIMITED, retry_after_seconds=60.0),
    ],
)
def test_nothing_is_waited_for_where_a_pause_cures_nothing(failed: Send) -> None:
    decision = after(failed, jitter=1.0)
    assert isinstance(decision, Again)
    assert decision.wait_seconds == 0


def test_the_same_again_names_the_account_and_leaves_no_other_kind() -> None:
    decision = after(send(E.STALE_FORM_KEY, kind=AccountKind.WEB, account_id="w"))
    assert isinstance(decision, Again)
    assert (decision.account_id, decision.kinds, decision.exclude) == ("w", (AccountKind.WEB,), frozenset({"w"}))


def test_another_account_may_be_of_any_kind_that_is_able() -> None:
    decision = after(send(E.INSUFFICIENT_POINTS), send(E.INSUFFICIENT_POINTS, account_id="b"))
    assert isinstance(decision, Again)
    assert (decision.account_id, decision.kinds, decision.exclude) == ("b", BOTH, frozenset({"a", "b"}))


def test_a_send_says_what_its_failure_said() -> None:
    error = poe_error(E.RATE_LIMITED, delivery=D.REFUSED, retry_after_seconds=3.0)
    facts: dict[str, Any] = {"account_id": "w", "kind": AccountKind.WEB, "change": Change.NEW_CHAT, "points": 7}
    failed = failed_send(error, possible=frozenset({Change.WITHOUT_STOP}), is_shown=True, **facts)
    assert (failed.code, failed.delivery, failed.scope) == (E.RATE_LIMITED, D.REFUSED, error.scope)
    assert (failed.is_retryable, failed.retry_after_seconds) == (error.retryable, 3.0)
    assert failed.possible == {Change.WITHOUT_STOP}
    rejected = rejected_send(is_correctable=True, is_shown=True, **facts)
    assert (rejected.code, rejected.delivery, rejected.possible) == (None, D.FAILED, {Change.CORRECTION})
    for each in (failed, rejected):
        assert {name: getattr(each, name) for name in facts} == facts
        assert each.is_shown


def test_an_answer_is_corrected_once_only() -> None:
    rejected = send(None, None, Change.CORRECTION)
    assert isinstance(after(rejected, replace(rejected, change=Change.CORRECTION)), GiveUp)


def test_a_refusal_that_cost_points_counts_as_taken() -> None:
    """A bot's error after its price was reported."""
    unavailable = send(E.BOT_UNAVAILABLE, points=5)
    assert isinstance(after(unavailable), Again)
    assert isinstance(after(unavailable, unavailable), GiveUp)


def test_number_and_time_end_everything() -> None:
    denied = send(E.BOT_ACCESS_DENIED)
    assert isinstance(after(denied, denied, max_sends=3), Again)
    assert after(denied, denied, denied, max_sends=3) == GiveUp(None, 0)
    assert after(denied, is_late=True) == GiveUp(None, 0)


def test_an_api_that_lacks_the_bot_is_not_asked_again() -> None:
    decision = after(send(E.BOT_NOT_FOUND), send(E.RATE_LIMITED, kind=AccountKind.WEB, account_id="w"))
    assert isinstance(decision, Again)
    assert decision.kinds == (AccountKind.WEB,)
    assert decision.exclude == {"a", "w"}
    assert isinstance(after(send(E.BOT_NOT_FOUND), kinds=(AccountKind.OFFICIAL,)), GiveUp)


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([E.BOT_NOT_FOUND, E.BOT_ACCESS_DENIED], 0),
        ([E.BOT_ACCESS_DENIED, E.BOT_NOT_FOUND], 1),
        ([E.RATE_LIMITED, E.BOT_NOT_FOUND], 1),
        ([E.BOT_NOT_FOUND, E.INSUFFICIENT_POINTS], 0),
        ([E.BOT_NOT_FOUND, E.NOT_AUTHENTICATED, E.BOT_ACCESS_DENIED], 0),
        # These know the bot.
        ([E.BOT_NOT_FOUND, E.BOT_FAILED], 1),
        ([E.BOT_LIMIT_REACHED, E.BOT_NOT_FOUND], 0),
        ([E.UNSUPPORTED_FEATURE, E.BOT_NOT_FOUND], 0),
        # Nobody knows whether these do.
        ([E.BOT_NOT_FOUND, E.CONNECTION_FAILED], 1),
        ([E.BOT_NOT_FOUND, E.CHALLENGE], 1),
        ([E.BOT_ACCESS_DENIED, E.BOT_ACCESS_DENIED], 0),
        ([E.INSUFFICIENT_POINTS, E.BOT_ACCESS_DENIED], 0),
        ([E.UNSUPPORTED_FEATURE, E.BOT_FAILED], 0),
        ([E.UNSUPPORTED_FEATURE, E.RATE_LIMITED], 1),
        ([E.INSUFFICIENT_POINTS, E.RATE_LIMITED], 1),
    ],
)
def test_callers_are_told_what_tells_them_most(codes: list[ErrorCode], told: int) -> None:
    assert telling([send(code) for code in codes]) == told


def test_a_protocol_that_was_not_asked_knows_no_bot() -> None:
    """The Bot Query protocol has no `tool_choice`: the client refuses before it asks whether there is such a bot."""
    sends = [send(E.BOT_NOT_FOUND), send(E.UNSUPPORTED_FEATURE, change=Change.BOT_PROTOCOL)]
    assert telling(sends) == 1, "the bot may be one of that protocol"
    assert telling([*sends, send(E.BOT_NOT_FOUND, kind=AccountKind.WEB)]) == 0


# What can come of a send, by what it did with the money: `decide` must be right whatever the order.
_FAILURES = st.builds(
    lambda code, delivery, possible, shown, points, account, kind, wait: send(
        code,
        delivery,
        *possible,
        is_shown=shown,
        points=points,
        account_id=account,
        kind=kind,
        retry_after_seconds=wait,
    ),
    st.one_of(st.none(), st.sampled_from(list(ErrorCode))),
    st.one_of(st.none(), st.sampled_from(list(Delivery))),
    st.frozensets(st.sampled_from(list(Change))),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 100)),
    st.sampled_from("abc"),
    st.sampled_from(BOTH),
    st.one_of(st.none(), st.floats(0, 1000)),
)


@settings(max_examples=500, deadline=None)
@given(st.lists(_FAILURES, min_size=1, max_size=12), st.integers(1, 4), st.integers(0, 12), st.floats(0, 1))
def test_no_sequence_of_faults_sends_pays_or_delivers_more_than_allowed(
    faults: list[Send], max_sends: int, late_after: int, jitter: float
) -> None:
    """The faults come one after the other, each time the plan sends once more."""
    made: list[Send] = []
    for number, fault in enumerate(faults):
        made.append(fault)
        decision = decide(made, kinds=BOTH, max_sends=max_sends, is_late=number >= late_after, jitter=jitter)
        assert not isinstance(decision, NextModel), "nobody allowed another model"
        if isinstance(decision, GiveUp):
            assert 0 <= decision.number < len(made)
            break
        assert decision.wait_seconds <= MAX_WAIT_SECONDS
        assert decision.kinds
    repeated = made[:-1] if isinstance(decision, GiveUp) else made
    assert len(made) <= max_sends, "sends"
    assert len(repeated) <= late_after, "time"
    # What was sent again: nothing whose delivery is unknown or that was answered in part, nothing shown but an answer
    # that is corrected, and of what may have been charged one failure and one correction.
    assert not any(fault.code is not None and fault.fate in (D.UNKNOWN, D.PARTIAL) for fault in repeated)
    assert not any(fault.is_shown and fault.code is not None for fault in repeated)
    charged = [fault for fault in repeated if fault.fate is D.FAILED]
    assert sum(fault.code is None for fault in charged) <= 1
    assert sum(fault.code is not None for fault in charged) <= 2
    assert sum(fault.points or 0 for fault in repeated if fault.fate in (D.NOT_SENT, D.REFUSED)) == 0


@given(_FAILURES)
def test_another_account_is_never_the_one_that_failed(fault: Send) -> None:
    decision = after(fault)
    if isinstance(decision, Again) and decision.where is not Where.SAME:
        assert fault.account_id in decision.exclude


@pytest.mark.parametrize("code", list(ErrorCode))
def test_a_code_that_allows_no_hope_is_repeated_only_with_a_change_or_the_other_api(code: ErrorCode) -> None:
    decision = after(send(code))
    if not POLICIES[code].retryable and isinstance(decision, Again):
        assert decision.change is not None or decision.where is Where.OTHER_API
    assert POLICIES[code].scope in Scope


FALLS_BACK = [
    send(E.BOT_UNAVAILABLE),
    send(E.BOT_LIMIT_REACHED),
    send(E.BOT_ACCESS_DENIED),
    send(E.BOT_NOT_FOUND),
    send(E.BOT_FAILED),
    send(E.EMPTY_ANSWER),
    send(E.UNSUPPORTED_FEATURE),
    send(E.OVERLOADED, D.REFUSED),
]
STAYS = [
    send(E.CONNECTION_FAILED, D.NOT_SENT),
    send(E.CONNECTION_FAILED),
    send(E.TIMEOUT),
    send(E.UPSTREAM_FAILED),
    send(E.BOT_UNAVAILABLE, D.UNKNOWN),
    send(E.BOT_FAILED, D.PARTIAL),
    send(E.BOT_UNAVAILABLE, is_shown=True),
    send(E.CONTENT_REFUSED),
    send(E.INVALID_REQUEST),
    send(E.MESSAGE_TOO_LONG),
    send(E.CHALLENGE),
    send(None, None, Change.CORRECTION),
    send(None),
]


def within_three(*sends: Send, **more: Any) -> Again | NextModel | GiveUp:
    return after(*sends, **({"max_sends": 3} | more))


@pytest.mark.parametrize("failed", FALLS_BACK, ids=lambda failed: failed.code)
def test_a_model_that_can_not_be_had_is_followed_by_the_next_one(failed: Send) -> None:
    """Two sends are left for two models."""
    decision = within_three(failed, fallbacks=2)
    assert isinstance(decision, NextModel)
    assert not isinstance(within_three(failed), NextModel), "nobody allowed one"
    assert isinstance(within_three(failed, failed, failed, fallbacks=2), GiveUp), "no send is left"
    assert isinstance(within_three(failed, sends_before=2, fallbacks=1), GiveUp), "the sends to all models count"
    assert isinstance(within_three(failed, fallbacks=2, is_late=True), GiveUp)


@pytest.mark.parametrize("failed", STAYS, ids=lambda failed: f"{failed.code}-{failed.delivery}-{failed.is_shown}")
def test_what_another_model_does_not_cure_or_may_pay_twice_stays_with_the_model(failed: Send) -> None:
    for sends in ([failed], [failed, replace(failed, account_id="b")]):
        assert not isinstance(within_three(*sends, fallbacks=2), NextModel)
        assert not may_fall_back(sends, NoAccountReason.BOT_DENIED)


def test_other_accounts_come_first_where_the_account_is_what_can_not() -> None:
    poor = send(E.INSUFFICIENT_POINTS)
    assert isinstance(within_three(poor, fallbacks=2), Again)
    assert isinstance(within_three(poor, replace(poor, account_id="b"), fallbacks=2), NextModel)


def test_one_fallback_leaves_a_send_for_another_account() -> None:
    down = send(E.BOT_UNAVAILABLE)
    assert isinstance(within_three(down, fallbacks=1), Again)
    assert isinstance(within_three(down, replace(down, account_id="b"), fallbacks=1), NextModel)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [(reason, reason.value in ("bot_denied", "cooling_down", "no_points")) for reason in NoAccountReason],
)
def test_without_a_send_the_lack_of_accounts_says_whether_another_model_helps(
    reason: NoAccountReason, expected: bool
) -> None:
    assert may_fall_back([], reason) is expected


@settings(max_examples=300, deadline=None)
@given(st.lists(_FAILURES, min_size=1, max_size=12), st.integers(1, 5), st.integers(0, 5))
def test_no_sequence_of_faults_and_models_sends_more_than_allowed_or_after_an_unknown_end(
    faults: list[Send], max_sends: int, fallbacks: int
) -> None:
    made: list[Send] = []
    before, total = 0, 0
    for fault in faults:
        made.append(fault)
        total += 1
        decision = decide(made, kinds=BOTH, max_sends=max_sends, sends_before=before, fallbacks=fallbacks)
        if isinstance(decision, GiveUp):
            break
        assert fault.code is None or (fault.fate not in (D.UNKNOWN, D.PARTIAL) and not fault.is_shown)
        if isinstance(decision, NextModel):
            before, made, fallbacks = total, [], fallbacks - 1
            assert fallbacks >= 0
            assert fault.code is not None
    assert total <= max_sends
