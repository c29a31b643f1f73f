"""What several sends of one answer have consumed, one by one and together."""

from __future__ import annotations

from gateway.generation.usage import Spending
from reverse.events import UsageReported


def test_one_send_is_what_the_upstream_says_or_an_estimate() -> None:
    spending = Spending(7)
    assert not spending.is_reported
    total = spending.total(5)
    assert (total.prompt_tokens, total.completion_tokens, total.points, total.is_estimated) == (7, 5, None, True)
    spending.report(UsageReported(1, 1, points=1))
    spending.report(UsageReported(10, 20, points=30))
    assert spending.points == 30
    total = spending.total(5)
    assert (total.prompt_tokens, total.completion_tokens, total.points, total.is_estimated) == (10, 20, 30, False)


def test_sends_add_up_and_are_known_by_themselves() -> None:
    spending = Spending(7)
    spending.report(UsageReported(10, 20, cached_tokens=1, points=30))
    spending.end(was_answered=True)
    assert spending.points is None
    spending.report(UsageReported(1, 2, reasoning_tokens=5, points=3))
    last, total = spending.of_last(0), spending.total(0)
    assert (last.prompt_tokens, last.completion_tokens, last.points) == (1, 2, 3)
    assert (total.prompt_tokens, total.completion_tokens, total.points) == (11, 22, 33)
    assert (total.cached_tokens, total.reasoning_tokens) == (1, 5)
    assert not total.is_estimated


def test_a_send_that_was_not_answered_and_not_reported_adds_nothing() -> None:
    spending = Spending(7)
    spending.end(was_answered=False)
    spending.report(UsageReported(10, 20))
    total = spending.total(0)
    assert (total.prompt_tokens, total.points, total.is_estimated) == (10, None, False)


def test_an_answer_of_which_nothing_was_reported_makes_the_sum_an_estimate() -> None:
    spending = Spending(7)
    spending.end(was_answered=True)
    spending.report(UsageReported(10, 20, points=3))
    total = spending.total(0)
    assert (total.prompt_tokens, total.points, total.is_estimated) == (17, None, True)


def test_points_are_the_upstreams_else_the_estimate_and_add_up_to_what_the_ledger_has() -> None:
    spending = Spending(7)
    spending.begin(20)
    assert (spending.total(1).points, spending.total(1).points_estimated) == (20, True)
    spending.end(was_answered=False)
    spending.begin(30)
    spending.report(UsageReported(points=33))
    assert (spending.total(1).points, spending.total(1).points_estimated) == (53, True)


def test_what_was_refused_or_never_sent_is_free() -> None:
    spending = Spending(7)
    spending.begin(20)
    spending.end(was_answered=False, is_free=True)
    spending.begin(None)
    spending.report(UsageReported(points=33))
    assert (spending.total(1).points, spending.total(1).points_estimated) == (33, False)
    spending.end(was_answered=True)
    spending.begin(20)
    assert (spending.total(1, is_last_free=True).points, spending.total(1).points) == (33, 53)


def test_one_unknown_cost_makes_the_sum_unknown_and_no_estimate_of_it() -> None:
    spending = Spending(7)
    spending.begin(20)
    spending.end(was_answered=True)
    spending.begin(None)
    assert (spending.total(1).points, spending.total(1).points_estimated) == (None, False)
