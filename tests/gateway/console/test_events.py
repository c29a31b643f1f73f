"""The console through both doors of a deployment: the Function URL and the REST API, as their events have requests."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mangum import Mangum

from tests.gateway.scripted import ADMIN_KEY, House

Call = Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]]
PAGE_HEADERS = {
    "host": "gateway.example",
    "sec-fetch-site": "same-origin",
    "content-type": "application/json",
    "x-console": "1",
    "accept-encoding": "gzip",
}


def function_url(method: str, path: str, body: str, cookie: str | None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": PAGE_HEADERS,
        # Lambda takes cookies out of the headers.
        **({"cookies": ["other=1", cookie]} if cookie else {}),
        "requestContext": {
            "domainName": "gateway.example",
            "stage": "$default",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def rest_api(method: str, path: str, body: str, cookie: str | None) -> dict[str, Any]:
    headers = PAGE_HEADERS | ({"cookie": f"other=1; {cookie}"} if cookie else {})
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "stage": "prod",
            "path": f"/prod{path}",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1"},
        },
        "body": body,
        "isBase64Encoded": False,
    }


def in_own_loop(house: House, events: Callable[[Call], None]) -> None:
    """Mangum runs the application on the thread's event loop, so it gets a thread with one."""

    def run() -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            events(lambda event: call(house, event))
        finally:
            loop.close()

    with ThreadPoolExecutor(max_workers=1) as threads:
        threads.submit(run).result()


def call(house: House, event: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    answer = Mangum(house.app, lifespan="off")(event, None)  # type: ignore[arg-type]
    body = answer["body"].encode()
    body = base64.b64decode(body) if answer["isBase64Encoded"] else body
    headers = {name: values[0] for name, values in answer.get("multiValueHeaders", {}).items()} | answer["headers"]
    for cookie in answer.get("cookies", ()):
        headers["set-cookie"] = cookie
    return answer["statusCode"], headers, gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body


@pytest.fixture
def made(environment: dict[str, str]) -> House:
    from gateway.settings import Settings

    return House(Settings.from_env(environment))


@pytest.mark.parametrize("event", [function_url, rest_api])
def test_the_console_is_reached_and_its_cookie_comes_back(made: House, event: Any) -> None:
    def visit(ask: Call) -> None:
        status, headers, _ = ask(event("GET", "/console", "", None))
        assert (status, headers["location"]) == (308, "console/"), "whatever stage is before it"
        status, headers, body = ask(event("GET", "/console/", "", None))
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b'"static/' in body
        status, headers, body = ask(event("POST", "/console/api/session", json.dumps({"key": ADMIN_KEY}), None))
        assert status == 200, body
        cookie = headers["set-cookie"].partition(";")[0]
        status, _, body = ask(event("GET", "/console/api/keys", "", cookie))
        assert (status, json.loads(body)["data"]) == (200, [])
        status, _, body = ask(event("POST", "/console/api/admin/keys", json.dumps({"name": "laptop"}), cookie))
        assert (status, json.loads(body)["name"]) == (201, "laptop")
        assert ask(event("GET", "/console/api/keys", "", None))[0] == 401

    in_own_loop(made, visit)
