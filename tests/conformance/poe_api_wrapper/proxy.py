"""A CONNECT proxy that leads everywhere to one machine: it ignores host names and maps ports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress


class ConnectProxy:
    """Forwards `CONNECT anything:443` to the local port that `ports` gives for 443, and so on.

    `async with ConnectProxy({443: 8443}) as proxy:` listens on `proxy.port`. `targets` are the names asked for.
    """

    def __init__(self, ports: Mapping[int, int]) -> None:
        self._ports = ports
        self.targets: list[str] = []
        self._tunnels: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> ConnectProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for tunnel in self._tunnels:
            tunnel.cancel()
        await asyncio.gather(*self._tunnels, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tunnel = asyncio.current_task()
        assert tunnel is not None
        self._tunnels.add(tunnel)
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # either end is gone, or it was no CONNECT
        finally:
            self._tunnels.discard(tunnel)
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split("\r\n")[0].split(" ")
        port = self._ports.get(int(target.rpartition(":")[2]))
        if method != "CONNECT" or port is None:
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return await writer.drain()
        self.targets.append(target)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Pass bytes on until `source` ends, then end `sink` as well."""
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    finally:
        with suppress(OSError, RuntimeError):
            sink.close()
