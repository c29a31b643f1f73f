"""The embedded metric format: what is counted by what, and within which bound."""

from __future__ import annotations

from typing import Any

from gateway.http.metrics import MAX_KEYS, MAX_MODELS, RequestMetrics

VALUES: dict[str, float] = {"Requests": 1, "Errors": 0, "CallerErrors": 0, "Duration": 5, "Points": 3}


def document(metrics: RequestMetrics, **more: Any) -> dict[str, Any]:
    fields = {"status": 200, "fault": None, "model": "GPT-5", "key_id": "key_1", "account_kind": "official"} | more
    return metrics.document(dict(VALUES), timestamp_ms=1, **fields)


def dimensions(made: dict[str, Any]) -> dict[str, set[str]]:
    """The metrics by the names of their dimensions."""
    found: dict[str, set[str]] = {}
    for directive in made["_aws"]["CloudWatchMetrics"]:
        assert directive["Namespace"] == "PoeGateway"
        for names in directive["Dimensions"]:
            assert all(isinstance(made[name], str) for name in names), "a dimension must be there"
            found.setdefault("+".join(names), set()).update(item["Name"] for item in directive["Metrics"])
    return found


def test_each_metric_is_counted_by_what_tells_something_about_it() -> None:
    made = document(RequestMetrics("gateway"))
    assert dimensions(made) == {
        "service": set(VALUES),
        "service+status_class": {"Requests"},
        "service+model": {"Requests", "Errors", "CallerErrors", "Points"},
        "service+key": {"Requests", "Errors", "CallerErrors", "Points"},
        "service+account_kind": {"Requests", "Errors", "CallerErrors", "Points"},
    }
    assert (made["model"], made["key"], made["account_kind"], made["status_class"]) == (
        "gpt-5",
        "key_1",
        "official",
        "2xx",
    )


def test_a_request_without_a_key_has_no_model_and_no_account() -> None:
    made = document(RequestMetrics("gateway"), status=401, fault="caller", model=None, key_id=None, account_kind=None)
    assert set(dimensions(made)) == {"service", "service+status_class", "service+fault"}
    assert dimensions(made)["service+fault"] == {"Faults"}


def test_nobody_can_make_more_metrics_than_the_bound() -> None:
    metrics = RequestMetrics("gateway")
    made = [document(metrics, model=f"model-{n}", key_id=f"key-{n}") for n in range(3 * MAX_MODELS)]
    assert len({one["model"] for one in made}) == MAX_MODELS + 1
    assert len({one["key"] for one in made}) == MAX_KEYS + 1
    assert (made[-1]["model"], made[-1]["key"]) == ("other", "other")
    assert document(metrics, model="MODEL-0")["model"] == "model-0", "what was there first stays"
    assert document(metrics, model=None)["model"] == "other"
    assert document(metrics, account_kind=None)["account_kind"] == "none"
