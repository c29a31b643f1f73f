"""From the scheduled job to a webhook's listener, over TLS: the handler as Lambda calls it, AWS and Poe stood in for.

The address guard lets nothing on loopback through, so the channel is given another policy, and trust in the listener's
certificate. What is checked without that is that the guard holds.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from accounts import AccountKind, Alert
from accounts._dynamodb import DynamoDBAccountStore
from local.poe_web import PoeWebSimulator
from pool import webhook as webhook_module
from pool.webhook import SIGNATURE_HEADER, Webhook, WebhookChannel, set_webhook
from refresh_points import handler as job
from reverse.url_guard import FetchPolicy
from tests.accounts.stand_in import Aws
from tests.refresh_points.test_processes import environment

ON_LOOPBACK = FetchPolicy(is_allowed=lambda address: address.is_loopback)
PATH = "/hooks/a-secret-in-the-address"
HANGS = 0
"""Instead of a status: the listener reads, and never answers."""


class Listener:
    """An owner's webhook. `answers` are the statuses of the next messages; 204 for all others."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.connections = 0
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            head, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.received.append((head, headers, body))
            status = self.answers.pop(0) if self.answers else 204
            if status == HANGS:
                await asyncio.Event().wait()
            writer.write(f"HTTP/1.1 {status} Told\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Deployment:
    """An account without points in the table, and a job that is run as the schedule does."""

    def __init__(self, listener: Listener, store: DynamoDBAccountStore, webhook: Webhook) -> None:
        self.listener = listener
        self.store = store
        self.webhook = webhook

    async def run(self) -> list[Alert]:
        """One run; the alerts after it."""
        await asyncio.to_thread(job.handler, {"source": "aws.scheduler"}, None)
        return list(await self.store.list_alerts())


@pytest.fixture
async def listener(certificate: tuple[Path, Path]) -> AsyncIterator[Listener]:
    heard = Listener()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    server = await asyncio.start_server(heard.connected, "127.0.0.1", 0, ssl=context)
    heard.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}"
    yield heard
    server.close()
    await heard.end()


@pytest.fixture
async def deployment(
    aws: Aws, table_name: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Deployment]:
    store = aws.store(table_name)
    async with PoeWebSimulator() as poe:
        poe.add_account("cookie-of-mine", points=0)
        await store.put_account(kind=AccountKind.WEB, label="me@example.org", credentials={"p_b": "cookie-of-mine"})
        webhook = await set_webhook(store, listener.url, now=time.time(), policy=ON_LOOPBACK)
        for name, value in environment(aws, table_name).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GATEWAY_POE_WEB_BASE_URL", poe.base_url)
        monkeypatch.setenv("GATEWAY_POE_OFFICIAL_BASE_URL", "http://127.0.0.1:9")
        yield Deployment(listener, store, webhook)
    await store.aclose()


@pytest.fixture
def on_loopback(monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]) -> None:
    trusting = ssl.create_default_context(cafile=certificate[0])
    channel = partial(WebhookChannel, policy=ON_LOOPBACK, tls_context=trusting)
    monkeypatch.setattr(job, "WebhookChannel", channel)


def signed_alerts(message: tuple[str, dict[str, str], bytes], webhook: Webhook) -> list[dict[str, Any]]:
    """The alerts of a message whose signature is right, by the receipt in docs/deploy.md."""
    head, headers, body = message
    assert head == f"POST {PATH} HTTP/1.1"
    signed_at, signature = (part.partition("=")[2] for part in headers[SIGNATURE_HEADER].split(","))
    expected = hmac.new(webhook.secret.encode(), f"{signed_at}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, expected)
    found: list[dict[str, Any]] = json.loads(body)["alerts"]
    return found


@pytest.mark.usefixtures("on_loopback")
async def test_an_account_that_needs_somebody_is_told_once(deployment: Deployment) -> None:
    alerts = await deployment.run()
    (message,) = deployment.listener.received
    told = signed_alerts(message, deployment.webhook)
    assert {alert["kind"] for alert in told} == {"account_depleted", "no_account"}
    assert any("me@example.org" in json.dumps(alert) for alert in told)
    assert b"cookie-of-mine" not in message[2]
    assert {frozenset(alert.told) for alert in alerts} == {frozenset({"webhook"})}
    await deployment.run()
    assert deployment.listener.connections == 1, "the second run sends nothing"


@pytest.mark.usefixtures("on_loopback")
@pytest.mark.parametrize("status", [500, 302])
async def test_a_listener_that_refuses_is_told_by_the_next_run(deployment: Deployment, status: int) -> None:
    deployment.listener.answers = [status]
    alerts = await deployment.run()
    assert [(alert.is_open, dict(alert.told)) for alert in alerts] == [(True, {})] * 2
    assert deployment.listener.connections == 1, "one try for each run, and no redirect is followed"
    await told_by_the_next_run(deployment)


@pytest.mark.usefixtures("on_loopback")
async def test_a_listener_that_never_answers_ends_no_run_and_is_told_by_the_next(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_module, "TIMEOUT_SECONDS", 0.5)
    deployment.listener.answers = [HANGS]
    alerts = await deployment.run()
    assert [(alert.is_open, dict(alert.told)) for alert in alerts] == [(True, {})] * 2
    assert deployment.listener.connections <= 1
    # Where the machine was too busy for a handshake in that time, the answer still waits.
    deployment.listener.answers.clear()
    monkeypatch.setattr(webhook_module, "TIMEOUT_SECONDS", 60.0)
    await told_by_the_next_run(deployment)


async def told_by_the_next_run(deployment: Deployment) -> None:
    """The alerts arrive with the next run, and never again."""
    before = deployment.listener.connections
    alerts = await deployment.run()
    assert deployment.listener.connections == before + 1
    told = signed_alerts(deployment.listener.received[-1], deployment.webhook)
    assert {alert["kind"] for alert in told} == {"account_depleted", "no_account"}
    assert {frozenset(alert.told) for alert in alerts} == {frozenset({"webhook"})}
    await deployment.run()
    assert deployment.listener.connections == before + 1


async def test_the_guard_lets_nothing_on_loopback_through(deployment: Deployment) -> None:
    alerts = await deployment.run()
    assert deployment.listener.connections == 0
    assert [(alert.is_open, dict(alert.told)) for alert in alerts] == [(True, {})] * 2
