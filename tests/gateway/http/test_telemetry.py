"""Spans for a collector, which is here one on loopback."""

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

from gateway.settings import Settings
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import ADMIN_KEY, House, ask

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
