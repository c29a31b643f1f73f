"""The simulator as others use it, in their own event loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

from local.listener import Listener
from local.poe_official.application import OfficialApplication, Settings, Simulation
from local.poe_official.control import control_application
from local.poe_official.journal import RequestRecord, SentRecord
from local.poe_official.model import Model
from local.poe_official.routes import ROUTES
from local.poe_official.scenarios import Scenario
from local.poe_official.world import OfficialAccount, World


class PoeOfficialSimulator:
    """A stand-in for api.poe.com, its upload address and its sign-in page, on a real socket.

    `async with PoeOfficialSimulator() as simulator:` listens on a free loopback port until the block ends.
    `pace_seconds` lies between two frames of a stream, `latency_seconds` before the answer to every request.
    `public_url` is what the addresses of files begin with, by default the simulator's own address. `clock` gives epoch
    seconds, for the times of the history and for the limit per minute.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        pace_seconds: float = 0.02,
        latency_seconds: float = 0.0,
        public_url: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._where = host, port
        self._public_url = public_url
        self.settings = Settings(pace_seconds, latency_seconds)
        self._simulation = Simulation(self.settings, World(clock))
        self._listener: Listener | None = None
        self.base_url = ""

    async def __aenter__(self) -> Self:
        """Listen. Raises `OSError` if the port is taken."""
        host, port = self._where
        application = OfficialApplication(self._simulation, ROUTES, control_application(self._simulation))
        self._listener = await Listener.open(application, host, port)
        self.base_url = f"http://{host}:{self.port}"
        self._simulation.world.public_url = self._public_url or self.base_url
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Reset connections and free the port."""
        if self._listener is not None:
            await self._listener.aclose()
            self._listener = None

    @property
    def port(self) -> int:
        """The port. Raises `RuntimeError` outside the `async with` block."""
        if self._listener is None:
            raise RuntimeError("the simulator is not listening")
        return self._listener.port

    @property
    def upload_url(self) -> str:
        """Where files are uploaded."""
        return f"{self.base_url}/poe_api/file_upload_3RD_PARTY_POST"

    @property
    def latency_seconds(self) -> float:
        """The wait before the answer to every request."""
        return self.settings.latency_seconds

    @latency_seconds.setter
    def latency_seconds(self, seconds: float) -> None:
        self.settings.latency_seconds = seconds

    @property
    def open_connections(self) -> int:
        """How many TCP connections are open."""
        return self._listener.connections if self._listener else 0

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request so far, in order of arrival."""
        return self._simulation.journal.requests

    @property
    def sent(self) -> list[SentRecord]:
        """Every frame of a stream so far, in order."""
        return self._simulation.journal.sent

    @property
    def models(self) -> dict[str, Model]:
        """The models by id, to be changed or added to."""
        return self._simulation.world.models

    @property
    def uploads(self) -> list[tuple[str, str, bytes]]:
        """Uploaded files: name, content type, bytes."""
        return self._simulation.world.uploads

    def add_account(self, api_key: str, points: int = 10_000, **fields: Any) -> OfficialAccount:
        """An account with this key; `fields` are those of `OfficialAccount`."""
        account = OfficialAccount(api_key, points, **fields)
        self._simulation.world.accounts[api_key] = account
        return account

    def account(self, api_key: str) -> OfficialAccount:
        """The account with this key. Raises `KeyError`."""
        return self._simulation.world.accounts[api_key]

    @property
    def world(self) -> World:
        """The state, with the delays of the history."""
        return self._simulation.world

    def add_key(self, account: str, api_key: str, name: str) -> None:
        """One more key of the account whose first key is `account`, as another program has."""
        self.world.other_keys[api_key] = (account, name)

    def spend_elsewhere(self, api_key: str, bot: str, points: int, **fields: Any) -> None:
        """Let another program or the website spend points of an account; `fields` are those of `Expense`."""
        self.world.spend_elsewhere(self.account(api_key), bot, points, **fields)

    def enqueue(self, *scenarios: Scenario) -> None:
        """Let requests that match go wrong, from the next one on."""
        self._simulation.scenarios.waiting.extend(scenarios)

    def discard_scenarios(self) -> None:
        """Forget the scenarios that wait."""
        self._simulation.scenarios.waiting.clear()
