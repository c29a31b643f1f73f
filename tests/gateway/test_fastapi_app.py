"""The FastAPI application: the same answers as the thin front, a complete description, shown to the admin only."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.app import create_app
from gateway.fastapi_app import create_application
from gateway.openapi import OPERATIONS
from gateway.settings import Settings
from gateway.surfaces.routes import build_routes
from tests.gateway.scripted import ADMIN_KEY, API_KEY, Answer, House, ask

REQUESTS: list[tuple[str, str, Any, str | None]] = [
    ("GET", "/", None, None),
    ("GET", "/healthz", None, None),
    ("GET", "/v1/readyz", None, None),
    ("GET", "/v1/models", None, API_KEY),
    ("GET", "/models/gpt-5", None, API_KEY),
    ("GET", "/v1/models/no/such", None, API_KEY),
    ("HEAD", "/v1/models", None, API_KEY),
    ("POST", "/v1/models", {}, API_KEY),
    ("POST", "/v1/chat/completions", ask(), API_KEY),
    ("POST", "/v1/chat/completions", ask(stream=True), API_KEY),
    ("POST", "/v1/chat/completions", ask(max_tokens="many"), API_KEY),
    ("POST", "/v1/chat/completions", ask(), "wrong"),
    ("GET", "/v1/chat/completions", None, API_KEY),
    ("POST", "/v1/chat/completions/", ask(), API_KEY),
    ("GET", "/v1/nothing", None, API_KEY),
    ("GET", "/admin/accounts", None, ADMIN_KEY),
    ("GET", "/admin/accounts", None, API_KEY),
    ("POST", "/admin/accounts", {"kind": "other"}, ADMIN_KEY),
    ("GET", "/admin/nothing", None, ADMIN_KEY),
    ("PUT", "/admin/keys", {}, ADMIN_KEY),
    ("GET", "/openapi.json", None, ADMIN_KEY),
    ("GET", "/docs", None, ADMIN_KEY),
]
# What differs between any two answers.
_VARYING = re.compile(rb'("id":"chatcmpl-)[^"]+|("created":)\d+')


def comparable(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
    return answer.status, headers, _VARYING.sub(b"", answer.body)


@pytest.fixture
async def full_house(environment: dict[str, str]) -> AsyncIterator[House]:
    """A gateway whose every request goes through FastAPI."""
    house = House(Settings.from_env(environment))
    house.app = create_app(lambda: house.services, is_thin=False)
    await house.add_key()
    yield house
    await house.services.aclose()


@pytest.mark.parametrize(("method", "path", "body", "key"), REQUESTS, ids=[f"{r[0]} {r[1]} {r[3]}" for r in REQUESTS])
async def test_both_ways_answer_the_same(
    house: House, full_house: House, method: str, path: str, body: Any, key: str | None
) -> None:
    answers = []
    for each in (house, full_house):
        if "accounts" not in path:
            await each.add_account()
        answers.append(await each.call(path, body, method=method, key=key))
    assert comparable(answers[0]) == comparable(answers[1])
    ends = [
        {name: each.lines("request.ended")[0].get(name) for name in ("route", "status", "error")}
        for each in (house, full_house)
    ]
    assert ends[0] == ends[1]


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/admin/accounts", "list_accounts"),
        ("GET", "/admin/accounts/nobody", "get_account"),
        ("POST", "/admin/accounts/sign-in", "begin_sign_in"),
        ("GET", "/admin/audit", "list_audit"),
        ("GET", "/admin/nothing", "unknown"),
    ],
)
async def test_the_log_names_the_administrations_routes(house: House, method: str, path: str, route: str) -> None:
    await house.call(path, {} if method == "POST" else None, method=method, key=ADMIN_KEY)
    assert house.lines("request.ended")[0]["route"] == route


async def test_failures_come_out_the_same_both_ways(house: House, full_house: House) -> None:
    async def fail(*_: Any) -> Any:
        raise RuntimeError("a defect")

    for each in (house, full_house):
        each.services.catalogue.models = fail  # type: ignore[method-assign]
        answer = await each.call("/v1/models")
        assert (answer.status, answer.error["code"]) == (500, "internal_error")
        assert each.lines("request.crashed")[0]["error_type"] == "RuntimeError"


def test_every_route_is_described_and_nothing_else() -> None:
    names = {route.endpoint.__name__ for route in build_routes() if route.include_in_schema}
    assert names == set(OPERATIONS), "see gateway.openapi.operations"


def test_every_schema_that_is_named_exists_and_is_used() -> None:
    document = create_application().openapi()
    used = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert used <= set(document["components"]["schemas"])


def test_every_operation_says_what_it_answers() -> None:
    document = create_application().openapi()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert any(status.startswith("2") for status in answers), (method, path)
            assert operation.get("security") == [] or "401" in answers, (method, path)
            assert operation["summary"], (method, path)
            for status, answer in answers.items():
                for media in answer.get("content", {}).values():
                    assert media["schema"] not in ({}, {"type": "object"}), (method, path, status)


async def test_the_description_is_off_unless_switched_on(house: House) -> None:
    for path in ("/openapi.json", "/docs"):
        assert (await house.call(path, key=ADMIN_KEY)).status == 404


@pytest.fixture
async def documented(environment: dict[str, str]) -> AsyncIterator[House]:
    house = House(Settings.from_env(environment | {"GATEWAY_DOCS": "admin"}))
    yield house
    await house.services.aclose()


async def test_the_admin_reads_the_description(documented: House) -> None:
    document = (await documented.call("/openapi.json", key=ADMIN_KEY)).json
    assert {"/v1/chat/completions", "/admin/accounts", "/healthz"} <= set(document["paths"])
    page = await documented.call("/docs", key=ADMIN_KEY)
    assert page.headers["content-type"].startswith("text/html")
    assert b"/v1/chat/completions" in page.body
    assert b"<script" not in page.body


async def test_a_browser_is_asked_for_the_admin_key(documented: House) -> None:
    asked = await documented.call("/docs", key=None)
    assert (asked.status, asked.headers["www-authenticate"].split()[0]) == (401, "Basic")

    async def visit(password: str) -> Answer:
        token = base64.b64encode(f"me:{password}".encode()).decode()
        return await documented.call("/docs", key=None, headers={"authorization": f"Basic {token}"})

    assert (await visit(ADMIN_KEY)).status == 200
    assert (await visit("wrong")).status == 401
    garbage = await documented.call("/docs", key=None, headers={"authorization": "Basic ???"})
    assert garbage.status == 401


async def test_a_password_opens_nothing_but_the_description(documented: House) -> None:
    token = base64.b64encode(f"me:{ADMIN_KEY}".encode()).decode()
    answer = await documented.call("/admin/accounts", key=None, headers={"authorization": f"Basic {token}"})
    assert answer.status == 401


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_nobody_else_reads_it(documented: House, path: str) -> None:
    for key in (API_KEY, "wrong", None):
        assert (await documented.call(path, key=key)).status == 401
