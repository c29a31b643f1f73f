"""The doctor finds what is planted, and nothing in a gateway that is well."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts import AccountKind, Outcome
from poegw.api import Gateway, Reply
from poegw.doctor import Finding, State, run_checks
from poegw.doctor.remote import RemoteChecks
from poegw.errors import CommandError
from tests.cli.conftest import CommandLine, serving
from tests.gateway.scripted import ADMIN_KEY

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_a_gateway_that_is_well_has_no_failures_but_those_that_are_there(
    poegw: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {row["name"]: row for row in poegw("doctor", "--format", "json").json}
    for name in ("address", "version", "admin key", "separate keys", "streaming", "table"):
        assert found[name]["state"] == "ok", found[name]
    assert found["wrong key /admin/whoami"]["state"] == found["wrong key /v1/models"]["state"] == "ok"


def test_every_finding_that_is_not_well_has_a_remedy(poegw: CommandLine) -> None:
    rows = poegw("doctor", "--format", "json").json
    assert all(row["remedy"] for row in rows if row["state"] in ("warn", "fail"))
    ended = poegw("doctor")
    assert ended.status == (5 if any(row["state"] == "fail" for row in rows) else 0)


class Planted(Gateway):
    """Answers what a test planted, without a network."""

    def __init__(self, **answers: Any) -> None:
        super().__init__("https://gateway.example", "k")
        self.answers = answers

    def request(self, method: str, path: str, **_: Any) -> Reply:
        answer = self.answers.get(path, Reply(200, {}, b"{}"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def findings(check: str, gateway: Planted, *, clock: Any = None) -> list[Finding]:
    checks = RemoteChecks(gateway, gateway, lambda _: gateway, now=lambda: NOW, **({"clock": clock} if clock else {}))
    return list(run_checks((name, run) for name, run in checks.all() if name == check))


def test_a_skewed_clock_is_found() -> None:
    def at(moment: datetime) -> Planted:
        return Planted(**{"/healthz": Reply(200, {"date": moment.strftime("%a, %d %b %Y %H:%M:%S GMT")}, b"{}")})

    assert findings("clock", at(NOW))[0].state is State.OK
    (found,) = findings("clock", at(NOW - timedelta(minutes=5)))
    assert (found.state, "300 seconds" in found.detail) == (State.WARN, True)
    assert findings("clock", Planted())[0].state is State.SKIPPED


def test_a_cors_header_that_is_there_twice_is_found() -> None:
    twice = Planted(**{"/healthz": Reply(200, {"access-control-allow-origin": "*, *"}, b"{}")})
    assert findings("cors", twice)[0].state is State.FAIL
    once = Planted(**{"/healthz": Reply(200, {"access-control-allow-origin": "*"}, b"{}")})
    assert findings("cors", once)[0].state is State.OK


def test_a_door_that_is_open_to_strangers_is_found() -> None:
    states = [finding.state for finding in findings("keys", Planted())]
    assert states == [State.OK, State.FAIL, State.FAIL, State.FAIL]


def test_a_gateway_that_does_not_answer_is_one_finding_with_a_remedy() -> None:
    gone = Planted(**{"/healthz": CommandError("It could not be reached.", hint="Start it.")})
    (found,) = findings("address", gone)
    assert (found.state, found.detail, found.remedy) == (State.FAIL, "It could not be reached.", "Start it.")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (503, b'{"status": "not_ready", "error": {"message": "No account has points."}}', "No account has points."),
        (503, b"<html>", "/readyz answers 503."),
        (503, b'{"error": {"message": null}}', "/readyz answers 503."),
        (503, b"[]", "/readyz answers 503."),
    ],
)
def test_a_gateway_that_can_not_serve_is_found(status: int, body: bytes, told: str) -> None:
    (found,) = findings("ready", Planted(**{"/readyz": Reply(status, {}, body)}))
    assert (found.state, found.detail, bool(found.remedy)) == (State.FAIL, told, True)
    assert findings("ready", Planted())[0].state is State.OK


def test_an_older_gateway_is_told() -> None:
    (found,) = findings("version", Planted(**{"/version": Reply(200, {}, b'{"version": "0.0.1"}')}))
    assert found.state is State.WARN


class Streaming(Planted):
    """Events at the times of a clock that the test moves."""

    def __init__(self, gaps: list[float]) -> None:
        super().__init__()
        self.gaps = gaps
        self.now = 0.0

    def stream(self, path: str, body: object, *, method: str = "POST") -> Any:
        from contextlib import nullcontext

        def events() -> Any:
            for number, gap in enumerate(self.gaps, 1):
                self.now += gap
                yield b'{"n": %d}' % number

        return nullcontext(({}, events()))


@pytest.mark.parametrize(
    ("gaps", "state"),
    [([0.0, 0.15, 0.16], State.OK), ([0.0, 0.0, 0.0], State.FAIL), ([0.3, 0.15, 0.01], State.FAIL), ([], State.FAIL)],
)
def test_a_buffered_deployment_is_measured_not_read_from_settings(gaps: list[float], state: State) -> None:
    gateway = Streaming(gaps)
    assert findings("streaming", gateway, clock=lambda: gateway.now)[0].state is state


# Faults inside a gateway, found by the command over HTTP.


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Any]:
    """A gateway with one account and one key with a budget; `look` is what the doctor says of a check."""
    with serving() as (house, url):
        monkeypatch.setenv("POEGW_CONFIG", str(tmp_path / "profiles.json"))
        monkeypatch.setenv("GATEWAY_URL", url)
        monkeypatch.setenv("GATEWAY_ADMIN_KEY", ADMIN_KEY)
        poegw = CommandLine(house, url, capsys)

        def look(name: str) -> tuple[str, str, int]:
            ended = poegw("doctor", "--format", "json")
            (row,) = [row for row in ended.json if row["name"] == name]
            return row["state"], row["remedy"], ended.status

        key = poegw("keys", "list", "--format", "json").json[0]["id"]
        poegw("keys", "update", key, "--budget", "2000/day")
        asyncio.run(house.add_account())
        yield look, house, poegw


def test_a_gateway_without_a_fault_has_none(planted: Any) -> None:
    look, _, _ = planted
    for name in ("accounts", "scheduled job", "keys", "table", "encryption", "streaming", "cors", "clock"):
        assert look(name)[0] in ("ok", "skipped"), name


def test_a_key_without_a_budget_is_found(planted: Any) -> None:
    look, _, poegw = planted
    poegw("keys", "create", "--name", "endless")
    assert look("keys")[:2] == ("warn", "Give them one: `poegw keys update NAME --budget 2000/day`.")


def test_refused_credentials_are_found(planted: Any) -> None:
    look, house, _ = planted

    async def refuse(label: str) -> None:
        account = await house.store.put_account(kind=AccountKind.WEB, label=label, credentials={"p_b": "x"})
        for _ in range(3):
            await house.store.record_reading(account.id, Outcome(code="not_authenticated", scope="account"))

    asyncio.run(refuse("refused"))
    state, remedy, _ = look("accounts")
    assert (state, "poegw accounts add" in remedy) == ("warn", True)


def test_a_stale_job_is_found(planted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    look, house, _ = planted
    (account,) = asyncio.run(house.store.list_accounts()).items
    # A reading that was due when the gateway's clock was five hours behind.
    claimed = asyncio.run(
        house.store.claim_refresh(account.id, now=time.time() - 5 * 3_600, lease_seconds=0, force=True)
    )
    assert claimed
    state, remedy, status = look("scheduled job")
    assert (state, "poegw doctor --aws" in remedy, status) == ("fail", True, 5)


def test_a_poe_that_can_not_be_reached_is_found(planted: Any) -> None:
    look, _, _ = planted
    state, remedy, status = look("ready")
    assert (state, "poegw accounts list" in remedy, status) == ("fail", True, 5)


def test_a_gateway_without_an_account_is_found(planted: Any) -> None:
    look, house, poegw = planted
    (account,) = asyncio.run(house.store.list_accounts()).items
    poegw("accounts", "remove", account.id, "--yes")
    assert look("accounts")[::2] == ("fail", 5)
