"""Lines and metrics about requests."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest

from gateway.http.errors import (
    CONTENT_FILTER,
    INTERNAL,
    INVALID_KEY,
    NO_ACCOUNTS,
    NO_POINTS,
    QUOTA,
    RATE_LIMIT,
    STORE,
    UNUSABLE_ANSWER,
    UPSTREAM,
    GatewayError,
)
from gateway.http.request_log import Journal, RequestRecord


def test_metrics_are_written_when_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(with_metrics=True, stream=io.StringIO(), service="gateway-metrics", clock=lambda: 3.0)
    record = RequestRecord("r", "POST", 1.0, attempts=2, first_byte_at=1.5)
    journal.request_ended(record)
    metrics = json.loads(capsys.readouterr().out)
    assert (metrics["Requests"], metrics["Errors"], metrics["Attempts"]) == (1, 0, 2)
    assert (metrics["Duration"], metrics["TimeToFirstByte"]) == (2000.0, 500.0)
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "PoeGateway"


def test_a_line_has_only_what_is_known() -> None:
    stream = io.StringIO()
    Journal(stream=stream, service="gateway-line", clock=lambda: 3.0).request_ended(
        RequestRecord("r", "GET", 1.0, status=404, error="not_found")
    )
    line = json.loads(stream.getvalue())
    assert (line["message"], line["duration_ms"], line["error"]) == ("request.ended", 2000.0, "not_found")
    assert not {"model", "account", "attempts", "first_byte_ms"} & set(line)


def test_the_level_is_kept() -> None:
    stream = io.StringIO()
    Journal(stream=stream, service="gateway-level", level="error").event("attempt.failed")
    assert stream.getvalue() == ""


def test_a_crash_is_told_by_type_and_place() -> None:
    stream = io.StringIO()
    try:
        raise RuntimeError("secret")
    except RuntimeError as error:
        Journal(stream=stream, service="gateway-crash").crash(error)
    line = json.loads(stream.getvalue())
    assert line["error_type"] == "RuntimeError"
    assert line["frames"][-1].endswith("test_a_crash_is_told_by_type_and_place")
    assert "secret" not in stream.getvalue()


def test_libraries_that_would_log_headers_are_kept_quiet() -> None:
    Journal()
    assert all(
        logging.getLogger(name).getEffectiveLevel() >= logging.WARNING for name in ("websockets", "httpx", "botocore")
    )


def metrics_of(capsys: pytest.CaptureFixture[str], **fields: Any) -> dict[str, Any]:
    journal = Journal(with_metrics=True, stream=io.StringIO(), service="gateway-metrics-2", clock=lambda: 3.0)
    journal.request_ended(RequestRecord("r", "POST", 1.0, **fields))
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_points_and_tokens_are_metrics_where_they_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "estimated": True}
    known = metrics_of(capsys, key_id="key_1", model="GPT-5", is_listed=True, points=0, usage=usage)
    assert (known["Points"], known["PromptTokens"], known["CompletionTokens"]) == (0, 10, 0)
    unknown = metrics_of(capsys, key_id="key_1", model="GPT-5", is_listed=True)
    assert not {"Points", "PromptTokens", "CompletionTokens", "Attempts", "TimeToFirstByte"} & unknown.keys()
    named = {item["Name"] for one in unknown["_aws"]["CloudWatchMetrics"] for item in one["Metrics"]}
    assert named <= unknown.keys(), "what is named must be there"


@pytest.mark.parametrize(
    ("failure", "fault", "ours", "callers"),
    [
        (GatewayError(INVALID_KEY), "caller", 0, 1),
        (GatewayError(CONTENT_FILTER), "caller", 0, 1),
        (GatewayError(QUOTA), "limit", 0, 1),
        (GatewayError(RATE_LIMIT), "limit", 0, 1),
        (GatewayError(NO_POINTS), "accounts", 1, 0),
        (GatewayError(NO_ACCOUNTS), "accounts", 1, 0),
        (GatewayError(UPSTREAM), "poe", 1, 0),
        (GatewayError(UNUSABLE_ANSWER), "poe", 1, 0),
        (GatewayError(STORE), "gateway", 1, 0),
        (GatewayError(INTERNAL), "gateway", 1, 0),
    ],
    ids=lambda value: value.code if isinstance(value, GatewayError) else None,
)
def test_a_failure_is_counted_for_the_party_whose_part_it_is(
    capsys: pytest.CaptureFixture[str], failure: GatewayError, fault: str, ours: int, callers: int
) -> None:
    record = RequestRecord("r", "POST", 1.0, status=failure.status)
    record.fail(failure, failure)
    Journal(with_metrics=True, stream=io.StringIO(), service="gateway-faults", clock=lambda: 3.0).request_ended(record)
    metrics = json.loads(capsys.readouterr().out)
    assert (metrics["fault"], metrics["Faults"], metrics["Errors"], metrics["CallerErrors"]) == (
        fault,
        1,
        ours,
        callers,
    )
    assert metrics["status_class"] == f"{failure.status // 100}xx"


def test_a_caller_who_goes_away_is_nobodys_error(capsys: pytest.CaptureFixture[str]) -> None:
    record = RequestRecord("r", "POST", 1.0, status=499)
    record.leave()
    Journal(with_metrics=True, stream=io.StringIO(), service="gateway-gone", clock=lambda: 3.0).request_ended(record)
    metrics = json.loads(capsys.readouterr().out)
    assert (metrics["fault"], metrics["Errors"], metrics["CallerErrors"]) == ("gone", 0, 0)
