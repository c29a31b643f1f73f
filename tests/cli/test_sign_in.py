"""Adding an account by signing in at Poe: the simulator is Poe, a thread is the browser, and the rest is real."""

from __future__ import annotations

import asyncio
import socket
import threading
import webbrowser
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import click
import httpx
import pytest
import uvicorn

from gateway.bootstrap import build_services
from gateway.settings import Settings
from local.poe_official import PoeOfficialSimulator
from poegw import sign_in
from poegw.errors import Exit
from poegw.output import Output
from tests.cli.conftest import CommandLine, Ended
from tests.gateway.scripted import ADMIN_KEY, House

ADD = ("accounts", "add", "official", "--login", "--label", "me")


@pytest.fixture
async def gateway_here() -> AsyncIterator[tuple[House, str]]:
    """A gateway that has a client registered at the simulator, and its address."""
    house = House(Settings.from_env({"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY}))
    async with PoeOfficialSimulator() as simulator:
        settings = replace(
            house.services.settings,
            poe_client_id="client",
            poe_official_base_url=simulator.base_url,
            poe_web_base_url=simulator.base_url,
        )
        house.app = type(house.app)(lambda: build_services(settings, store=house.store))
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(house.app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            # Up, with its log where it stays, before the test's own output is captured.
            await asyncio.to_thread(httpx.get, f"{url}/healthz", trust_env=False, timeout=60)
            yield house, url
        finally:
            server.should_exit = True
            await asyncio.to_thread(thread.join)
            listener.close()


@pytest.fixture
def poegw_here(
    gateway_here: tuple[House, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> CommandLine:
    house, url = gateway_here
    monkeypatch.setenv("POEGW_CONFIG", str(tmp_path / "profiles.json"))
    monkeypatch.setenv("GATEWAY_URL", url)
    monkeypatch.setenv("GATEWAY_ADMIN_KEY", ADMIN_KEY)
    return CommandLine(house, url, capsys)


async def add(poegw: CommandLine, *arguments: str) -> Ended:
    return await asyncio.to_thread(poegw, *ADD, *arguments)


def returned(authorize_url: str) -> str:
    """The address that Poe sends the browser back to."""
    answer = httpx.get(authorize_url, trust_env=False, timeout=60)
    assert answer.status_code == 302
    return answer.headers["location"]


async def test_the_browser_comes_back_to_this_machine(poegw_here: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a connection that it opened ahead of need, and a request for an icon."""
    monkeypatch.setattr(sign_in._Handler, "timeout", 5.0)
    monkeypatch.setattr(sign_in, "WAIT_SECONDS", 120.0)
    pages: list[httpx.Response] = []

    def browse(authorize_url: str) -> None:
        back = httpx.URL(returned(authorize_url))
        with socket.create_connection((back.host, back.port or 0)):
            pages.append(httpx.get(back.copy_with(path="/favicon.ico", query=None), trust_env=False, timeout=60))
            pages.append(httpx.get(back, trust_env=False, timeout=60))

    threads: list[threading.Thread] = []

    def start(authorize_url: str) -> bool:
        threads.append(threading.Thread(target=browse, args=(authorize_url,)))
        threads[0].start()
        return True

    monkeypatch.setattr(webbrowser, "open", start)
    ended = await add(poegw_here)
    await asyncio.to_thread(threads[0].join)
    assert ended.status == 0, ended.err
    assert [page.status_code for page in pages] == [404, 200]
    assert "go back to the terminal" in pages[1].text
    assert "10,000" in ended.out
    assert "code=" not in ended.out + ended.err.replace("response_type=code", "")
    (account,) = (await poegw_here.house.store.list_accounts()).items
    assert account.label == "me"


async def test_nobody_who_comes_back_is_an_end(poegw_here: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "WAIT_SECONDS", 0.2)
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    ended = await add(poegw_here)
    assert (ended.status, "Nobody came back from Poe." in ended.err) == (Exit.FAILURE, True)
    assert "No browser could be started" in ended.err
    assert (await poegw_here.house.store.list_accounts()).items == []


@pytest.mark.parametrize("pastes", ["the address that it came back to", "the address that it was sent to"])
async def test_without_a_browser_the_address_is_pasted(
    poegw_here: CommandLine, monkeypatch: pytest.MonkeyPatch, pastes: str
) -> None:
    told: list[str] = []
    note = Output.note

    def noted(self: Output, text: str) -> None:
        told.append(text)
        note(self, text)

    def paste(_question: str, **_: object) -> str:
        address = told[0].splitlines()[0].partition(": ")[2]
        return f" {returned(address)}\n" if "came back" in pastes else address.partition("?")[0]

    monkeypatch.setattr(Output, "note", noted)
    monkeypatch.setattr(click, "prompt", paste)
    monkeypatch.setattr(sign_in, "is_interactive", lambda: True)
    ended = await add(poegw_here, "--no-browser")
    if "came back" in pastes:
        assert (ended.status, "10,000" in ended.out) == (0, True), ended.err
    else:
        assert (ended.status, "has no code in it" in ended.err) == (Exit.FAILURE, True)


async def test_without_a_terminal_nothing_can_be_pasted(poegw_here: CommandLine) -> None:
    ended = await add(poegw_here, "--no-browser")
    assert (ended.status, "no terminal" in ended.err) == (Exit.USAGE, True)
