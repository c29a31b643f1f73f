"""A client of Poe's documented API for one account."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from reverse.chat import NOTHING_LEFT, Aftermath, Attachment, ChatRequest, PointsReading
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import Event, Finished
from reverse.json_text import parse_object
from reverse.official import bot_protocol, chat_completions, messages_endpoint, responses_endpoint, uploads
from reverse.official.attachments import check_sizes
from reverse.official.catalogue import ModelInfo, parse_models
from reverse.official.decoding import AnswerDecoder
from reverse.official.exchange import UNOBSERVED, AnswerObserver, Exchange
from reverse.official.json_values import texts_at
from reverse.official.media_client import MediaClient
from reverse.official.points import PointsSpent, parse_balance, parse_history
from reverse.official.refused_options import blame
from reverse.official.retry import MAX_RETRIES
from reverse.official.routing import Route, choose_route, may_be_bot_only, may_be_images_only
from reverse.official.transports import OfficialTransport
from reverse.official.uploads import UploadedFile
from reverse.videos import VideoJobs
from reverse.wire.transport import OutgoingRequest

if TYPE_CHECKING:
    from reverse.fetch import FetchedFile

_HISTORY_PAGE = 100  # the most that one page holds (docs/reference/poe-official.md#balance-and-points)
_KEPT_BOT_NAMES = 200

_DECODERS: Mapping[Route, Callable[[], AnswerDecoder]] = {
    Route.CHAT: chat_completions.ChatCompletionDecoder,
    Route.CHAT_WHOLE: chat_completions.ChatCompletionDecoder,
    Route.RESPONSES: responses_endpoint.ResponsesDecoder,
    Route.MESSAGES: messages_endpoint.MessagesDecoder,
    Route.BOT_QUERY: bot_protocol.BotQueryDecoder,
}

Fetch = Callable[[str], Awaitable["FetchedFile"]]


async def read_models(config: PoeConfig) -> list[ModelInfo]:
    """The bots that the API offers, without an account: the list needs no key. Raises `PoeError`.

    Source: docs/reference/poe-official.md#endpoints-and-authentication.
    """
    exchange = Exchange(None, config)
    try:
        return await _read_models(exchange)
    finally:
        await exchange.aclose()


async def _read_models(exchange: Exchange) -> list[ModelInfo]:
    return parse_models(await exchange.fetch_json(exchange.request("GET", "/v1/models", "models")))


class _Observer(AnswerObserver):
    """What one answer tells of its bot, and what its request tells of a failure."""

    def __init__(self, request: ChatRequest, remember: Callable[[str], None], *, may_be_bot_only: bool) -> None:
        self._request = request
        self._remember_bot_only = remember
        self._may_be_bot_only = may_be_bot_only

    def begun(self) -> None:
        """Only an answer shows that the bot is there."""
        if self._request.in_bot_protocol:
            self._remember_bot_only(self._request.bot.lower())

    def failed(self, error: PoeError) -> None:
        """Only here the request is at hand, without which the words of a refusal mean nothing."""
        blame(error, self._request)
        error.may_be_bot_only = self._may_be_bot_only and error.code is ErrorCode.BOT_NOT_FOUND


async def _observed(events: AsyncGenerator[Event, None], observer: AnswerObserver) -> AsyncGenerator[Event, None]:
    """The events of an answer that several requests may make."""
    has_begun = False
    try:
        async with aclosing(events):
            async for event in events:
                if not has_begun:
                    has_begun = True
                    observer.begun()
                yield event
    except PoeError as error:
        observer.failed(error)
        raise


class PoeOfficialClient:
    """Asks Poe's documented API with one account's key. Implements `reverse.chat.PoeClient`.

    One round trip before the first token; the connection is kept for the next question. Safe to use from several
    tasks of one event loop at a time. `max_retries` counts repetitions of a read; a message is sent once.
    `session_data` is what an earlier client's `session_data()` returned. `fetch_file` gets the bytes of an attachment
    of which only the address is known; by default with the guards of `reverse.fetch`. `find_model` says what is known
    of a model, by its name in lower case, where this client has not read the list itself. `transport` has connections
    that several clients share, and that its owner closes; by default the client has its own.
    """

    def __init__(
        self,
        credentials: OfficialCredentials,
        config: PoeConfig | None = None,
        *,
        max_retries: int = MAX_RETRIES,
        session_data: Mapping[str, Any] | None = None,
        fetch_file: Fetch | None = None,
        find_model: Callable[[str], ModelInfo | None] = lambda _: None,
        transport: OfficialTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config = config or PoeConfig()
        self._exchange = Exchange(credentials, self._config, max_retries=max_retries, transport=transport, sleep=sleep)
        self._fetch_file = fetch_file or self._guarded_fetch
        self._find_model = find_model
        self._models: dict[str, ModelInfo] = {}
        # Bots that chat completions do not know but the bot protocol does; a dict keeps the order.
        self._bot_only = dict.fromkeys(texts_at(session_data or {}, "bot_only"))
        self.media = MediaClient(self._exchange, sleep)
        self.videos: VideoJobs = self.media

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections that are its own. Safe to call twice; no network call."""
        await self._exchange.aclose()

    def stream(self, request: ChatRequest, *, route: Route | None = None) -> AsyncGenerator[Event, None]:
        """Ask a bot and yield what happens until the answer ends. See `reverse.chat.PoeClient.stream`.

        Without a `route` it is chosen by what is known of the bot. A bot that chat completions do not know and that
        declares no endpoint may answer in the bot protocol: the error says so (`may_be_bot_only`), and the request
        may be sent again with `in_bot_protocol`. Closing the generator or cancelling the task closes the connection,
        which stops the answer upstream.
        """
        # Names are compared without regard to case, as Poe does (docs/reference/poe-official.md#model-list).
        name = request.bot.lower()
        is_guess = route is None and not request.in_bot_protocol and name not in self._bot_only
        if route is None and not is_guess:
            route = Route.BOT_QUERY
        # This client's own list first: it may have been read a moment ago.
        model = self._models.get(name) or self._find_model(name)
        observer = _Observer(request, self._remember_bot_only, may_be_bot_only=is_guess and may_be_bot_only(model))
        return self._answer(request, route or self._choose_route(request, model), model, observer)

    def query_bot(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Ask in the bot protocol. Bytes of attachments are uploaded first. Raises `PoeError`."""
        return self._answer(request, Route.BOT_QUERY)

    async def responses(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The events of /v1/responses for a body of that endpoint, as they are on the wire. Not retried.

        `reverse.official.responses_endpoint.ResponsesDecoder` turns them into events. Raises `PoeError`.
        """
        request = self._exchange.request("POST", "/v1/responses", "responses", json=dict(body) | {"stream": True})
        async with aclosing(self._wire_events(request)) as events:
            async for event in events:
                yield event

    async def messages(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The events of /v1/messages for a body of that endpoint, as they are on the wire. Not retried.

        `reverse.official.messages_endpoint.MessagesDecoder` turns them into events. Raises `PoeError`.
        """
        request = self._exchange.messages_request("/v1/messages", "messages", dict(body) | {"stream": True})
        async with aclosing(self._wire_events(request)) as events:
            async for event in events:
                yield event

    async def upload(self, file: Attachment) -> UploadedFile:
        """Give Poe a file, by its bytes or its address. Raises `PoeError`."""
        return await uploads.upload(self._exchange, file)

    async def models(self) -> list[ModelInfo]:
        """The bots that the API offers. Later questions to them use what the list says. Raises `PoeError`."""
        models = parse_models(await self._read("/v1/models", "models"))
        self.learn_models(models)
        return models

    def learn_models(self, models: list[ModelInfo]) -> None:
        """Use a list that was read before, by any client: the list is the same for every account."""
        self._models = {model.id.lower(): model for model in models}

    async def points(self) -> PointsReading:
        """The account's balance and next grant. Raises `PoeError`."""
        return parse_balance(await self._read("/usage/current_balance", "current_balance"))

    async def points_history(self, *, max_entries: int = sys.maxsize) -> AsyncGenerator[PointsSpent, None]:
        """What was spent in the last 30 days, newest first, read page by page as far as it is consumed.

        Raises `PoeError`. A page that repeats the one before it ends the listing.
        """
        cursor: str | None = None
        remaining = max_entries
        while remaining > 0:
            query = {"limit": str(min(remaining, _HISTORY_PAGE))}
            if cursor is not None:
                query["starting_after"] = cursor
            entries, has_more = parse_history(await self._read("/usage/points_history", "points_history", query))
            for entry in entries[:remaining]:
                yield entry
            remaining -= len(entries)
            last = entries[-1].query_id if entries else ""
            # A page that ends where the one before ended would go round for ever.
            if not has_more or not last or last == cursor:
                return
            cursor = last

    def aftermath(self) -> Aftermath:
        """Nothing: the documented API keeps no chats, and says nothing of costs."""
        return NOTHING_LEFT

    def session_data(self) -> dict[str, Any]:
        """Bots that answer only in the bot protocol, to save the next client of this account a round trip."""
        return {"bot_only": list(self._bot_only)} if self._bot_only else {}

    async def _read(self, path: str, operation: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What the API says about itself or the account; no bot is involved, so none can be missing."""
        try:
            return await self._exchange.fetch_json(self._exchange.request("GET", path, operation, query=query))
        except PoeError as error:
            if error.code is not ErrorCode.BOT_NOT_FOUND:
                raise
            # A 404 of an address that names no bot: "there is no such bot" would be wrong.
            raise poe_error(
                ErrorCode.PROTOCOL, "the API has no such endpoint", operation=operation, status=error.status
            ) from None

    def _choose_route(self, request: ChatRequest, model: ModelInfo | None) -> Route:
        return choose_route(request, model, self._config.tool_endpoints.get(request.bot.lower()))

    def _remember_bot_only(self, name: str) -> None:
        self._bot_only.setdefault(name)
        # It travels with the account's stored data, which has to stay small.
        while len(self._bot_only) > _KEPT_BOT_NAMES:
            del self._bot_only[next(iter(self._bot_only))]

    def _answer(
        self, request: ChatRequest, route: Route, model: ModelInfo | None = None, observer: AnswerObserver = UNOBSERVED
    ) -> AsyncGenerator[Event, None]:
        """The events, of which none is asked for yet."""
        if route in (Route.IMAGES, Route.AUDIO):
            return _observed(self._made(request, route), observer)
        # Chat first all the same: it takes a conversation, the image endpoint a prompt only.
        if route is Route.CHAT_WHOLE and may_be_images_only(request, model):
            return _observed(self._made_on_chat(request), observer)
        return self._sent(request, route, model, observer)

    def _sent(
        self, request: ChatRequest, route: Route, model: ModelInfo | None = None, observer: AnswerObserver = UNOBSERVED
    ) -> AsyncGenerator[Event, None]:
        """The answer to a conversation that is sent as one message."""
        prepare = partial(self._message, request, route, model)
        return self._exchange.answer(prepare, _DECODERS[route], whole=route is Route.CHAT_WHOLE, observer=observer)

    async def _message(self, request: ChatRequest, route: Route, model: ModelInfo | None) -> OutgoingRequest:
        """The request as it is sent, once its files are where they must be. Raises `PoeError`."""
        try:
            for message in request.messages:
                # Before anything is uploaded.
                check_sizes(message.attachments, self._config.max_attachment_bytes)
            if route is Route.BOT_QUERY:
                request = await uploads.with_addresses(self._exchange, request)
            else:
                request = await uploads.with_bytes(request, self._fetch_file)
        except PoeError as error:
            error.delivery = Delivery.NOT_SENT  # whatever became of a file, the message was not sent
            raise
        exchange = self._exchange
        match route:
            case Route.RESPONSES:
                body = responses_endpoint.build_responses_body(request)
                return exchange.request("POST", "/v1/responses", responses_endpoint.OPERATION, json=body)
            case Route.MESSAGES:
                body = messages_endpoint.build_messages_body(request, model.max_output_tokens if model else None)
                return exchange.messages_request("/v1/messages", messages_endpoint.OPERATION, body)
            case Route.BOT_QUERY:
                body = bot_protocol.build_query(request)
                path = f"/bot/{quote(request.bot, safe='')}"
                return exchange.request("POST", path, bot_protocol.OPERATION, json=body)
        body = chat_completions.build_chat_body(request, streamed=route is not Route.CHAT_WHOLE)
        return exchange.request("POST", "/v1/chat/completions", chat_completions.OPERATION, json=body)

    async def _made_on_chat(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """An image from chat, or from the image endpoint if chat does not know the bot: then nobody was asked yet."""
        try:
            async with aclosing(self._sent(request, Route.CHAT_WHOLE)) as events:
                async for event in events:
                    yield event
                return
        except PoeError as error:
            if error.code is not ErrorCode.BOT_NOT_FOUND:
                raise
        async with aclosing(self._made(request, Route.IMAGES)) as events:
            async for event in events:
                yield event

    async def _made(self, request: ChatRequest, route: Route) -> AsyncGenerator[Event, None]:
        """An answer from the image or audio endpoint, which know one prompt and nothing else."""
        if any(message.attachments for message in request.messages):
            raise poe_error(ErrorCode.UNSUPPORTED_FILE, operation=route.value)
        # These endpoints know no conversation: the last thing that was asked for counts.
        prompt = next((message.text for message in reversed(request.messages) if message.role == "user"), "")
        if route is Route.AUDIO:
            yield await self.media.audio(request.bot, prompt, parameters=request.parameters)
        else:
            for file in await self.media.images(request.bot, prompt, parameters=request.parameters):
                yield file
        yield Finished()

    async def _wire_events(self, request: OutgoingRequest) -> AsyncGenerator[dict[str, Any], None]:
        async with aclosing(self._exchange.server_sent_events(request)) as events:
            async for event in events:
                # OpenAI's end mark, which is no JSON.
                if event.data.startswith("[DONE]"):
                    return
                parsed = parse_object(event.data)
                if parsed is None:
                    raise poe_error(ErrorCode.PROTOCOL, "an event is not a JSON object", operation=request.operation)
                yield parsed

    async def _guarded_fetch(self, url: str) -> FetchedFile:
        from reverse.fetch import fetch  # here, because few requests need it and every cold start would pay for it

        return await fetch(
            url,
            max_bytes=self._config.max_attachment_bytes,
            timeout_seconds=self._config.request_timeout_seconds,
            user_agent=self._config.user_agent,
        )
