"""One account's exchanges with the documented API: authentication, failures, time and size limits.

Reads are repeated when they fail in passing. A message to a bot is sent once: what may be done after a failure is for
those to decide who know what it has cost (see `reverse.errors.Delivery`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Any

from reverse import tracing
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import Event
from reverse.json_text import parse_object
from reverse.official.decoding import AnswerDecoder
from reverse.official.failures import failure_of_response
from reverse.official.response_reader import ResponseReader
from reverse.official.retry import MAX_RETRIES, retry_delay
from reverse.official.sse import ServerSentEvent, SSEParser
from reverse.official.transports import OfficialTransport
from reverse.wire.transport import (
    OutgoingRequest,
    StreamedReply,
    Transport,
    content_type,
    read_body,
)

_EVENT_STREAM = "text/event-stream"
_MAX_ERROR_BYTES = 65_536

# An answer in one piece comes when all of it is made, a video included: 600 s at the default setting, which is what
# the published client allows (docs/reference/poe-official.md#file-upload).
_WHOLE_ANSWER_FACTOR = 5

# How long an answer's last events wait for the end of its HTTP body, which lets the connection be used again.
_DRAIN_SECONDS = 0.05

# After the reason for ending only usage and an end mark can follow; an answer is not held back for them.
_TRAILER_SECONDS = 5.0

ANTHROPIC_VERSION = "2023-06-01"


class AnswerObserver:
    """Is told what becomes of an answer. A generator around the answer would be resumed for every piece of it."""

    def begun(self) -> None:
        """The first event is about to be yielded."""

    def failed(self, error: PoeError) -> None:
        """This error is about to be raised; it may be changed."""


UNOBSERVED = AnswerObserver()


class Exchange:
    """Sends requests with the account's key and reads the answers."""

    def __init__(
        self,
        credentials: OfficialCredentials | None,
        config: PoeConfig,
        *,
        max_retries: int = MAX_RETRIES,
        transport: Transport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.config = config
        # Without a key only what needs none can be asked: the list of models.
        self._api_key = credentials.api_key if credentials else ""
        self._transport: Transport = transport or OfficialTransport(config)
        # Shared connections are closed by whoever made them.
        self._owns_transport = transport is None
        self._max_retries = max_retries
        self._sleep = sleep

    async def aclose(self) -> None:
        """Close every connection, unless they are shared."""
        if self._owns_transport:
            await self._transport.aclose()

    @property
    def whole_answer_seconds(self) -> float:
        """How long an answer in one piece may take."""
        return _WHOLE_ANSWER_FACTOR * self.config.first_event_timeout_seconds

    def request(self, method: str, path: str, operation: str, **parts: Any) -> OutgoingRequest:
        """A request with a bearer key, if there is one. `parts` are fields of `OutgoingRequest`."""
        return OutgoingRequest(
            method,
            f"{self.config.official_base_url.rstrip('/')}{path}",
            operation,
            headers={**({"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}), **_trace()},
            **parts,
        )

    def messages_request(self, path: str, operation: str, body: Mapping[str, Any]) -> OutgoingRequest:
        """A request in the dialect of /v1/messages, which names its key and its version differently."""
        return OutgoingRequest(
            "POST",
            f"{self.config.official_base_url.rstrip('/')}{path}",
            operation,
            headers={"x-api-key": self._api_key, "anthropic-version": ANTHROPIC_VERSION, **_trace()},
            json=body,
        )

    def upload_request(self, operation: str, **parts: Any) -> OutgoingRequest:
        """A request to the upload address, which takes the bare key without `Bearer`.

        Source: docs/reference/poe-official.md#file-upload.
        """
        return OutgoingRequest(
            "POST", self.config.upload_url, operation, headers={"Authorization": self._api_key}, **parts
        )

    async def fetch(
        self,
        request: OutgoingRequest,
        *,
        max_bytes: int | None = None,
        timeout_seconds: float | None = None,
        is_repeatable: bool = False,
    ) -> tuple[StreamedReply, bytes]:
        """The whole response to `request`.

        Reads, and what `is_repeatable` because it costs nothing, are tried again where that can help; nothing else is.
        `timeout_seconds` bounds each try. Raises the error that the response stands for.
        """
        limit = self.config.max_page_bytes if max_bytes is None else max_bytes
        seconds = self.config.request_timeout_seconds if timeout_seconds is None else timeout_seconds
        attempt = 0
        while True:
            try:
                return await self._fetch_once(request, limit, seconds)
            except PoeError as error:
                # A repeated POST could be paid for twice.
                if request.method != "GET" and not is_repeatable:
                    raise
                await self._pause(error, attempt)
            attempt += 1

    async def fetch_json(
        self, request: OutgoingRequest, *, timeout_seconds: float | None = None, is_repeatable: bool = False
    ) -> dict[str, Any]:
        """The JSON object that answers `request`; see `fetch`. Raises a `protocol` error for any other body."""
        _, body = await self.fetch(request, timeout_seconds=timeout_seconds, is_repeatable=is_repeatable)
        parsed = parse_object(body)
        if parsed is None:
            raise poe_error(ErrorCode.PROTOCOL, "the response is not a JSON object", operation=request.operation)
        return parsed

    async def answer(
        self,
        prepare: Callable[[], Awaitable[OutgoingRequest]],
        new_decoder: Callable[[], AnswerDecoder],
        *,
        whole: bool = False,
        observer: AnswerObserver = UNOBSERVED,
    ) -> AsyncGenerator[Event, None]:
        """The events of the answer to the request that `prepare` makes, which is sent once.

        Raises `PoeError`, which says what became of the request. `whole` waits for one JSON object instead of a stream;
        a server that sends one unasked is understood as well.
        """
        reader = ResponseReader(new_decoder(), self.config)
        has_begun = False
        try:
            request = await prepare()
            seconds = self.whole_answer_seconds if whole else self.config.first_event_timeout_seconds
            deadline = self._now() + seconds
            async with self._opened(request, seconds) as reply:
                is_stream = not whole and content_type(reply) == _EVENT_STREAM
                now = asyncio.get_running_loop().time
                while not reader.is_over:
                    if is_stream and not reader.awaits_trailer:
                        # Written out: a method between this and the bytes would be resumed for every piece.
                        data = await reply.receive(deadline)
                        events = reader.feed(data) if data else reader.end()
                    else:
                        events = await self._rest(reply, reader, deadline, is_stream=is_stream)
                    if reader.is_complete:
                        await self._drain(reply)
                    if events and not has_begun:
                        has_begun = True
                        observer.begun()
                    for event in events:
                        yield event
                    if events:
                        # Moved on by events, not by bytes: an upstream that sends only keep-alives must not hold an
                        # answer open.
                        deadline = now() + self.config.idle_timeout_seconds
                    if reader.awaits_trailer:
                        deadline = min(deadline, now() + _TRAILER_SECONDS)
                # Raised after the events before it were yielded: part of an answer is part of an answer.
                if reader.failure is not None:
                    raise reader.failure
        except PoeError as error:
            error.delivery = Delivery.PARTIAL if has_begun else _delivery(error, reader)
            observer.failed(error)
            raise

    async def server_sent_events(self, request: OutgoingRequest) -> AsyncGenerator[ServerSentEvent, None]:
        """The raw events that answer `request`, without retries: the endpoint's own vocabulary. Raises `PoeError`."""
        deadline = self._now() + self.config.first_event_timeout_seconds
        async with self._opened(request, self.config.first_event_timeout_seconds) as reply:
            if content_type(reply) != _EVENT_STREAM:
                raise poe_error(ErrorCode.PROTOCOL, "the response is not an event stream", operation=request.operation)
            parser = SSEParser(self.config.max_frame_bytes)
            while data := await reply.receive(deadline):
                for event in parser.feed(data):
                    yield event
                    deadline = self._now() + self.config.idle_timeout_seconds

    async def download(self, request: OutgoingRequest, *, max_bytes: int) -> AsyncGenerator[bytes, None]:
        """The body that answers `request`, as it arrives, without retries. Raises `protocol` beyond `max_bytes`."""
        seconds, size = self.config.request_timeout_seconds, 0
        async with self._opened(request, seconds) as reply:
            while data := await reply.receive(self._now() + seconds):
                size += len(data)
                if size > max_bytes:
                    raise poe_error(ErrorCode.PROTOCOL, "the file is larger than allowed", operation=request.operation)
                yield data

    async def _fetch_once(
        self, request: OutgoingRequest, max_bytes: int, timeout_seconds: float
    ) -> tuple[StreamedReply, bytes]:
        deadline = self._now() + timeout_seconds
        async with self._opened(request, timeout_seconds) as reply:
            return reply, await read_body(reply, max_bytes, deadline)

    @asynccontextmanager
    async def _opened(self, request: OutgoingRequest, timeout_seconds: float) -> AsyncIterator[StreamedReply]:
        async with self._transport.open(request, timeout_seconds=timeout_seconds) as reply:
            if not HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
                raise await self._failure(reply)
            yield reply

    async def _failure(self, reply: StreamedReply) -> PoeError:
        body = b""
        try:
            body = await read_body(reply, _MAX_ERROR_BYTES, self._now() + self.config.request_timeout_seconds)
        except PoeError:
            pass  # the status alone decides
        return failure_of_response(reply.status, reply.headers, body, operation=reply.operation)

    async def _rest(
        self, reply: StreamedReply, reader: ResponseReader, deadline: float, *, is_stream: bool
    ) -> list[Event]:
        """What comes behind a streamed answer that is whole, or all of an answer in one piece."""
        if not is_stream:
            return reader.read_whole(await read_body(reply, self.config.max_page_bytes, deadline))
        data = b""
        with suppress(PoeError):  # nobody needs what does not come
            data = await reply.receive(deadline)
        return reader.feed(data) if data else reader.end()

    async def _drain(self, reply: StreamedReply) -> None:
        """Read the response to its end: its connection then serves the next question without a handshake."""
        with suppress(PoeError):  # the connection is closed instead; the answer is whole
            await reply.receive(self._now() + _DRAIN_SECONDS)

    async def _pause(self, error: PoeError, attempt: int) -> None:
        """Wait before the next try, or raise `error` when there is to be none."""
        delay = retry_delay(error, attempt, jitter=random.random(), max_retries=self._max_retries)  # noqa: S311  jitter
        if delay is None:
            raise error
        await self._sleep(delay)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _delivery(error: PoeError, reader: ResponseReader) -> Delivery:
    """What became of a message that nothing was yielded of."""
    # Whatever Poe says in mid-stream, it had taken the message, and may have charged for it.
    return Delivery.FAILED if reader.has_begun and error.delivery is Delivery.REFUSED else error.delivery


def _trace() -> dict[str, str]:
    """The trace of the request on whose behalf Poe is asked, where its caller named one."""
    trace = tracing.current.get()
    return {} if trace is None else {tracing.HEADER: trace}
