"""Which client an account gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import pytest

from accounts import AccountKind
from pool.clients import PoeClients
from reverse.config import PoeConfig
from reverse.errors import PoeError
from reverse.official import PoeOfficialClient
from reverse.web import PoeWebClient


async def test_each_kind_has_its_client() -> None:
    clients = PoeClients(PoeConfig)
    async with clients.make(AccountKind.OFFICIAL, {"api_key": "k" * 32}, None) as official:
        assert isinstance(official, PoeOfficialClient)
    async with clients.make(AccountKind.WEB, {"p_b": "c" * 24}, None) as web:
        assert isinstance(web, PoeWebClient)


@pytest.mark.parametrize("kind", AccountKind)
def test_unusable_credentials_are_refused_without_being_quoted(kind: AccountKind) -> None:
    with pytest.raises(ValueError) as caught:
        PoeClients(PoeConfig).make(kind, {"other": "hush-hush"}, None)
    assert "hush" not in str(caught.value)


async def test_the_configuration_of_the_moment_is_used() -> None:
    configs = [PoeConfig(), PoeConfig(official_base_url="http://127.0.0.1:9")]
    used: list[PoeConfig] = []

    def config() -> PoeConfig:
        used.append(configs[len(used)])
        return used[-1]

    clients = PoeClients(config)
    for _ in configs:
        async with clients.make(AccountKind.OFFICIAL, {"api_key": "k" * 32}, None):
            pass
    assert used == configs


async def test_shared_connections_outlive_a_client() -> None:
    async with aclosing(PoeClients(PoeConfig, share_connections=True)) as clients:
        async with clients.make(AccountKind.OFFICIAL, {"api_key": "a" * 32}, None):
            shared = clients._transport
        assert shared is not None
        async with clients.make(AccountKind.OFFICIAL, {"api_key": "b" * 32}, None):
            assert clients._transport is shared
    assert clients._transport is None


async def test_shared_connections_are_prepared_where_they_will_be_used() -> None:
    """A question finds the connection that was opened beside other work."""
    connections = 0
    has_connected, has_ended = asyncio.Event(), asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        has_connected.set()
        await reader.read()
        writer.close()
        has_ended.set()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        config = PoeConfig(official_base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with (
            aclosing(PoeClients(lambda: config)) as own,
            aclosing(PoeClients(lambda: config, share_connections=True)) as shared,
        ):
            await own.connect(tuple(AccountKind))
            await shared.connect([])
            shared.prepare()
            for _ in range(5):
                await asyncio.sleep(0)
            assert connections == 0
            await shared.connect([AccountKind.OFFICIAL])
            shared.prepare()
            await has_connected.wait()
        await has_ended.wait()
    assert connections == 1


async def test_the_first_web_client_takes_the_connection_that_was_opened_for_it() -> None:
    """And no other: each account has its own."""
    connections = 0
    has_ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readline() not in (b"\r\n", b""):
            pass
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()
        has_ended.set()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        configs = [PoeConfig(web_base_url=address)]
        async with aclosing(PoeClients(lambda: configs[-1], share_connections=True)) as clients:
            await clients.connect([AccountKind.WEB])
            assert connections == 1
            async with clients.make(AccountKind.WEB, {"p_b": "a" * 24}, None) as first:
                with pytest.raises(PoeError):
                    await first.points()
                assert connections == 1
                async with clients.make(AccountKind.WEB, {"p_b": "b" * 24}, None) as second:
                    with pytest.raises(PoeError):
                        await second.points()
                assert connections == 2
            await clients.connect([AccountKind.WEB])
            has_ended.clear()
            # Opened to where Poe is no more.
            configs.append(PoeConfig(web_base_url="http://127.0.0.1:9"))
            async with clients.make(AccountKind.WEB, {"p_b": "a" * 24}, None) as moved:
                with pytest.raises(PoeError):
                    await moved.points()
        await has_ended.wait()
    assert connections == 3


@dataclass
class Listener:
    """Takes connections, and says nothing."""

    url: str = ""
    opened: int = 0
    open: int = 0
    has_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened, self.open = self.opened + 1, self.open + 1
        await reader.read()
        writer.close()
        self.open -= 1
        self.has_ended.set()

    async def ended(self) -> None:
        await self.has_ended.wait()
        self.has_ended.clear()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listener = Listener()
    async with await asyncio.start_server(listener.listen, "127.0.0.1", 0) as server:
        listener.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield listener
        while listener.open:
            await listener.ended()


async def test_connections_of_an_older_configuration_are_closed(listener: Listener) -> None:
    configs = [PoeConfig(web_base_url=listener.url)]
    async with aclosing(PoeClients(lambda: configs[-1], share_connections=True)) as clients:
        await clients.connect([AccountKind.WEB])
        configs.append(PoeConfig(web_base_url=listener.url, user_agent="mine/2"))
        async with clients.make(AccountKind.WEB, {"p_b": "a" * 24}, None):
            await listener.ended()
    assert listener.opened == 1


async def test_credentials_that_are_refused_take_no_connection(listener: Listener) -> None:
    config = PoeConfig(web_base_url=listener.url)
    async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
        await clients.connect([AccountKind.WEB])
        with pytest.raises(ValueError):
            clients.make(AccountKind.WEB, {"p_b": "a;b"}, None)
        assert clients._web_connections is not None
        async with clients.make(AccountKind.WEB, {"p_b": "a" * 24}, None):
            assert clients._web_connections is None
    await listener.ended()
    assert listener.opened == 1


async def test_connecting_again_closes_what_nobody_has_taken(listener: Listener) -> None:
    config = PoeConfig(web_base_url=listener.url)
    async with aclosing(PoeClients(lambda: config, share_connections=True)) as clients:
        await clients.connect([AccountKind.WEB])
        await clients.connect([AccountKind.WEB])
        await listener.ended()
        assert (listener.opened, listener.open) == (2, 1)
