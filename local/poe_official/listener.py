"""A listening socket in the running loop: uvicorn's HTTP protocol without its process and signal handling."""

from __future__ import annotations

import asyncio

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState


class AbortableProtocol(H11Protocol):
    """HTTP/1.1 whose application finds the transport in `scope["state"]`, so that a fault can reset the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrower than asyncio's
        """Hand the transport to the application."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class Listener:
    """Serves one application until `aclose`."""

    def __init__(self, server: asyncio.Server, state: ServerState) -> None:
        self._server, self._state = server, state

    @classmethod
    async def open(cls, app: ASGIApp, host: str, port: int) -> Listener:
        """Listen. Raises `OSError` if the port is taken."""
        config = uvicorn.Config(
            app, http=AbortableProtocol, ws="none", lifespan="off", log_config=None, access_log=False
        )
        config.load()
        state = ServerState()
        server = await asyncio.get_running_loop().create_server(
            lambda: AbortableProtocol(config=config, server_state=state, app_state={}), host, port
        )
        return cls(server, state)

    @property
    def port(self) -> int:
        """The port that it got."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._state.connections)

    async def aclose(self) -> None:
        """Stop listening, reset what is connected, and wait a moment for the applications to see it."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        if self._state.tasks:
            _, late = await asyncio.wait(self._state.tasks, timeout=2)
            for task in late:
                task.cancel()
        await self._server.wait_closed()
