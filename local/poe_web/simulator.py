"""The simulator as others use it, in their own event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.listener import Listener
from local.poe_web.accounts import SimulatedAccount
from local.poe_web.application import web_application
from local.poe_web.bots import BotDirectory
from local.poe_web.control import control_routes
from local.poe_web.journal import RequestRecord, SentRecord, sequential_round_trips
from local.poe_web.scenarios import Scenario
from local.poe_web.simulation import Settings, Simulation
from local.poe_web.state import dump, load, read, write

logger = logging.getLogger(__name__)


class PoeWebSimulator:
    """A stand-in for poe.com's web side, on real sockets.

    `async with PoeWebSimulator() as simulator:` listens on a free loopback port until the block ends. `host` and
    `port` say where to listen. `base_host` and `public_url` are what the service calls itself, by default its own
    address; with `certificate` (chain file, key file) it listens for TLS too, on `tls_port`. `state_path` is a file
    that keeps accounts and chats.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pace_seconds: float = 0.02,
        answer_delay_seconds: float = 0.05,
        latency_seconds: float = 0.0,
        base_host: str | None = None,
        public_url: str | None = None,
        certificate: tuple[Path, Path] | None = None,
        state_path: Path | None = None,
    ) -> None:
        self._where = host, port
        self._base_host, self._public_url, self._certificate = base_host, public_url, certificate
        self.settings = Settings(pace_seconds, answer_delay_seconds, latency_seconds)
        self.simulation = Simulation(self.settings)
        self._state_path = state_path
        self._listeners: list[Listener] = []
        self._saver: asyncio.Task[None] | None = None
        self._can_save = True
        self.base_url = ""

    async def __aenter__(self) -> Self:
        """Read the state file if there is one, and listen.

        Raises `OSError` if the port is taken and `UnreadableState` if the file is not one of this version.
        """
        if self._state_path is not None:
            text = await asyncio.to_thread(read, self._state_path)
            if text is not None:
                load(self.simulation.world, text)
        host, port = self._where
        app = web_application(self.simulation, control_routes(self.simulation))
        self._listeners.append(await Listener.open(app, host, port))
        if self._certificate is not None:
            self._listeners.append(await Listener.open(app, host, 0, self._certificate))
        own = f"{host}:{self.port}"
        self.base_url = f"http://{own}"
        self.settings.base_host = self._base_host or own
        self.simulation.world.public_url = self._public_url or self.base_url
        if self._state_path is not None:
            self._saver = asyncio.create_task(self._keep_saving(self._state_path))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `aclose`."""
        await self.aclose()

    async def aclose(self) -> None:
        """Stop answers, reset connections, free the ports and write the state file. Again, it does nothing."""
        await self.simulation.stop_answers()
        for listener in self._listeners:
            await listener.aclose()
        self._listeners.clear()
        if self._saver is not None and self._state_path is not None:
            self._saver.cancel()
            await asyncio.gather(self._saver, return_exceptions=True)
            self._saver = None
            await self._save(self._state_path, dump(self.simulation.world))

    async def _keep_saving(self, path: Path) -> None:
        """Write the state whenever it has changed, once a second at most."""
        written = ""
        while True:
            await asyncio.sleep(1)
            text = dump(self.simulation.world)
            if text != written and await self._save(path, text):
                written = text

    async def _save(self, path: Path, text: str) -> bool:
        """Whether it could be written. What could not stays in memory, and is tried again."""
        try:
            await asyncio.to_thread(write, path, text)
        except OSError as error:
            if self._can_save:
                logger.warning("%s can't be written (%s). What changes is in memory only.", path, error.strerror)
            self._can_save = False
            return False
        self._can_save = True
        return True

    @property
    def port(self) -> int:
        """The port for plain HTTP and WebSocket."""
        return self._listeners[0].port

    @property
    def tls_port(self) -> int:
        """The port for HTTPS and secure WebSocket."""
        return self._listeners[1].port

    @property
    def channel_url(self) -> str:
        """The template of the socket's address, for a client to fill in."""
        return "ws://{base_host}"

    @property
    def accounts(self) -> list[SimulatedAccount]:
        """All accounts."""
        return list(self.simulation.world.accounts.values())

    @property
    def bots(self) -> BotDirectory:
        """The bots, to be changed or added to."""
        return self.simulation.world.bots

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request and handshake so far, in order of arrival."""
        return self.simulation.journal.requests

    @property
    def sent(self) -> list[SentRecord]:
        """Every channel event so far, in order."""
        return self.simulation.journal.sent

    def add_account(self, p_b: str, **fields: Any) -> SimulatedAccount:
        """An account with this cookie; `fields` are those of `SimulatedAccount`."""
        return self.simulation.world.add_account(SimulatedAccount(p_b, **fields))

    def account(self, p_b: str) -> SimulatedAccount:
        """The account with this cookie. Raises `KeyError`."""
        return self.simulation.world.accounts[p_b]

    def spend_elsewhere(self, p_b: str, bot: str, points: int) -> None:
        """Let another program spend points of an account. Raises `KeyError`, also for a bot that there is not."""
        world = self.simulation.world
        found = world.bots.named(bot)
        if found is None or not world.spend_elsewhere(self.account(p_b), found, points):
            raise KeyError(bot)

    def enqueue(self, *scenarios: Scenario) -> None:
        """Let requests that match go wrong, from the next one on."""
        self.simulation.scenarios.waiting.extend(scenarios)

    async def idle(self) -> None:
        """Wait until no answer is running; without a limit, so put a timeout around it where a stream may hang."""
        await self.simulation.idle()

    def round_trips(self, since: float, until: float | None = None) -> int:
        """Sequential round trips that began in a period of `time.monotonic`: see `sequential_round_trips`."""
        return sequential_round_trips(self.requests, since, time.monotonic() if until is None else until)
