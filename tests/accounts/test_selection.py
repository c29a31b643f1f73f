"""Who is chosen: in proportion to the points that are left, never in lockstep; and why nobody was."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from accounts import Account, AccountKind, AccountState, BotLimit, LeaseRequest, NoAccountReason, Points
from accounts._selection import Refusals, is_able, order, weights, why_none

NOW = 1_800_000_000.0
ACCOUNT = Account(id="a", kind=AccountKind.WEB, label="l")
REQUEST = LeaseRequest(owner="r", bot="b", ttl_seconds=1)


def first_choices(accounts: list[Account], request: LeaseRequest = REQUEST, draws: int = 4_000) -> Counter[str]:
    rng = random.Random(11)
    return Counter(next(order(accounts, request, rng)).id for _ in range(draws))


def fleet(count: int, **fields: object) -> list[Account]:
    return [replace(ACCOUNT, id=str(number), **fields) for number in range(count)]


def test_equal_accounts_get_equal_shares() -> None:
    chosen = first_choices(fleet(10))
    assert len(chosen) == 10
    assert max(chosen.values()) < 1.3 * min(chosen.values())


def test_uses_follow_the_points_that_are_left() -> None:
    points = [100, 500, 1_000, 3_000]
    accounts = [replace(account, points=Points(p, NOW)) for account, p in zip(fleet(4), points, strict=True)]
    chosen = first_choices(accounts, draws=20_000)
    for account, balance in zip(accounts, points, strict=True):
        assert chosen[account.id] == pytest.approx(20_000 * balance / sum(points), rel=0.1)


def test_an_unknown_balance_counts_as_the_average_and_failures_count_against() -> None:
    known = replace(ACCOUNT, points=Points(1_000, NOW))
    pool = [known, ACCOUNT, replace(known, consecutive_errors=1), replace(known, points=Points(0, NOW))]
    assert weights(pool) == [1_000, pytest.approx(2_000 / 3), 250, 1]
    assert weights([ACCOUNT]) == [1_500]


def test_order_names_each_candidate_once_sticky_first_then_kind_by_kind() -> None:
    official = [replace(account, id=f"o{account.id}", kind=AccountKind.OFFICIAL) for account in fleet(5)]
    web = fleet(5)
    request = replace(REQUEST, sticky_account_id="3")
    ids = [account.id for account in order([*web, *official], request, random.Random(2))]
    assert sorted(ids) == sorted(account.id for account in [*web, *official])
    assert ids[0] == "3"
    assert {*ids[1:6]} == {account.id for account in official}


@pytest.mark.parametrize(
    ("fields", "request_fields", "able", "admitted"),
    [
        ({}, {}, True, True),
        ({"errors_until": NOW + 1}, {}, True, False),
        ({"errors_until": NOW}, {}, True, True),
        ({"bot_limits": {"b": BotLimit(NOW + 1, "bot_access_denied")}}, {"bot": "B"}, True, False),
        ({"bot_limits": {"b": BotLimit(NOW, "bot_access_denied")}}, {}, True, True),
        ({"bot_limits": {"c": BotLimit(NOW + 1, "bot_access_denied")}}, {}, True, True),
        ({}, {"exclude": frozenset({"a"})}, True, False),
        ({"state": AccountState.DISABLED}, {}, False, False),
        ({"state": AccountState.LOGGED_OUT}, {}, False, False),
        ({}, {"kinds": (AccountKind.OFFICIAL,)}, False, False),
        ({"subscribed": False}, {"subscribed_only": True}, False, False),
        ({"subscribed": None}, {"subscribed_only": True}, True, True),
        ({"subscribed": False}, {}, True, True),
    ],
)
def test_able_and_admitted(fields: dict, request_fields: dict, able: bool, admitted: bool) -> None:
    account, request = replace(ACCOUNT, **fields), replace(REQUEST, **request_fields)
    assert (is_able(account, request), Refusals(request, NOW).admits(account)) == (able, admitted)


EMPTY = replace(ACCOUNT, id="empty", points=Points(0, NOW), points_until=NOW + 500)
COOLING = replace(ACCOUNT, id="cooling", speed_until=NOW + 100)
DOUBTED = replace(ACCOUNT, id="doubted", credentials_until=NOW + 70)
EXCLUDED = replace(ACCOUNT, id="excluded")


def limited(seconds: float, code: str) -> Account:
    return replace(ACCOUNT, id=f"limited {seconds}", bot_limits={"b": BotLimit(NOW + seconds, code)})


@pytest.mark.parametrize(
    ("seen", "reason", "retry_in", "cause"),
    [
        ([], NoAccountReason.NONE_CONFIGURED, None, None),
        ([EXCLUDED], NoAccountReason.COOLING_DOWN, None, None),
        ([EMPTY], NoAccountReason.NO_POINTS, 500, "insufficient_points"),
        ([EMPTY, COOLING], NoAccountReason.COOLING_DOWN, 100, "rate_limited"),
        ([DOUBTED], NoAccountReason.CREDENTIALS_REFUSED, 70, "not_authenticated"),
        ([limited(50, "bot_limit_reached")], NoAccountReason.COOLING_DOWN, 50, "bot_limit_reached"),
        ([limited(50, "insufficient_points")], NoAccountReason.NO_POINTS, 50, "insufficient_points"),
        ([limited(50, "insufficient_points"), EMPTY], NoAccountReason.NO_POINTS, 50, "insufficient_points"),
        ([EMPTY, limited(50, "bot_access_denied")], NoAccountReason.COOLING_DOWN, 50, "bot_access_denied"),
        ([limited(50, "bot_access_denied")], NoAccountReason.BOT_DENIED, 50, "bot_access_denied"),
        (
            [limited(90, "bot_access_denied"), limited(50, "bot_limit_reached")],
            NoAccountReason.COOLING_DOWN,
            50,
            "bot_limit_reached",
        ),
        ([EXCLUDED, limited(50, "bot_access_denied")], NoAccountReason.COOLING_DOWN, 50, "bot_access_denied"),
    ],
)
def test_the_refusal_says_why_and_until_when(
    seen: list[Account], reason: NoAccountReason, retry_in: float | None, cause: str | None
) -> None:
    refusals = Refusals(replace(REQUEST, exclude=frozenset({"excluded"})), NOW)
    for account in seen:
        assert not refusals.admits(account)
    error = refusals.error()
    assert (error.reason, error.cause) == (reason, cause)
    assert error.retry_at == (None if retry_in is None else NOW + retry_in)


def test_an_account_with_two_waits_is_free_after_the_later_one() -> None:
    refusals = Refusals(REQUEST, NOW)
    refusals.admits(replace(limited(50, "bot_limit_reached"), speed_until=NOW + 90))
    error = refusals.error()
    assert (error.retry_at, error.cause) == (NOW + 90, "rate_limited")


def test_busy_is_only_said_of_slots_that_are_taken() -> None:
    refusals = Refusals(REQUEST, NOW, has_busy=True)
    refusals.admits(EMPTY)
    assert refusals.error().reason is NoAccountReason.BUSY


def test_a_search_that_did_not_see_everybody_refuses_nothing_for_good() -> None:
    refusals = Refusals(REQUEST, NOW, is_partial=True)
    assert (refusals.error().reason, refusals.error().retry_at) == (NoAccountReason.COOLING_DOWN, NOW + 5)
    refusals.admits(limited(50, "bot_access_denied"))
    assert refusals.error().reason is NoAccountReason.COOLING_DOWN


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        ([AccountState.DISABLED], NoAccountReason.DISABLED),
        ([AccountState.DISABLED, AccountState.LOGGED_OUT], NoAccountReason.CREDENTIALS_REFUSED),
        ([], NoAccountReason.NONE_CONFIGURED),
    ],
)
def test_accounts_that_can_not_be_selected_are_named_where_there_are_no_others(states, reason) -> None:
    others = [replace(ACCOUNT, state=state) for state in states]
    assert Refusals(REQUEST, NOW).error(others).reason is reason
    web_only = replace(REQUEST, kinds=(AccountKind.OFFICIAL,))
    assert Refusals(web_only, NOW).error(others).reason is NoAccountReason.NONE_CONFIGURED


def test_why_no_account_can_be_had_is_told_of_those_at_hand() -> None:
    """As a search would say it: see the cases above."""
    able, disabled = ACCOUNT, replace(ACCOUNT, state=AccountState.DISABLED)
    assert why_none([able, disabled], NOW) is None
    none = why_none([], NOW)
    assert none is not None and none.reason is NoAccountReason.NONE_CONFIGURED
    off = why_none([disabled], NOW)
    assert off is not None and off.reason is NoAccountReason.DISABLED
