"""Counting round trips."""

import pytest

from local.poe_web.journal import Journal, RequestRecord, SentRecord, sequential_round_trips


@pytest.mark.parametrize(
    ("intervals", "count"),
    [
        ([], 0),
        ([(0, 1)], 1),
        ([(0, 1), (0, 1), (0.5, 1.2)], 1),
        ([(0, 1), (1, 2), (2, 3)], 3),
        ([(0, 3), (0, 1), (1, 2)], 2),
        ([(0, 1), (0.9, 1.9), (1.8, 2.8)], 2),
        ([(0, None)], 1),
    ],
)
def test_the_longest_chain_of_requests_counts(intervals, count):
    records = [RequestRecord(start, "GET", "/", ended=end) for start, end in intervals]
    assert sequential_round_trips(records, 0, 10) == count


def test_requests_outside_the_period_do_not_count():
    records = [RequestRecord(t, "GET", "/", ended=t + 0.5) for t in range(5)]
    assert sequential_round_trips(records, 1, 3) == 3


def test_the_journal_is_bounded():
    journal = Journal()
    for n in range(40_001):
        journal.add_request(RequestRecord(n, "GET", "/"))
        journal.add_sent(SentRecord(n, "a", 1, "x", 0, None, n, 0))
    assert len(journal.requests) == len(journal.sent) == 20_001
    assert journal.requests[-1].time == 40_000
