"""The client of the web API for one account, with a browser session's cookies.

Sequential round trips to Poe before the first token (each is one HTTP exchange or the WebSocket handshake, counted
against the simulator with 50 ms injected):

    open channel                                            1   message
    first message, cached session data                      2   subscription | handshake; message
    first message, form key supplied                        3   settings; subscription | handshake; message
    first message, nothing but the cookie                   4   page; script; subscription | handshake; message

The page's script is left out where the page needs none. A channel that was silent for `channel_trust_seconds` costs
one ping more.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Self

from reverse.chat import Aftermath, ChatRef, ChatRequest, PointsReading, PointsSpent
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import ErrorCode, poe_error
from reverse.events import Event
from reverse.web._bots import Bots
from reverse.web._channel import Channel
from reverse.web._chats import Chats
from reverse.web._graphql import GraphQL
from reverse.web._knowledge import Knowledge
from reverse.web._messaging import Messaging
from reverse.web._models import AccountSettings, read_points_spent, read_settings
from reverse.web._operations import subscriptions
from reverse.web._paging import Page, each, next_cursor, nodes_of
from reverse.web._plumbing import Plumbing
from reverse.web._protocol import mapping
from reverse.web._session import Session
from reverse.web._signing import Signer, tag_id
from reverse.web._transport import Transport
from reverse.web._upload import Fetch, Sources, Uploader, uploader_for
from reverse.wire.stream_transport import StreamTransport

_HISTORY_PAGE = 50


class PoeWebClient:
    """A Poe account through its browser cookies. Implements `reverse.chat.PoeClient`; for one event loop.

    `chats`, `bots` and `knowledge` hold the operations besides asking, `plumbing` the steps of connecting.
    `session_data` is what an earlier client of the same account left. `signer`, `uploader` and `fetch` replace how
    requests are signed, how files are sent, and how addresses of attachments are fetched (by default guarded against
    addresses of the own network). `connections` were opened before, for this client alone, and are closed with it.
    `splits_thinking`: thinking that a bot keeps in its text is reasoning, not answer.
    """

    def __init__(
        self,
        credentials: WebCredentials,
        config: PoeConfig | None = None,
        session_data: Mapping[str, Any] | None = None,
        *,
        signer: Signer = tag_id,
        uploader: Uploader | None = None,
        fetch: Fetch | None = None,
        connections: StreamTransport | None = None,
        wall_clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
        splits_thinking: bool = True,
    ) -> None:
        self._config = config = config or PoeConfig()
        rng = rng or random.Random()  # noqa: S311 - nonces only tell messages apart
        self._session = Session.load(credentials, session_data)
        self._transport = Transport(config, credentials, connections=connections, wall_clock=wall_clock)
        self._graphql = GraphQL(config, self._session, self._transport, signer=signer, wall_clock=wall_clock)
        self._channel = Channel(
            config,
            self._session,
            fetch_settings=self._graphql.fetch_channel_settings,
            subscribe=self._subscribe,
            wall_clock=wall_clock,
            rng=rng,
        )
        sources = Sources(config, fetch)
        uploader = uploader or uploader_for(config, self._graphql)
        self.bots = Bots(config, self._graphql, self._session, wall_clock)
        self._messaging = Messaging(
            config,
            self._graphql,
            self._channel,
            sources=sources,
            uploader=uploader,
            # Fresh, because it is asked after a refusal, for which what was kept may be the reason.
            find_bot=partial(self.bots.info, fresh=True),
            rng=rng,
            splits_thinking=splits_thinking,
        )
        self.chats = Chats(self._graphql, rng)
        self.knowledge = Knowledge(self._graphql, self.bots, sources)
        # The web API makes videos as answers of a bot.
        self.videos = None
        self.plumbing = Plumbing(self._graphql, self._channel, self._subscribe)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Release sockets and tasks. No network call; safe to call twice, from any state."""
        # The channel first: it may be asking something over the transport.
        await self._channel.aclose()
        await self._transport.aclose()

    def aftermath(self) -> Aftermath:
        """What the last message left behind, told once."""
        return self._messaging.take_aftermath()

    def session_data(self) -> dict[str, Any]:
        """What was derived so far, for the next client of this account: JSON values. Holds secrets."""
        return self._session.dump()

    async def settings(self) -> AccountSettings:
        """Read the account's points and plan. Raises `PoeError`."""
        viewer = (await self._graphql.query("SettingsPageQuery", {})).get("viewer")
        if not isinstance(viewer, dict):
            raise poe_error(ErrorCode.NOT_AUTHENTICATED, "Poe knows no user", operation="SettingsPageQuery")
        return read_settings(viewer)

    async def points(self) -> PointsReading:
        """Read the account's balance. Raises `PoeError`."""
        return (await self.settings()).points

    async def points_history(self) -> AsyncGenerator[PointsSpent, None]:
        """What was spent, newest first, read page by page as far as it is consumed. Raises `PoeError`.

        The older generation of operations has no such list (`STALE_OPERATION`).
        """

        async def page(cursor: str | int | None) -> Page[PointsSpent]:
            variables = {"limit": _HISTORY_PAGE} | ({} if cursor is None else {"cursor": cursor})
            data = await self._graphql.query("PointsHistoryPageColumnViewerPaginationQuery", variables)
            connection = mapping(data.get("viewer")).get("pointsHistoryConnection")
            return Page(tuple(map(read_points_spent, nodes_of(connection))), next_cursor(connection))

        async with aclosing(each(page)) as entries:
            async for entry in entries:
                yield entry

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Send one message and yield what happens until the answer ends.

        Use it under `contextlib.aclosing`: closing early, or cancelling the task, stops the answer upstream with one
        call of at most `stop_timeout_seconds`. The message is never sent twice. Raises `PoeError`.
        """
        return self._messaging.send(request)

    def regenerate(self, chat: ChatRef, *, suggest_replies: bool = False) -> AsyncGenerator[Event, None]:
        """Let the bot answer the chat's last question again; the new answer takes the place of the old.

        An answer that is still being written is waited for. Closing and cancelling are as for `stream`. Raises
        `PoeError`, also where the chat does not end with an answer.
        """
        return self._messaging.regenerate(chat, suggest_replies=suggest_replies)

    async def stop(self, chat_id: int | None, *, message_id: int | None = None, text_length: int = 0) -> None:
        """Stop the answer that is being written in a chat; its stream ends with `FinishReason.CANCELLED`.

        Without the chat, and with the older generation of operations, the id of the bot's message is needed. Raises
        `PoeError`.
        """
        await self._messaging.stop(chat_id, message_id, text_length)

    def _subscribe(self) -> Awaitable[object]:
        return self._graphql.mutate("SubscriptionsMutation", {"subscriptions": subscriptions(self._config)})
