"""What must not happen: secrets in sight, unverified TLS, side effects, pretence."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import ssl
import subprocess
import sys
import threading
import traceback
from contextlib import aclosing
from pathlib import Path

import pytest

import reverse
from local.poe_web import PoeWebSimulator, Scenario
from local.poe_web.foreign_frames import GarbageFrames
from local.poe_web.request_faults import (
    ChallengePage,
    DropConnection,
    EmptyBody,
    GraphQLError,
    HttpError,
    LoginRedirect,
    MutationStatus,
    StaleHash,
    WrongJson,
)
from local.poe_web.stream_faults import CutSocket, MessageState
from reverse.chat import ChatRequest, Message
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import ErrorCode, PoeError
from reverse.tls import tls_context
from reverse.web import PoeWebClient

QUESTION = "my very private question"
SEND = "SendMessageMutation"


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(fault, operation=operation, times=9)
        for operation in ("/api/settings", "SubscriptionsMutation", SEND, "/up", "/")
        for fault in (
            HttpError(500, body="cookie p-b form key"),
            ChallengePage(),
            LoginRedirect(),
            EmptyBody(),
            WrongJson("nonsense"),
            DropConnection(),
        )
    ]
    + [
        Scenario(fault, operation=SEND, times=9)
        for fault in (GraphQLError(QUESTION), StaleHash(), MutationStatus("odd", QUESTION))
    ]
    + [
        Scenario(MessageState("error_odd", at=1, text=QUESTION)),
        Scenario((GarbageFrames(at=1, stray=True), CutSocket(at=2))),
    ],
    ids=lambda scenario: f"{scenario.operation} {type(scenario.all_faults[0]).__name__}",
)
async def test_no_secret_in_errors_tracebacks_logs_or_reprs(simulator, account, scenario, caplog):
    caplog.set_level(logging.DEBUG, "reverse")
    caplog.set_level(logging.DEBUG, "websockets")
    simulator.enqueue(scenario)
    config = PoeConfig(web_base_url=simulator.base_url, channel_url=simulator.channel_url)
    # Without a form key the home page is on the way as well.
    client = PoeWebClient(WebCredentials(account.p_b), config)
    seen = [repr(client), repr(client._session), repr(client._transport)]
    try:
        async with aclosing(client.stream(ChatRequest("Echo", [Message("user", QUESTION)]))) as events:
            seen += [repr(type(event)) async for event in events]
    except PoeError as error:
        seen += [str(error), repr(error), *traceback.format_exception(error)]
    finally:
        await client.aclose()
    seen += [record.getMessage() for record in caplog.records]
    text = "\n".join(seen)
    for secret in (account.p_b, account.form_key, account.channel.hash, QUESTION):
        assert secret not in text


async def over_tls(certificate, *, http: bool) -> str:
    """Ask over TLS for everything (`http`), or for the socket only."""
    async with PoeWebSimulator(pace_seconds=0, answer_delay_seconds=0, certificate=certificate) as simulator:
        account = simulator.add_account("cookie")
        simulator.settings.base_host = f"127.0.0.1:{simulator.tls_port}"
        base = f"https://127.0.0.1:{simulator.tls_port}" if http else simulator.base_url
        config = PoeConfig(web_base_url=base, channel_url="wss://{base_host}")
        async with PoeWebClient(WebCredentials("cookie", form_key=account.form_key), config) as client:
            async with aclosing(client.stream(ChatRequest("Echo", [Message("user", "hi")]))) as events:
                return "".join([getattr(event, "text", "") async for event in events])


@pytest.mark.usefixtures("fresh_tls")
@pytest.mark.parametrize("http", [True, False], ids=["http and socket", "socket only"])
async def test_tls_is_verified_for_http_and_for_the_socket(certificate, http, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(PoeError) as caught:
        await over_tls(certificate, http=http)
    assert caught.value.code is ErrorCode.CONNECTION_FAILED


@pytest.mark.usefixtures("fresh_tls")
async def test_a_certificate_that_the_user_trusts_works(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert await over_tls(certificate, http=True) == "You said: hi"


def test_defaults_are_encrypted_and_verifying():
    assert PoeConfig().channel_url.startswith("wss://") and PoeConfig().web_base_url.startswith("https://")
    assert tls_context().verify_mode is ssl.CERT_REQUIRED and tls_context().check_hostname


async def handshake_head(**config: str) -> str:
    """What a client sends to open its socket; the address in `config` may hold `{url}` for the listener's."""
    heads: asyncio.Queue[str] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.put_nowait((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.close()

    async with PoeWebSimulator() as simulator:
        account = simulator.add_account("cookie-secret")
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            given = {name: value.replace("{url}", address) for name, value in config.items()}
            settings = PoeConfig(**{"web_base_url": simulator.base_url, **given})
            async with PoeWebClient(WebCredentials("cookie-secret", form_key=account.form_key), settings) as client:
                with pytest.raises(PoeError):
                    await client._channel.ensure()
    return heads.get_nowait()


async def test_the_handshake_has_one_origin_an_honest_agent_and_no_cookie():
    head = (await handshake_head(channel_url="ws://{url}")).lower()
    assert head.count("\r\norigin:") == 1 and "sec-websocket-extensions" not in head
    assert f"user-agent: {PoeConfig().user_agent}" in head
    assert "cookie" not in head


async def test_the_channel_uses_the_users_proxy_too(monkeypatch):
    """HTTP goes around the proxy here, because the simulator gives the settings: only the socket is looked at."""
    monkeypatch.setattr("reverse.wire.stream_transport.StreamTransport._proxy", lambda _: None)
    head = await handshake_head(channel_url="ws://poe.invalid", proxy="http://{url}")
    assert head.startswith("CONNECT poe.invalid:80 ")


IMPORT = """
import os, socket, sys, threading
def refuse(*_): raise SystemExit("a socket was used")
socket.socket.connect = refuse
before = dict(os.environ)
import reverse.web
assert dict(os.environ) == before
assert threading.active_count() == 1
for name in ("quickjs", "reverse.fetch", "nest_asyncio", "boto3", "fastapi"):
    assert name not in sys.modules, name
"""


def test_importing_does_nothing():
    environment = {**os.environ, "PYTHONPATH": str(Path(reverse.__path__[0]).parent)}
    done = subprocess.run([sys.executable, "-c", IMPORT], env=environment, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


async def test_no_thread_is_started(connect, ask):
    before = threading.active_count()
    async with connect() as client:
        await ask(client, "hello")
        assert threading.active_count() == before


async def test_a_consumer_that_leaves_takes_its_mailbox_along(connect, chat_request):
    async with connect() as client:
        async with aclosing(client.stream(chat_request("one two three"))) as events:
            await anext(events)
        assert not client._channel.mailboxes and not client._channel.mailboxes._early


def test_nothing_depends_on_garbage_collection():
    sources = Path(reverse.__path__[0], "web").glob("*.py")
    assert not [path.name for path in sources if "__del__" in path.read_text()]


@pytest.mark.parametrize(("library", "owner"), [("httpx", "_transport.py"), ("websockets", "_channel.py")])
def test_each_network_library_has_one_importer(library, owner):
    sources = Path(reverse.__path__[0], "web").glob("*.py")
    importers = [path.name for path in sources if re.search(rf"^\s*(import|from) {library}\b", path.read_text(), re.M)]
    assert importers == [owner]
