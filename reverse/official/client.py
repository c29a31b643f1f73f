"""A client of Poe's documented API for one account."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Self

from reverse.chat import ChatRequest, PointsReading
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.events import Event
from reverse.official import chat_completions
from reverse.official.attachments import check_sizes
from reverse.official.catalogue import ModelInfo, parse_models
from reverse.official.chat_completions import ChatCompletionDecoder, build_chat_body
from reverse.official.exchange import Exchange
from reverse.official.points import PointsSpent, parse_balance, parse_history
from reverse.official.retry import MAX_RETRIES

_HISTORY_PAGE = 100  # the most that one page holds (C.4)


class PoeOfficialClient:
    """Asks Poe's documented API with one account's key. Implements `reverse.chat.PoeClient`.

    One round trip before the first token; the connection is kept for the next question. Safe to use from several
    tasks of one event loop at a time. `max_retries` counts repetitions of one call, all before the first event.
    """

    def __init__(
        self,
        credentials: OfficialCredentials,
        config: PoeConfig | None = None,
        *,
        max_retries: int = MAX_RETRIES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config = config or PoeConfig()
        self._exchange = Exchange(credentials, self._config, max_retries=max_retries, sleep=sleep)
        self._models: dict[str, ModelInfo] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice; no network call."""
        await self._exchange.aclose()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Ask a bot and yield what happens until the answer ends. See `reverse.chat.PoeClient.stream`.

        Closing the generator or cancelling the task closes the connection, which stops the answer upstream.
        """
        for message in request.messages:
            check_sizes(message.attachments, self._config.max_attachment_bytes)
        info = self._models.get(request.bot.lower())
        whole = info is not None and info.makes_media
        body = build_chat_body(request, streamed=not whole)
        sent = self._exchange.request("POST", "/v1/chat/completions", chat_completions.OPERATION, json=body)
        events = self._exchange.answer(sent, ChatCompletionDecoder, whole=whole)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def models(self) -> list[ModelInfo]:
        """The bots that the API offers. Later questions to them use what the list says. Raises `PoeError`."""
        body = await self._exchange.fetch_json(self._exchange.request("GET", "/v1/models", "models"))
        models = parse_models(body)
        self._models = {model.id.lower(): model for model in models}
        return models

    async def points(self) -> PointsReading:
        """The account's balance and next grant. Raises `PoeError`."""
        request = self._exchange.request("GET", "/usage/current_balance", "current_balance")
        return parse_balance(await self._exchange.fetch_json(request))

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
            request = self._exchange.request("GET", "/usage/points_history", "points_history", query=query)
            entries, has_more = parse_history(await self._exchange.fetch_json(request))
            for entry in entries[:remaining]:
                yield entry
            remaining -= len(entries)
            last = entries[-1].query_id if entries else ""
            if not has_more or not last or last == cursor:
                return
            cursor = last

    def session_data(self) -> dict[str, Any]:
        """Nothing: the key is all there is."""
        return {}
