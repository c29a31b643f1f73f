"""Who is chosen: by balance, use and failures, never in lockstep."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from accounts import Account, AccountKind, AccountState, LeaseRequest, NoAccountReason, Points
from accounts._selection import BotLimit, burden, is_able, is_candidate, order, refusal

NOW = 1_800_000_000.0
ACCOUNT = Account(id="a", kind=AccountKind.WEB, label="l")
REQUEST = LeaseRequest(owner="r", bot="b", ttl_seconds=1)


def first_choices(accounts: list[Account], request: LeaseRequest = REQUEST, draws: int = 2_000) -> Counter[str]:
    rng = random.Random(11)
    return Counter(next(order(accounts, request, NOW, rng)).id for _ in range(draws))


def fleet(count: int, **fields: object) -> list[Account]:
    return [replace(ACCOUNT, id=str(number), **fields) for number in range(count)]


def test_equal_accounts_get_equal_shares() -> None:
    chosen = first_choices(fleet(10))
    assert len(chosen) == 10
    assert max(chosen.values()) < 2 * min(chosen.values())


def test_more_points_are_preferred_but_not_exclusively() -> None:
    rich = replace(ACCOUNT, id="rich", points=Points(3_000, NOW))
    poor = [replace(account, points=Points(100, NOW)) for account in fleet(3)]
    chosen = first_choices([*poor, rich])
    assert chosen["rich"] == max(chosen.values())
    assert set(chosen) == {"rich", "0", "1", "2"}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"points": Points(2_000, NOW)}, {"points": Points(1_000, NOW)}),
        ({"points": Points(2_000, NOW)}, {}),
        ({}, {"points": Points(30, NOW)}),
        ({"last_used_at": NOW - 600}, {"last_used_at": NOW - 1}),
        ({}, {"consecutive_errors": 1}),
        ({"points": Points(30, NOW)}, {"points": Points(3_000, NOW), "consecutive_errors": 1}),
    ],
)
def test_burden_orders(better: dict, worse: dict) -> None:
    assert burden(replace(ACCOUNT, **better), NOW) < burden(replace(ACCOUNT, **worse), NOW)


def test_order_names_each_candidate_once_sticky_first_then_kind_by_kind() -> None:
    official = [replace(account, id=f"o{account.id}", kind=AccountKind.OFFICIAL) for account in fleet(5)]
    web = fleet(5)
    request = replace(REQUEST, sticky_account_id="3")
    ids = [account.id for account in order([*web, *official], request, NOW, random.Random(2))]
    assert sorted(ids) == sorted(account.id for account in [*web, *official])
    assert ids[0] == "3"
    assert {*ids[1:6]} == {account.id for account in official}


@pytest.mark.parametrize(
    ("fields", "request_fields", "able", "candidate"),
    [
        ({}, {}, True, True),
        ({"eligible_at": NOW + 1}, {}, True, False),
        ({"eligible_at": NOW}, {}, True, True),
        ({}, {"exclude": frozenset({"a"})}, True, False),
        ({"state": AccountState.DISABLED}, {}, False, False),
        ({"state": AccountState.LOGGED_OUT}, {}, False, False),
        ({}, {"kinds": (AccountKind.OFFICIAL,)}, False, False),
        ({"subscribed": False}, {"subscribed_only": True}, False, False),
        ({"subscribed": None}, {"subscribed_only": True}, True, True),
        ({"subscribed": False}, {}, True, True),
    ],
)
def test_able_and_candidate(fields: dict, request_fields: dict, able: bool, candidate: bool) -> None:
    account, request = replace(ACCOUNT, **fields), replace(REQUEST, **request_fields)
    assert (is_able(account, request), is_candidate(account, request, NOW)) == (able, candidate)


EMPTY = replace(ACCOUNT, points=Points(0, NOW), eligible_at=NOW + 500)
COOLING = replace(ACCOUNT, eligible_at=NOW + 100, last_error="rate_limited")


@pytest.mark.parametrize(
    ("found", "reason", "retry_in"),
    [
        ({}, NoAccountReason.NONE_CONFIGURED, None),
        ({"has_excluded": True}, NoAccountReason.COOLING_DOWN, None),
        ({"has_busy": True, "waiting": [EMPTY]}, NoAccountReason.BUSY, None),
        ({"waiting": [EMPTY]}, NoAccountReason.NO_POINTS, 500),
        ({"waiting": [EMPTY, COOLING]}, NoAccountReason.COOLING_DOWN, 100),
        ({"limits": [BotLimit(NOW + 50, "bot_limit_reached")]}, NoAccountReason.COOLING_DOWN, 50),
        ({"limits": [BotLimit(NOW + 50, "insufficient_points")]}, NoAccountReason.NO_POINTS, 50),
        ({"waiting": [EMPTY], "limits": [BotLimit(NOW + 50, "bot_access_denied")]}, NoAccountReason.COOLING_DOWN, 50),
        ({"limits": [BotLimit(NOW + 50, "bot_access_denied")]}, NoAccountReason.BOT_DENIED, 50),
        (
            {"limits": [BotLimit(NOW + 90, "bot_access_denied"), BotLimit(NOW + 50, "bot_limit_reached")]},
            NoAccountReason.COOLING_DOWN,
            50,
        ),
        ({"has_excluded": True, "limits": [BotLimit(NOW + 50, "bot_access_denied")]}, NoAccountReason.COOLING_DOWN, 50),
    ],
)
def test_the_refusal_says_why_and_until_when(found: dict, reason: NoAccountReason, retry_in: float | None) -> None:
    nothing = {"waiting": [], "limits": [], "has_busy": False, "has_excluded": False}
    error = refusal(**{**nothing, **found}, now=NOW)
    assert error.reason is reason
    assert error.retry_at == (None if retry_in is None else NOW + retry_in)
