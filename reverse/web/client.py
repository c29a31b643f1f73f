"""The web client: one account's browser session, spoken to asynchronously.

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

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Literal, Self

from reverse.chat import ChatRequest, PointsReading
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import ChatStarted, Event
from reverse.web._answer import Answer
from reverse.web._channel import Channel
from reverse.web._following import follow
from reverse.web._graphql import GraphQL
from reverse.web._mailbox import Mailbox
from reverse.web._models import AccountSettings, read_settings
from reverse.web._operations import subscriptions
from reverse.web._protocol import MessageUpdate, global_id, mapping, parse_message, sequence
from reverse.web._sending import SEND, Sent, read_sent, send_variables
from reverse.web._session import Session
from reverse.web._signing import Signer, tag_id
from reverse.web._transport import Transport

# Chats whose newest message is remembered, so that a replayed event of an earlier turn is not taken for the answer.
_MAX_REMEMBERED_CHATS = 256
# Messages read when an answer is looked up: the answer, its question, and some that others added meanwhile.
_LOOKUP_COUNT = 10


class PoeWebClient:
    """A Poe account through its browser cookies. Implements `reverse.chat.PoeClient`; for one event loop."""

    def __init__(
        self,
        credentials: WebCredentials,
        config: PoeConfig | None = None,
        session_data: Mapping[str, Any] | None = None,
        *,
        signer: Signer = tag_id,
        wall_clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._config = config or PoeConfig()
        self._rng = rng or random.Random()  # noqa: S311 - nonces only tell messages apart
        self._session = Session.load(credentials, session_data)
        self._transport = Transport(self._config, credentials, wall_clock=wall_clock)
        self._graphql = GraphQL(self._config, self._session, self._transport, signer=signer, wall_clock=wall_clock)
        self._channel = Channel(
            self._config,
            self._session,
            fetch_settings=self._graphql.fetch_channel_settings,
            subscribe=self._subscribe,
            wall_clock=wall_clock,
            rng=self._rng,
        )
        self._newest_message: OrderedDict[int, int] = OrderedDict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Release sockets and tasks. No network call; safe to call twice, from any state."""
        await self._channel.aclose()
        await self._transport.aclose()

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

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Send one message and yield what happens until the answer ends.

        Use it under `contextlib.aclosing`: closing early, or cancelling the task, stops the answer upstream with one
        call of at most `stop_timeout_seconds`. The message is never sent twice. Raises `PoeError`.
        """
        message = _only_message(request)
        await self._channel.ensure()
        chat_id = request.chat.chat_id if request.chat else None
        # From here on nothing is lost: events are kept before the message is sent, whichever comes first.
        mailbox = self._channel.listen(chat_id)
        try:
            variables = send_variables(
                self._config,
                bot=request.bot,
                text=message,
                chat_id=chat_id,
                parameters=request.parameters,
                rng=self._rng,
            )
            sent = await self._send(variables, chat_id)
            self._channel.bind(mailbox, sent.chat_id)
            code = request.chat.chat_code if request.chat else sent.chat_code
            baseline = max(sent.last_message_id or -1, self._newest_message.get(sent.chat_id, -1))
            answer = Answer(
                ChatStarted(sent.chat_id, code, sent.title),
                message,
                after_message_id=baseline if baseline >= 0 else None,
                suggest_replies=request.suggest_replies,
                max_chars=self._config.max_answer_chars,
            )
            async with aclosing(self._follow(answer, mailbox, suggest_replies=request.suggest_replies)) as events:
                async for event in events:
                    yield event
        finally:
            self._channel.forget(mailbox)

    async def _follow(self, answer: Answer, mailbox: Mailbox, *, suggest_replies: bool) -> AsyncGenerator[Event, None]:
        chat_id = mailbox.chat_id
        assert chat_id is not None  # noqa: S101 - bound by the caller

        async def look_up(default_state: Literal["incomplete", "complete"]) -> Sequence[MessageUpdate]:
            return await self._newest_messages(chat_id, default_state)

        events = follow(
            answer,
            mailbox,
            look_up,
            self._config,
            distrust=self._channel.distrust,
            suggest_replies=suggest_replies,
        )
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        finally:
            if answer.message_id is not None:
                self._remember_newest(chat_id, answer.message_id)
            if not answer.is_over:
                await self._stop(chat_id, answer)

    async def _send(self, variables: dict[str, Any], chat_id: int | None) -> Sent:
        """Send the message. When cancelled meanwhile, learn what became of it and stop the answer, in bounded time."""
        sending = asyncio.create_task(self._graphql.mutate(SEND, variables), name="poe-send")
        try:
            return read_sent(await asyncio.shield(sending), chat_id=chat_id)
        except asyncio.CancelledError:
            with suppress(PoeError, TimeoutError):
                async with asyncio.timeout(self._config.stop_timeout_seconds):
                    sent = read_sent(await sending, chat_id=chat_id)
                    await self._stop(sent.chat_id, None)
            raise
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _stop(self, chat_id: int, answer: Answer | None) -> None:
        """Stop the answer that nobody waits for any more: one bounded attempt, because we are leaving."""
        if self._config.operation_generation == "older":
            if answer is None or answer.message_id is None:
                return
            name = "StopMessage_messageCancel_Mutation"
            variables = {"messageId": answer.message_id, "textLength": len(answer.text)}
        else:
            name, variables = "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation", {"chatId": chat_id}
        with suppress(PoeError, TimeoutError):
            async with asyncio.timeout(self._config.stop_timeout_seconds):
                await self._graphql.mutate(name, variables)

    async def _newest_messages(
        self, chat_id: int, default_state: Literal["incomplete", "complete"]
    ) -> list[MessageUpdate]:
        variables = {"count": _LOOKUP_COUNT, "cursor": None, "id": global_id("Chat", chat_id)}
        data = await self._graphql.query("ChatListPaginationQuery", variables)
        edges = mapping(mapping(data.get("node")).get("messagesConnection")).get("edges")
        nodes = (mapping(mapping(edge).get("node")) for edge in sequence(edges))
        found = (parse_message(chat_id, node, default_state=default_state) for node in nodes)
        return [message for message in found if message is not None]

    def _remember_newest(self, chat_id: int, message_id: int) -> None:
        self._newest_message.pop(chat_id, None)
        self._newest_message[chat_id] = message_id
        if len(self._newest_message) > _MAX_REMEMBERED_CHATS:
            self._newest_message.popitem(last=False)

    def _subscribe(self) -> Awaitable[object]:
        return self._graphql.mutate("SubscriptionsMutation", {"subscriptions": subscriptions(self._config)})


def _only_message(request: ChatRequest) -> str:
    """The one message that the web API can take: Poe keeps the rest of the conversation itself."""
    if len(request.messages) != 1 or request.messages[0].role not in ("user", "system"):
        raise poe_error(ErrorCode.INVALID_REQUEST, "a web account takes exactly one user message")
    if request.tools or request.response_format:
        raise poe_error(ErrorCode.UNSUPPORTED_FEATURE, "web accounts offer neither tools nor response formats")
    return request.messages[0].text
