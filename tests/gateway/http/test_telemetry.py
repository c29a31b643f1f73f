"""A request as telemetry: metrics in the log, and spans for a collector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from gateway.http.telemetry import MAX_KEYS, MAX_MODELS, RequestMetrics
from gateway.settings import Settings
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import ADMIN_KEY, House, ask

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


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes what is posted, and answers with a status."""

    def __init__(self) -> None:
        self.status = 200
        self.requests: list[tuple[str, str, Any]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.requests.append((self.path, self.headers["content-type"], json.loads(body)))
                self.send_response(collector.status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for _, _, document in self.requests
            for resource in document["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    thread = threading.Thread(target=running.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield running
    running.server.shutdown()
    thread.join()
    running.server.server_close()


@pytest.fixture
def environment(collector: Collector) -> dict[str, str]:
    return {"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY, "GATEWAY_OTLP_ENDPOINT": collector.url}


def facts(span: dict[str, Any]) -> dict[str, Any]:
    return {item["key"]: next(iter(item["value"].values())) for item in span["attributes"]}


async def test_a_request_is_a_span_in_otlps_form(house: House, collector: Collector) -> None:
    account = await house.add_account()
    house.poe.enqueue(TextDelta("a secret answer"), UsageReported(10, 5, points=7), Finished())
    assert (await house.call(body=ask("a secret question"))).status == 200
    ((path, kind, document),) = collector.requests
    assert (path, kind) == ("/v1/traces", "application/json")
    (resource,) = document["resourceSpans"]
    assert facts(resource["resource"])["service.name"] == "poe-gateway"
    (span,) = collector.spans()
    assert (len(span["traceId"]), len(span["spanId"]), span["kind"]) == (32, 16, 2)
    assert int(span["traceId"], 16)
    assert "parentSpanId" not in span
    assert int(span["endTimeUnixNano"]) >= int(span["startTimeUnixNano"]) > 1.7e18
    assert [event["name"] for event in span["events"]] == ["first_token"]
    assert int(span["startTimeUnixNano"]) <= int(span["events"][0]["timeUnixNano"]) <= int(span["endTimeUnixNano"])
    told = facts(span)
    assert told["http.response.status_code"] == "200"
    assert (told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]) == ("10", "5")
    assert (told["poe_gateway.account"], told["poe_gateway.points"]) == (account, "7")
    assert "secret" not in json.dumps(document)
    assert span["status"] == {}


async def test_a_callers_trace_is_continued_and_its_decision_heeded(house: House, collector: Collector) -> None:
    for flags in ("01", "00"):
        await house.call("/v1/models", headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}"})
    (span,) = collector.spans()
    assert (span["traceId"], span["parentSpanId"]) == (TRACE, PARENT)
    assert span["spanId"] != PARENT


async def test_a_failure_is_an_error_with_its_code(house: House, collector: Collector) -> None:
    await house.add_account()
    for _ in range(3):
        house.poe.enqueue(poe_error(ErrorCode.UPSTREAM_FAILED))
    status = (await house.call(body=ask())).status
    (span,) = collector.spans()
    assert status >= 500
    assert span["status"] == {"code": 2}
    assert facts(span)["error.type"]


@pytest.mark.parametrize("how", ["status", "gone"])
async def test_a_collector_that_does_not_take_it_is_told_once(house: House, collector: Collector, how: str) -> None:
    if how == "status":
        collector.status = 503
    else:
        collector.server.socket.close()
    for _ in range(3):
        assert (await house.call("/v1/models")).status == 200
    assert len(house.lines("telemetry.not_sent")) == 1


def test_whoever_wants_no_spans_imports_nothing_for_them() -> None:
    program = (
        "import sys\n"
        "from gateway.bootstrap import build_services\n"
        "from gateway.settings import Settings\n"
        "services = build_services(Settings.from_env({'GATEWAY_STORE': 'memory'}))\n"
        "sys.exit(services.telemetry is not None or 'gateway.http.telemetry' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment, check=False).returncode == 0


@pytest.mark.parametrize("value", ["localhost:4318", "ftp://collector", "udp://x"])
def test_an_endpoint_is_an_address(value: str) -> None:
    with pytest.raises(ValueError, match="GATEWAY_OTLP_ENDPOINT"):
        Settings.from_env({"GATEWAY_STORE": "memory", "GATEWAY_OTLP_ENDPOINT": value})
