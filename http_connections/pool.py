"""Connections that are kept from one exchange to the next.

They survive between requests, and between Lambda invocations. While the process was frozen the other end may have
closed them, and the monotonic clock may have stood still. So their rest is judged by the wall clock, and one that
rested longer than `trust_seconds` is closed, not used again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from http_connections.connection import Connection, ConnectionLostError
from http_connections.dialing import Origin, Proxy, ProxyRefusedError, dial


class UnreachableError(Exception):
    """No connection could be opened. `is_late` says that the caller's deadline came first.

    Nothing else is told: a cause may quote the address of a proxy.
    """

    def __init__(self, *, is_late: bool) -> None:
        super().__init__("no connection could be opened")
        self.is_late = is_late


_UNREACHABLE = (OSError, ConnectionLostError, ProxyRefusedError)  # with timeouts among the first


class ConnectionPool:
    """Opens connections, and keeps those that can carry another exchange.

    It can be used after a close, and in another event loop once the first has ended.
    """

    def __init__(
        self,
        *,
        tls_context: Callable[[], ssl.SSLContext],
        connect_seconds: float,
        trust_seconds: float,
        max_idle: int | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._tls_context = tls_context
        self._connect_seconds = connect_seconds
        self._trust_seconds = trust_seconds
        self._max_idle = max_idle
        self._wall_clock = wall_clock
        self._idle: dict[Origin, list[Connection]] = {}
        self._in_use: set[Connection] = set()
        self._opening: dict[Origin, asyncio.Task[None]] = {}
        self._closes = 0
        """How often it was closed: a connection that was begun before a close must not be used after it."""

    def prepare(self, origin: Origin, proxy: Proxy | None = None) -> None:
        """Begin to open a connection for the next exchange, unless one is there. Never raises.

        Nobody has to wait for it: `connection` does. If it fails, the exchange opens its own.
        """
        self._drop_distrusted()
        idle = self._idle.get(origin, [])
        # One that the other end has closed is none.
        is_there = bool(idle) and idle[-1].is_reusable and idle[-1].is_quiet()
        if not is_there and origin not in self._opening:
            task = asyncio.create_task(self.open_early(origin, proxy), name="early-connection")
            self._opening[origin] = task
            # Not by the task itself, which never runs when it is cancelled at once.
            task.add_done_callback(lambda _: self._opening.pop(origin))

    async def open_early(self, origin: Origin, proxy: Proxy | None = None) -> None:
        """Open one more connection for the exchanges that follow. What does not succeed is left to them."""
        deadline = asyncio.get_running_loop().time() + self._connect_seconds
        with suppress(*_UNREACHABLE):
            self._put_away(origin, await self._dial(origin, proxy, deadline))

    @asynccontextmanager
    async def connection(self, origin: Origin, proxy: Proxy | None, deadline: float) -> AsyncIterator[Connection]:
        """A connection for one exchange. It is kept afterwards if that is complete, however it was left, else closed.

        `deadline` is a time of the loop. Raises `UnreachableError`.
        """
        connection = await self._take(origin, proxy, deadline)
        self._in_use.add(connection)
        try:
            yield connection
        finally:
            self._in_use.discard(connection)
            self._put_away(origin, connection)

    def abort(self) -> None:
        """Close every connection, those in use included. The loop lets go of their sockets a moment later."""
        self._closes += 1
        for task in self._opening.values():
            task.cancel()
        for connection in self._connections():
            connection.abort()
        self._idle = {}

    async def aclose(self) -> None:
        """`abort`, and wait until the loop has let go of the sockets. No network call."""
        self._drop_distrusted()
        opening, connections = list(self._opening.values()), self._connections()
        self.abort()
        # Last, because who waits may be cancelled.
        if opening:
            await asyncio.wait(opening)
        for connection in connections:
            await connection.wait_closed()

    def _connections(self) -> list[Connection]:
        return [*self._in_use, *(one for idle in self._idle.values() for one in idle)]

    async def _take(self, origin: Origin, proxy: Proxy | None, deadline: float) -> Connection:
        closes = self._closes
        loop = asyncio.get_running_loop()
        if (opening := self._opening.get(origin)) is not None:
            # Whatever becomes of it, the exchange has its own time.
            await asyncio.wait({opening}, timeout=deadline - loop.time())
        self._drop_distrusted()
        idle = self._idle.get(origin, [])
        if idle and not idle[-1].is_quiet():
            # It may be nothing but session tickets, which come unasked. The loop reads them: one turn to see them,
            # one to read them.
            for _ in range(2):
                await asyncio.sleep(0)
            idle = self._idle.get(origin, [])
        # The one used last is the likeliest to be alive.
        for connection in reversed(idle.copy()):
            # Whoever accepted a request before its end may read the rest, behind which another one would wait.
            if connection.is_sending:
                continue
            idle.remove(connection)
            # Bytes or an end that wait unread mean that the other end has closed it, or says what nobody asked.
            if connection.is_reusable and connection.is_quiet():
                return connection
            connection.abort()
        connect_deadline = loop.time() + self._connect_seconds
        try:
            if closes != self._closes:
                raise ConnectionLostError
            return await self._dial(origin, proxy, min(deadline, connect_deadline))
        except _UNREACHABLE as error:
            is_late = isinstance(error, TimeoutError) and deadline <= connect_deadline
            raise UnreachableError(is_late=is_late) from None

    async def _dial(self, origin: Origin, proxy: Proxy | None, deadline: float) -> Connection:
        closes = self._closes
        connection = await dial(origin, proxy, deadline, self._tls_context)
        if closes != self._closes:
            connection.abort()
            raise ConnectionLostError
        return connection

    def _put_away(self, origin: Origin, connection: Connection) -> None:
        idle = self._idle.setdefault(origin, [])
        if not connection.is_reusable or (self._max_idle is not None and len(idle) >= self._max_idle):
            connection.abort()
            return
        connection.begin_idle()
        connection.idle_since = self._wall_clock()
        idle.append(connection)

    def _drop_distrusted(self) -> None:
        now = self._wall_clock()
        for origin, idle in self._idle.items():
            trusted: list[Connection] = []
            for connection in idle:
                # A clock that was set back says nothing about the rest either.
                if connection.belongs_to_running_loop and 0 <= now - connection.idle_since <= self._trust_seconds:
                    trusted.append(connection)
                    continue
                # A loop that is closed already can't close it.
                with suppress(RuntimeError):
                    connection.abort()
            self._idle[origin] = trusted
