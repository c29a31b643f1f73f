"""Single steps of connecting, and operations called by name: for diagnosis, and for what has no method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from reverse.web._bundle import HomePage
from reverse.web._channel import Channel
from reverse.web._graphql import GraphQL


class Plumbing:
    """The parts that asking is made of; `client.plumbing`. Asking takes these steps by itself.

    Every method raises `PoeError`. What comes back is secret, except for the home page.
    """

    def __init__(self, graphql: GraphQL, channel: Channel, subscribe: Callable[[], Awaitable[object]]) -> None:
        self._graphql = graphql
        self._channel = channel
        self._subscribe = subscribe

    async def home_page(self) -> HomePage:
        """Fetch and parse the home page."""
        return await self._graphql.fetch_home_page()

    async def form_key(self) -> str:
        """The form key: the one at hand, else derived from the home page."""
        return await self._graphql.ensure_form_key()

    async def channel_settings(self) -> dict[str, str]:
        """Fetch new channel settings, with Poe's own names."""
        settings = await self._graphql.fetch_channel_settings()
        return {
            "minSeq": str(settings.min_seq),
            "channel": settings.channel,
            "channelHash": settings.channel_hash,
            "boxName": settings.box_name,
            "baseHost": settings.base_host,
        }

    async def subscribe(self) -> None:
        """Tell Poe which events to push to the channel."""
        await self._subscribe()

    async def connect(self) -> None:
        """Open the channel, or prove the open one alive; with all the steps before it that are due."""
        await self._channel.ensure()

    def disconnect(self) -> None:
        """Drop the channel's connection. The next message, and an answer that is awaited, open a new one."""
        self._channel.distrust()

    async def call(self, operation: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Call an operation by its name and return its `data`. Not repeated unless it certainly was not delivered."""
        return await self._graphql.mutate(operation, variables)
