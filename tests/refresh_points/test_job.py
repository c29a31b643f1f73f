"""What an event may ask for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pool.status import AccountStatus
from refresh_points.job import EventError, Job


def test_an_empty_event_reads_what_is_due() -> None:
    job = Job.from_event({})
    assert job == Job()
    assert not job.is_forced


def test_the_fields_of_a_schedule_mean_nothing_to_the_job() -> None:
    event = {"version": "0", "source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": "{}"}
    assert Job.from_event(event) == Job()


def test_an_event_can_ask_for_everything_at_once() -> None:
    event = {
        "dry_run": True,
        "statuses": ["active", "invalid", "active"],
        "account_ids": ["acct_1"],
        "concurrency": 7,
        "cursor": "c",
    }
    job = Job.from_event(json.loads(json.dumps(event)))
    assert job == Job(
        dry_run=True,
        statuses=(AccountStatus.ACTIVE, AccountStatus.INVALID),
        account_ids=("acct_1",),
        concurrency=7,
        cursor="c",
    )
    assert job.is_forced


@pytest.mark.parametrize(("asked", "used"), [(0, 1), (-5, 1), (1000, 100)])
def test_concurrency_is_brought_into_range(asked: int, used: int) -> None:
    assert Job.from_event({"concurrency": asked}).concurrency == used


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"dry_run": "yes"}, "dry_run"),
        ({"statuses": "active"}, "statuses"),
        ({"statuses": ["asleep"]}, "statuses"),
        ({"statuses": [1]}, "statuses"),
        ({"account_ids": [""]}, "account_ids"),
        ({"concurrency": "3"}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"cursor": 1}, "cursor"),
    ],
)
def test_an_event_that_asks_for_nonsense_is_told_which_field(event: dict, field: str) -> None:
    with pytest.raises(EventError, match=field):
        Job.from_event(event)


def test_the_sample_event_is_understood() -> None:
    sample = Path(__file__).parents[2] / "events" / "schedule_refresh.json"
    if not sample.exists():
        pytest.skip("no sample events here")
    assert Job.from_event(json.loads(sample.read_text())) == Job()
