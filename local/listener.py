"""Real sockets in the running loop: uvicorn's protocols, without its process and signal handling."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


class SimulatorProtocol(H11Protocol):
    """HTTP/1.1 whose applications find the transport in `scope["state"]["transport"]`, to cut connections.

    Of several `Origin` headers on a WebSocket handshake only the last is kept: published clients of 2025 send two
    (docs/reference/poe-web.md#socket-handshake), which the WebSocket library would refuse.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the transport for the application."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Upgrade, with one `Origin` at most."""
        origins = [header for header in self.headers if header[0] == b"origin"]
        self.headers = [header for header in self.headers if header[0] != b"origin"] + origins[-1:]
        super().handle_websocket_upgrade(event)


class Listener:
    """One listening socket that serves an application until `aclose`."""

    def __init__(self, server: asyncio.Server, state: ServerState) -> None:
        self._server, self._state = server, state

    @property
    def port(self) -> int:
        """The port that it got."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._state.connections)

    @classmethod
    async def open(cls, app: ASGIApp, host: str, port: int, certificate: tuple[Path, Path] | None = None) -> Listener:
        """Listen; with `certificate` (chain file, key file) for TLS. Raises `OSError` if the port is taken."""
        config = uvicorn.Config(
            app,
            http=SimulatorProtocol,
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
        )
        config.load()
        state = ServerState()
        context = None
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SimulatorProtocol(config=config, server_state=state, app_state={}), host, port, ssl=context
        )
        return cls(server, state)

    async def aclose(self) -> None:
        """Stop listening, reset what is connected, and wait for the applications to see it."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        if self._state.tasks:
            _, late = await asyncio.wait(self._state.tasks, timeout=2)
            for task in late:
                task.cancel()
        await self._server.wait_closed()
