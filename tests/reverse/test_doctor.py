"""The diagnosis, against both simulators, whole and with one thing broken at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from local.poe_official import PoeOfficialSimulator
from local.poe_web import PoeWebSimulator, Scenario
from local.poe_web.request_faults import ChallengePage, GraphQLError, HttpError
from local.poe_web.stream_faults import PointsRunOut
from reverse import OfficialCredentials, PoeConfig, WebCredentials
from reverse.doctor import Report, diagnose
from reverse.doctor._advice import advice_for
from reverse.errors import ErrorCode

COOKIE = "planted-cookie-value-0123"
API_KEY = "planted-api-key-value-4567"


@pytest.fixture
async def simulator() -> AsyncIterator[PoeWebSimulator]:
    async with PoeWebSimulator(pace_seconds=0.0, answer_delay_seconds=0.0) as running:
        running.add_account(COOKIE)
        yield running


@pytest.fixture
def config(simulator: PoeWebSimulator) -> PoeConfig:
    return PoeConfig(
        web_base_url=simulator.base_url,
        channel_url=simulator.channel_url,
        request_timeout_seconds=5,
        first_event_timeout_seconds=2,
    )


def _statuses(report: Report) -> dict[str, str]:
    return {check.name: check.status for check in report.checks}


async def test_a_healthy_account_passes_every_step_in_order(simulator: PoeWebSimulator, config: PoeConfig) -> None:
    lines: list[str] = []
    report = await diagnose(WebCredentials(COOKIE), config, send=True, bot="Echo", progress=lines.append)
    names = "dns tcp tls,home page,form key,channel settings,subscription,socket,points,bots,message"
    assert [name for part in names.split(",") for name in (part.split() if "dns" in part else [part])] == [
        check.name for check in report.checks
    ]
    assert set(_statuses(report).values()) == {"ok", "skipped"} and _statuses(report)["tls"] == "skipped"
    assert report.is_healthy and all(check.seconds is not None for check in report.checks if check.status == "ok")
    assert "\n".join(lines) + "\n" + report.conclusion() == report.to_text()


async def test_nothing_is_sent_unless_asked(simulator: PoeWebSimulator, config: PoeConfig) -> None:
    report = await diagnose(WebCredentials(COOKIE), config)
    assert report.is_healthy and "message" not in _statuses(report)
    assert simulator.account(COOKIE).messages == []


async def test_the_report_holds_no_secret(simulator: PoeWebSimulator, config: PoeConfig) -> None:
    """Also where Poe's own words quote them."""
    account = simulator.account(COOKIE)
    planted = {
        "p_lat": "planted-lat-89ab",
        "cf_clearance": "planted-clearance-cdef",
        "cf_bm": "planted-bm-0011",
        "revision": "planted-revision-2233",
    }
    simulator.enqueue(
        Scenario(GraphQLError(f"no {COOKIE} {account.form_key} {planted['p_lat']}"), operation="SettingsPageQuery"),
        Scenario(GraphQLError(f"no {COOKIE} {account.form_key}"), operation="SettingsPageQuery"),
        Scenario(PointsRunOut()),
    )
    report = await diagnose(WebCredentials(COOKIE, **planted), config, send=True, bot="Echo")
    assert _statuses(report)["points"] == _statuses(report)["message"] == "failed"
    written = report.to_text() + json.dumps(report.to_json())
    secrets = [COOKIE, *planted.values(), account.form_key, account.channel.name, account.channel.hash, "answer with"]
    assert [secret for secret in secrets if secret in written] == []


@pytest.mark.parametrize(
    ("fault", "operation", "failed", "advice"),
    [
        (ChallengePage(), "/", "home page", "--official"),
        (HttpError(500), "/api/settings", "channel settings", "try again"),
        (GraphQLError("PersistedQueryNotFound"), "SubscriptionsMutation", "subscription", "--operation-hash Subscr"),
        (HttpError(429), "SettingsPageQuery", "points", "wait"),
        (HttpError(503), "/up", "socket", "channel_url"),
    ],
)
async def test_what_is_broken_is_named_with_what_to_try(
    simulator: PoeWebSimulator, config: PoeConfig, fault: object, operation: str, failed: str, advice: str
) -> None:
    simulator.enqueue(Scenario(fault, operation=operation, times=20))  # type: ignore[arg-type]  # each is a fault
    credentials = WebCredentials(COOKIE, form_key=simulator.account(COOKIE).form_key)
    report = await diagnose(credentials, config)
    assert [check.name for check in report.checks if check.status == "failed"] == [failed]
    (check,) = [check for check in report.checks if check.name == failed]
    assert advice in (check.advice or "")
    assert not report.is_healthy and failed in report.conclusion()


