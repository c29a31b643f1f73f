"""The faults that the local stand-in for DynamoDB has when it is told to."""

from __future__ import annotations

import json

import pytest

from local.aws.store_faults import FaultPlan, StoreFaults, StoreFaultsError

TRANSACTION = json.dumps({"TransactItems": [{}, {}]}).encode()


def test_faults_are_read_from_a_text() -> None:
    assert StoreFaults.parse("throttled=0.1, lost=1,seed=7") == StoreFaults(throttled=0.1, lost=1.0, seed=7)
    assert StoreFaults.parse("") == StoreFaults()


@pytest.mark.parametrize("text", ["throttled", "throttled=x", "throttled=2", "lost=-0.1", "seed=1.5", "unknown=0.1"])
def test_what_is_no_fault_is_named(text: str) -> None:
    with pytest.raises(StoreFaultsError, match="STORE_FAULTS"):
        StoreFaults.parse(text)


def test_a_throttled_call_is_refused_and_a_lost_one_answered_by_a_failure() -> None:
    status, body = FaultPlan(StoreFaults(throttled=1)).before("GetItem", b"") or ("", b"")
    assert (status[:3], json.loads(body)["__type"].rpartition("#")[2]) == ("400", "ThrottlingException")
    plan = FaultPlan(StoreFaults(lost=1))
    assert plan.before("PutItem", b"") is None
    assert (plan.after("PutItem") or ("",))[0].startswith("500")
    assert plan.after("Query") is None, "nothing is lost with the answer to a read"


def test_a_conflict_concerns_transactions_and_says_which_item() -> None:
    plan = FaultPlan(StoreFaults(conflict=1))
    assert plan.before("PutItem", b"") is None
    _, body = plan.before("TransactWriteItems", TRANSACTION) or ("", b"")
    assert [reason["Code"] for reason in json.loads(body)["CancellationReasons"]] == ["TransactionConflict", "None"]


def test_slow_calls_wait_and_a_seed_repeats_itself() -> None:
    waits: list[float] = []
    FaultPlan(StoreFaults(slow=1), wait=waits.append).before("GetItem", b"")
    assert 0 < waits[0] < 1
    draws = [
        [FaultPlan(StoreFaults(throttled=0.5, seed=seed)).before("GetItem", b"") is None for _ in range(20)]
        for seed in (3, 3)
    ]
    assert draws[0] == draws[1]
