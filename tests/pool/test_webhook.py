"""Alerts by a webhook: what is posted, how it is signed, and where it goes."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from accounts import Alert, InMemoryAccountStore
from pool import webhook as webhook_module
from pool.alert_message import document_of, subject_of, text_of
from pool.webhook import SIGNATURE_HEADER, Webhook, WebhookChannel, read_webhook, set_webhook, sign
from reverse.errors import ErrorCode, PoeError, poe_error

URL = "https://hooks.example.com/services/secret-token"
ALERTS = [
    Alert(id="points_low:acct_1", kind="points_low", text="Few points.", account_id="acct_1", since=1_764_500_000.0),
    Alert(id="budget_near:key_1", kind="budget_near", text="Budget.", key_id="key_1", since=1_764_500_000.0),
]


async def test_an_address_is_kept_with_a_secret_of_its_own() -> None:
    store = InMemoryAccountStore()
    assert await read_webhook(store) is None
    first = await set_webhook(store, URL, now=5.0)
    assert await read_webhook(store) == first
    assert (first.host, first.since) == ("hooks.example.com", 5.0)
    second = await set_webhook(store, URL, now=6.0)
    assert first.secret != second.secret
    assert "secret" not in repr(first)
    assert first.secret not in repr(first)


@pytest.mark.parametrize("url", ["http://hooks.example.com/", "https://10.0.0.1/", "https://localhost/x", "nonsense"])
async def test_an_address_that_is_not_public_is_not_kept(url: str) -> None:
    store = InMemoryAccountStore()
    with pytest.raises(PoeError):
        await set_webhook(store, url, now=5.0)
    assert await read_webhook(store) is None


async def test_a_message_is_signed_as_described(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, bytes, dict[str, str]]] = []

    async def post(url: str, body: bytes, *, headers: dict[str, str], **_: object) -> int:
        sent.append((url, body, headers))
        return 204

    monkeypatch.setattr(webhook_module, "post", post)
    channel = WebhookChannel(Webhook(URL, "whsec_x", 0.0), clock=lambda: 1_764_500_100.5)
    assert await channel.send(ALERTS, more=3) is None
    ((url, body, headers),) = sent
    assert url == URL
    expected = hmac.new(b"whsec_x", b"1764500100." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE_HEADER] == f"t=1764500100,v1={expected}" == sign("whsec_x", body, 1_764_500_100)
    document = json.loads(body)
    assert [alert["kind"] for alert in document["alerts"]] == ["points_low", "budget_near"]
    assert (document["more"], document["text"]) == (3, document["content"])


@pytest.mark.parametrize(
    ("outcome", "code"), [(500, "http_500"), (302, "http_302"), ("error", "unsafe_url"), (200, None)]
)
async def test_a_failure_is_a_code(outcome: object, code: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    async def post(*_: object, **__: object) -> int:
        if isinstance(outcome, int):
            return outcome
        raise poe_error(ErrorCode.UNSAFE_URL)

    monkeypatch.setattr(webhook_module, "post", post)
    assert await WebhookChannel(Webhook(URL, "s", 0.0)).send(ALERTS, more=0) == code


def test_a_subject_is_a_short_line_of_ascii() -> None:
    many = [Alert(id=str(n), kind=f"kind_{n}", text="x") for n in range(50)]
    subject = subject_of(many, 0)
    assert len(subject) <= 100
    assert subject.isascii()
    assert subject.isprintable()


def test_people_read_each_text_and_how_many_more() -> None:
    text = text_of(ALERTS, 2)
    assert text.splitlines()[-3:] == ["- Few points.", "- Budget.", "and 2 more: `poegw alerts`"]
    assert "more" not in text_of(ALERTS, 0)
    assert json.loads(document_of(ALERTS, 0, at=0.0))["at"] == "1970-01-01T00:00:00+00:00"
