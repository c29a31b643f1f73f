"""Alerts, from the command line."""

from __future__ import annotations

import asyncio
import io

import pytest

from accounts import Alert
from tests.cli.conftest import CommandLine

URL = "https://hooks.example.com/services/secret-token"


def test_open_alerts_are_listed_and_ended_ones_on_demand(poegw: CommandLine) -> None:
    assert "There is no alert." in poegw("alerts").err

    async def add() -> None:
        await poegw.house.store.put_alert(Alert(id="open", kind="points_low", text="Few points."))
        ended = await poegw.house.store.put_alert(Alert(id="ended", kind="no_account", text="No account."))
        assert ended is not None
        await poegw.house.store.put_alert(ended.over(1.0))

    asyncio.run(add())
    assert [row["id"] for row in poegw("alerts", "--format", "json").json] == ["open"]
    assert [row["id"] for row in poegw("alerts", "--all", "--format", "json").json] == ["open", "ended"]
    assert "Few points." in poegw("alerts").out


def test_a_webhook_is_set_from_standard_input(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Host   none" in poegw("alerts", "webhook").out
    monkeypatch.setattr("sys.stdin", io.StringIO(URL))
    made = poegw("alerts", "webhook", "set", "--url-stdin")
    assert (made.status, made.out.startswith("whsec_"), len(made.out.splitlines())) == (0, True, 1)
    assert "secret-token" not in made.out + made.err
    assert "hooks.example.com" in poegw("alerts", "webhook").out
    assert poegw("alerts", "webhook", "remove").status == 0
    assert "There is no webhook" in poegw("alerts", "webhook", "test").err
    assert "--url-stdin" in poegw("alerts", "webhook", "set").err
