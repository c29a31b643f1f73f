"""Makes a Poe client from an account's kind and credentials: the one place that knows which kind needs which client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from accounts import AccountKind
from reverse.chat import PoeClient
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials, WebCredentials

if TYPE_CHECKING:
    from reverse.official import ModelInfo, OfficialTransport
    from reverse.wire.stream_transport import StreamTransport

ClientFactory = Callable[[AccountKind, Mapping[str, str], Mapping[str, Any] | None], PoeClient]
"""Makes a client from an account's kind, credentials and derived session data. Does no I/O. Raises `ValueError`, which
names no value, for credentials that can't be any."""


_CREDENTIALS: dict[AccountKind, type[OfficialCredentials | WebCredentials]] = {
    AccountKind.OFFICIAL: OfficialCredentials,
    AccountKind.WEB: WebCredentials,
}


def read_credentials(kind: AccountKind, values: Mapping[str, str]) -> OfficialCredentials | WebCredentials:
    """The credentials of an account. Raises `ValueError`, which names no value, for those that can't be any."""
    return _CREDENTIALS[kind].from_mapping(values)


class PoeClients:
    """Makes clients with the configuration of the moment.

    With `share_connections` all official accounts use the same connections: a key is a header, not a session. Whoever
    shares them closes them with `aclose`; otherwise each client has its own, and closes them itself.
    """

    def __init__(
        self,
        config: Callable[[], PoeConfig],
        *,
        find_model: Callable[[str], ModelInfo | None] = lambda _: None,
        share_connections: bool = False,
    ) -> None:
        self._config = config
        self._find_model = find_model
        self._shares_connections = share_connections
        self._transport: OfficialTransport | None = None
        self._web_connections: tuple[PoeConfig, StreamTransport] | None = None
        """Opened before there was a client. The first one takes them, because each account has its own."""
        self._serves_official = False

    def make(
        self, kind: AccountKind, credentials: Mapping[str, str], session_data: Mapping[str, Any] | None
    ) -> PoeClient:
        """A client of one account; see `ClientFactory`."""
        config = self._config()
        # Each client brings its own network library: only the one that is needed is loaded.
        if kind is AccountKind.OFFICIAL:
            from reverse.official import PoeOfficialClient

            self._serves_official = True
            return PoeOfficialClient(
                OfficialCredentials.from_mapping(credentials),
                config,
                session_data=session_data,
                find_model=self._find_model,
                transport=self._shared_transport(config) if self._shares_connections else None,
            )
        from reverse.web import PoeWebClient

        client = PoeWebClient(
            WebCredentials.from_mapping(credentials),
            config,
            session_data=session_data,
            connections=self._web_connections_for(config),
        )
        # Here, because credentials that are refused take nothing.
        self._web_connections = None
        return client

    def prepare(self) -> None:
        """Begin to open a connection for official accounts beside other work, so that nobody has to wait for it.

        Only where connections are shared and official accounts are used. Needs a running loop; never raises.
        """
        # A deployment of web accounts only would open it for nothing.
        if self._shares_connections and self._serves_official:
            self._shared_transport(self._config()).prepare()

    async def connect(self, kinds: Collection[AccountKind]) -> None:
        """Open a connection to Poe for the first request of each of these kinds of account. Never raises.

        Only where connections are shared.
        """
        if not self._shares_connections:
            return
        config = self._config()
        opening = []
        if AccountKind.OFFICIAL in kinds:
            self._serves_official = True
            opening.append(self._shared_transport(config).connect())
        if AccountKind.WEB in kinds:
            from reverse.wire.stream_transport import StreamTransport

            connections = StreamTransport(config)
            if self._web_connections is not None:
                self._web_connections[1].abort()
            self._web_connections = (config, connections)
            opening.append(connections.connect(config.web_base_url))
        await asyncio.gather(*opening)

    def _web_connections_for(self, config: PoeConfig) -> StreamTransport | None:
        if self._web_connections is None:
            return None
        opened_with, connections = self._web_connections
        if opened_with is config:
            return connections
        # They may lead to another place, and nobody else has them.
        connections.abort()
        self._web_connections = None
        return None

    def _shared_transport(self, config: PoeConfig) -> OfficialTransport:
        from reverse.official import OfficialTransport

        self._transport = self._transport or OfficialTransport(config)
        return self._transport

    async def aclose(self) -> None:
        """Close the shared connections, and those that no client has taken."""
        # Taken off first, so that a client that is made meanwhile opens its own.
        transport, self._transport = self._transport, None
        web, self._web_connections = self._web_connections, None
        if transport is not None:
            await transport.aclose()
        if web is not None:
            await web[1].aclose()