RULED_OUT = ("clearance", "__cf_bm", "user-agent", "user_agent", "another network", "another address", "impersonate")


@pytest.mark.parametrize("code", [None, *ErrorCode])
@pytest.mark.parametrize("step", ["dns", "tcp", "tls", "home page", "socket", "something else"])
def test_no_advice_is_to_look_like_a_browser_or_to_come_from_elsewhere(code: ErrorCode | None, step: str) -> None:
    advice = advice_for(code, "SomeQuery", step).lower()
    assert advice and [words for words in RULED_OUT if words in advice] == []


async def test_a_wrong_cookie_is_told_from_a_broken_network(config: PoeConfig) -> None:
    report = await diagnose(WebCredentials("nobody's-cookie"), config)
    (first, *_) = [check for check in report.checks if check.status == "failed"]
    assert "not_authenticated" in first.detail and "log in" in (first.advice or "")
    gone = await diagnose(WebCredentials(COOKIE), replace(config, web_base_url="http://127.0.0.1:1"))
    statuses = _statuses(gone)
    assert (statuses["dns"], statuses["tcp"], statuses["home page"]) == ("ok", "failed", "skipped")


async def test_behind_a_proxy_the_network_is_not_judged(config: PoeConfig) -> None:
    report = await diagnose(WebCredentials(COOKIE), replace(config, proxy="http://user:planted-password@127.0.0.1:1"))
    assert [_statuses(report)[name] for name in ("dns", "tcp", "tls")] == ["skipped"] * 3
    assert _statuses(report)["home page"] == "failed"
    assert "planted-password" not in report.to_text() and report.surroundings["proxy"] == "yes"


async def test_the_official_account_is_checked_with_its_key() -> None:
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account(API_KEY)
        config = PoeConfig(official_base_url=simulator.base_url, upload_url=simulator.upload_url)
        report = await diagnose(OfficialCredentials(API_KEY), config, send=True, bot="Echo")
        assert report.is_healthy and [check.name for check in report.checks][3:6] == ["models", "balance", "message"]
        assert {check.status for check in report.checks[6:]} == {"skipped"}, "Echo declares no tools"
        wrong = await diagnose(OfficialCredentials("planted-wrong-key-8899"), config, send=True)
        assert _statuses(wrong)["models"] == "ok"
        assert (_statuses(wrong)["balance"], _statuses(wrong)["message"]) == ("failed", "skipped")
        assert "planted" not in report.to_text() + wrong.to_text() + json.dumps(wrong.to_json())


async def test_the_endpoints_that_really_call_a_tool_are_told_apart() -> None:
    async with PoeOfficialSimulator(pace_seconds=0) as simulator:
        simulator.add_account(API_KEY)
        known = simulator.models["claude-sonnet-4.5"]
        simulator.models["claude-sonnet-4.5"] = replace(known, ignores_tools=frozenset({"/v1/chat/completions"}))
        config = PoeConfig(official_base_url=simulator.base_url, upload_url=simulator.upload_url)
        report = await diagnose(OfficialCredentials(API_KEY), config, send=True, bot="Claude-Sonnet-4.5")
        details = {check.name: check.detail for check in report.checks}
        assert details["tool at chat"] == "answered without calling the tool"
        assert details["tool at messages"].startswith("called")
        assert details["tool at responses"].startswith("called")
        other = await diagnose(OfficialCredentials(API_KEY), config, send=True, bot="Story")
        statuses = _statuses(other)
        assert (statuses["tool at chat"], statuses["tool at messages"]) == ("ok", "skipped")
