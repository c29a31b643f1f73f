"""Lines and metrics about requests."""

from __future__ import annotations

import io
import json
import logging

import pytest

from gateway.http.request_log import Journal, RequestRecord


def test_metrics_are_written_when_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal(with_metrics=True, stream=io.StringIO(), service="gateway-metrics", clock=lambda: 3.0)
    record = RequestRecord("r", "POST", 1.0, attempts=2, first_byte_at=1.5)
    journal.request_ended(record)
    metrics = json.loads(capsys.readouterr().out)
    assert (metrics["Requests"], metrics["Errors"], metrics["Attempts"]) == ([1.0], [0.0], [2.0])
    assert (metrics["Duration"], metrics["TimeToFirstByte"]) == ([2000.0], [500.0])
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
