"""Alerts and the webhook, through the front door."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from accounts import Alert, KeyRole
from pool.webhook import WebhookChannel
from tests.gateway.scripted import House

URL = "https://hooks.example.com/services/secret-token"
WEBHOOK = "/config/alert-webhook"


async def test_open_alerts_come_first(house: House) -> None:
    for number in range(3):
        alert = Alert(
            id=f"a{number}", kind="points_low", text="Few.", account_id=f"acct_{number}", since=100.0 + number
        )
        kept = await house.store.put_alert(alert.told_by(["sns"], 200.0))
        assert kept is not None
        if number == 2:
            await house.store.put_alert(kept.over(300.0))
    rows = (await house.admin("/alerts")).json["data"]
    assert [(row["id"], row["ended_at"] is None) for row in rows] == [("a1", True), ("a0", True), ("a2", False)]
    assert rows[0]["account"] == "acct_1"
    assert list(rows[0]["told"]) == ["sns"]


async def test_a_webhook_is_set_shown_without_its_secrets_and_removed(house: House) -> None:
    assert (await house.admin(WEBHOOK)).json == {"host": None, "since": None}
    made = await house.admin(WEBHOOK, {"url": URL}, method="PUT")
    assert made.status == 200
    assert made.json["secret"].startswith("whsec_")
    shown = await house.admin(WEBHOOK)
    assert shown.json["host"] == "hooks.example.com"
    for secret in (made.json["secret"], "secret-token"):
        assert secret not in shown.body.decode()
        assert secret not in (await house.admin("/audit")).body.decode()
    assert (await house.admin(WEBHOOK, method="DELETE")).json == {"deleted": True}
    assert (await house.admin(WEBHOOK, method="DELETE")).json == {"deleted": False}


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://x", "", "https://a.b/" + "x" * 9000]
)
async def test_an_address_that_can_not_be_is_refused(house: House, url: str) -> None:
    answer = await house.admin(WEBHOOK, {"url": url}, method="PUT")
    assert (answer.status, answer.error["param"], answer.error["code"]) == (400, "url", "unsafe_url")


async def test_a_viewer_sees_alerts_and_not_the_webhook(house: House) -> None:
    _, viewer = await house.store.create_key(name="viewer", role=KeyRole.VIEWER)
    assert (await house.admin("/alerts", key=viewer)).status == 200
    assert (await house.admin(WEBHOOK, key=viewer)).status == 403


async def test_the_webhook_is_tried(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await house.admin("/alerts/test", method="POST")).status == 404
    await house.admin(WEBHOOK, {"url": URL}, method="PUT")
    codes: list[str | None] = [None, "http_410"]

    async def send(_: WebhookChannel, alerts: Sequence[Alert], *, more: int) -> str | None:
        assert [alert.kind for alert in alerts] == ["test"]
        return codes.pop(0)

    monkeypatch.setattr(WebhookChannel, "send", send)
    assert (await house.admin("/alerts/test", method="POST")).json == {"status": "ok"}
    failed = await house.admin("/alerts/test", method="POST")
    assert (failed.status, failed.error["code"], "http_410" in failed.error["message"]) == (502, "webhook_failed", True)
