"""A gateway behind a real socket, with a scripted Poe, and the command line beside it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from gateway.settings import Settings
from poegw.main import run
from tests.gateway.scripted import ADMIN_KEY, API_KEY, House

# Poe is scripted, and a port where nobody listens stands for its address: `/readyz` tries whether it can be reached.
NOBODY_THERE = {
    "GATEWAY_POE_OFFICIAL_BASE_URL": "http://127.0.0.1:9",
    "GATEWAY_POE_WEB_BASE_URL": "http://127.0.0.1:9",
}


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands in this process, against the gateway."""

    def __init__(self, house: House, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.house = house
        self.url = url
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ended:
        self._capsys.readouterr()
        status = run(list(arguments))
        shown = self._capsys.readouterr()
        return Ended(status, shown.out, shown.err)


@contextmanager
def serving(environ: dict[str, str] | None = None) -> Iterator[tuple[House, str]]:
    """A gateway of its own on loopback, and its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    settings = {"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY, **NOBODY_THERE, **(environ or {})}
    house = House(Settings.from_env(settings))
    server = uvicorn.Server(uvicorn.Config(house.app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=asyncio.run, args=(_serve(house, server, listener),))
    thread.start()
    listener.listen()
    try:
        yield house, f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[House, str]]:
    with serving() as running:
        yield running


async def _serve(house: House, server: uvicorn.Server, listener: socket.socket) -> None:
    await house.add_key()
    await server.serve(sockets=[listener])


@pytest.fixture
def poegw(
    served: tuple[House, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> CommandLine:
    """The command line with the environment that `run.env` sets, and no profile."""
    house, url = served
    for name in ("GATEWAY_URL", "POEGW_PROFILE", "POEGW_KEY", "NO_COLOR", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("POEGW_CONFIG", str(tmp_path / "profiles.json"))
    monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
    monkeypatch.setenv("GATEWAY_ADMIN_KEY", ADMIN_KEY)
    return CommandLine(house, url, capsys)
