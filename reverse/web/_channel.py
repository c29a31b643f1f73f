"""The realtime channel of one account: one WebSocket, one task that owns it, and a mailbox per answer awaited.

The only module that imports websockets. Events of all chats of the account arrive here, whoever caused them
(docs/reference/poe-web.md#channel). The task lives while somebody waits for a connection or for an answer, or the
connection is open; it connects, reads, and after a loss connects again as long as answers are awaited. Nothing is
polled.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Origin

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.tls import tls_context
from reverse.web._bundle import ChannelSettings
from reverse.web._mailboxes import Mailboxes
from reverse.web._protocol import Control, Frame, parse_frame
from reverse.web._session import Session

_log = logging.getLogger(__name__)
# At debug level the library writes addresses and whole frames, which hold secrets and answers.
_silent = logging.getLogger(f"{__name__}.frames")
_silent.setLevel(logging.CRITICAL + 1)

# Attempts in a row: few while a caller waits before anything was sent, more while an answer is being written.
_ATTEMPTS_BEFORE_SENDING = 2
_ATTEMPTS_IN_ANSWER = 6
_FIRST_DELAY_SECONDS = 0.25
_MAX_DELAY_SECONDS = 5.0
# A connection that ends sooner counts as an attempt that got nowhere: Poe may accept and drop us over and over.
_USEFUL_SECONDS = 1.0
# The protocol's own ping keeps proxies from closing an idle socket, and notices a dead one in mid-answer
# (docs/reference/poe-web.md#channel).
_PING_INTERVAL_SECONDS = 20.0
_PING_TIMEOUT_SECONDS = 10.0

_TRANSIENT = {
    ErrorCode.CONNECTION_FAILED,
    ErrorCode.TIMEOUT,
    ErrorCode.UPSTREAM_FAILED,
    ErrorCode.OVERLOADED,
    ErrorCode.PROTOCOL,
}


def reconnect_delay(error: PoeError | None, failures: int, *, in_answer: bool, jitter: float) -> float | None:
    """How long to wait before connecting again, in seconds; `None` means to give up.

    `error` is `None` where a connection was lost, `failures` counts the attempts that got nowhere since the last that
    worked, `jitter` is a random number from 0 to 1. The first repetition comes at once.
    """
    attempts = _ATTEMPTS_IN_ANSWER if in_answer else _ATTEMPTS_BEFORE_SENDING
    if failures >= attempts or (error is not None and error.code not in _TRANSIENT):
        return None
    if failures <= 1:
        return 0.0
    return min(_FIRST_DELAY_SECONDS * 2.0 ** (failures - 2), _MAX_DELAY_SECONDS) * (0.5 + jitter / 2)


class Channel:
    """The channel. `fetch_settings` and `subscribe` are the two calls of the HTTP side that it needs."""

    def __init__(
        self,
        config: PoeConfig,
        session: Session,
        *,
        fetch_settings: Callable[[], Awaitable[ChannelSettings]],
        subscribe: Callable[[], Awaitable[object]],
        wall_clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self._config = config
        self._session = session
        self._fetch_settings = fetch_settings
        self._subscribe = subscribe
        self._wall_clock = wall_clock
        self._rng = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        # The open connection; `None` while there is none or it is being replaced.
        self._connection: ClientConnection | None = None
        # Owner of the connection; `None` before the first use.
        self._task: asyncio.Task[None] | None = None
        # Resolved when the connection opens or is given up; callers of `ensure` wait for it.
        self._ready: asyncio.Future[None] | None = None
        self._waiting = 0
        # One caller at a time asks whether the connection is still alive.
        self._checking = asyncio.Lock()
        # Wall-clock times, because the monotonic clock may stand still while the process is frozen.
        self._opened_at = 0.0
        self._heard_at = 0.0
        # Set when the settings in the session led to a connection that failed or was ended.
        self._settings_are_stale = False
        self.mailboxes = Mailboxes()
        """Of the answers awaited."""
        self._is_closed = False

    async def ensure(self) -> None:
        """Return when the channel is open, subscribed and trusted; otherwise raise the `PoeError` that is the cause.

        Cancelling one caller does not disturb the others.
        """
        if self._is_closed:
            raise RuntimeError("the client is closed")
        # A socket may have died while the process was frozen, and the first sign would be an answer that never comes.
        if self._connection is not None and self._is_doubtful():
            async with self._checking:
                await self._check()
        self._waiting += 1
        try:
            # A connection may open and be lost again before this caller runs; the task's own policy bounds the loop.
            while self._connection is None:
                if self._ready is None or self._ready.done():
                    self._ready = asyncio.get_running_loop().create_future()
                    # Every waiter may have been cancelled by the time it fails.
                    self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
                if self._task is None or self._task.done():
                    self._task = asyncio.create_task(self._run(), name="poe-channel")
                # Shared by all who wait: one that is cancelled must not cancel it for the others.
                await asyncio.shield(self._ready)
        finally:
            self._waiting -= 1

    def distrust(self) -> None:
        """Drop the connection because events do not come through it; answers awaited bring a new one."""
        connection = self._connection
        if connection is not None:
            self._lose(connection)
            connection.transport.abort()

    async def aclose(self) -> None:
        """Drop the connection and end the task, without a word to the server. Safe to call twice."""
        self._is_closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        self.mailboxes.clear()

    def _is_doubtful(self) -> bool:
        now = self._wall_clock()
        return not self._was_heard_lately(now) or self._is_old(now)

    def _was_heard_lately(self, now: float) -> bool:
        # A clock that was set back says nothing about the silence.
        return 0 <= now - self._heard_at <= self._config.channel_trust_seconds

    def _is_old(self, now: float) -> bool:
        return not self.mailboxes and now - self._opened_at > self._config.channel_max_age_seconds

    async def _check(self) -> None:
        """Prove the connection alive, or drop it."""
        connection = self._connection
        if connection is None or not self._is_doubtful():
            return
        if not self._is_old(self._wall_clock()):
            with suppress(TimeoutError, ConnectionClosed, OSError):
                async with asyncio.timeout(self._config.channel_ping_timeout_seconds):
                    await (await connection.ping())
                self._heard_at = self._wall_clock()
                return
        self.distrust()

    async def _run(self) -> None:
        error = poe_error(ErrorCode.CONNECTION_FAILED, "the channel was closed")
        failures = 0
        try:
            # Nobody needs it otherwise: a lost connection is then opened again with the next message only.
            while self._waiting or self.mailboxes:
                cause: PoeError | None = None
                try:
                    was_useful = await self._serve()
                    failures = 0 if was_useful else failures + 1
                    error = poe_error(ErrorCode.CONNECTION_FAILED, "the channel keeps closing", operation="channel")
                except PoeError as failure:
                    cause, error = failure, failure
                    failures += 1
                self._settings_are_stale = True
                _log.debug("channel.lost code=%s failures=%d", cause and cause.code, failures)
                delay = reconnect_delay(cause, failures, in_answer=bool(self.mailboxes), jitter=self._rng.random())
                if delay is None:
                    break
                await asyncio.sleep(delay)
        except Exception as defect:  # noqa: BLE001 - nobody awaits this task, and the loop would log the text
            error = poe_error(ErrorCode.PROTOCOL, f"the channel failed: {type(defect).__name__}", operation="channel")
            _log.error("channel.failed error=%s", type(defect).__name__)
        finally:
            if self._ready is not None and not self._ready.done():
                self._ready.set_exception(error)
            self.mailboxes.fail(error)

    async def _serve(self) -> bool:
        """Open one connection and read it to its end; says whether it lasted long enough to have been of use."""
        connection = await self._open()
        loop = asyncio.get_running_loop()
        opened_at = loop.time()
        try:
            self._connection = connection
            self._opened_at = self._heard_at = self._wall_clock()
            if self._ready is not None and not self._ready.done():
                self._ready.set_result(None)
            # Whoever waits already was there before this connection, and may have missed something.
            self.mailboxes.resync()
            await self._read(connection)
            return loop.time() - opened_at > _USEFUL_SECONDS
        finally:
            self._lose(connection)
            connection.transport.abort()
            await connection.wait_closed()

    def _lose(self, connection: ClientConnection) -> None:
        if self._connection is connection:
            self._connection = None

    async def _open(self) -> ClientConnection:
        """Settings, if those at hand can't be used; then subscription and handshake side by side.

        Nothing is sent to a bot before both are done, so no event can fall between them. Two round trips with new
        settings, one with those of the session.
        """
        settings = self._session.channel
        age = self._wall_clock() - self._session.channel_fetched_at
        if settings is None or self._settings_are_stale or age > self._config.channel_max_age_seconds:
            settings = await self._fetch_settings()
            self._settings_are_stale = False
        opening = asyncio.create_task(self._handshake(settings), name="poe-channel-handshake")
        try:
            await self._subscribe()
            return await opening
        except BaseException:
            opening.cancel()
            (result,) = await asyncio.gather(opening, return_exceptions=True)
            if isinstance(result, ClientConnection):
                result.transport.abort()
                await result.wait_closed()
            raise

    async def _handshake(self, settings: ChannelSettings) -> ClientConnection:
        config = self._config
        base = config.channel_url.replace("{n}", str(self._rng.randint(1, 1_000_000)))
        base = base.replace("{base_host}", settings.base_host).rstrip("/")
        query = f"min_seq={self._session.min_seq}&channel={quote(settings.channel)}&hash={quote(settings.channel_hash)}"
        try:
            return await connect(
                f"{base}/up/{settings.box_name}/updates?{query}",
                # One `Origin`, as the protocol demands; the older client sends two
                # (docs/reference/poe-web.md#socket-handshake).
                origin=Origin(config.web_base_url.rstrip("/")),
                user_agent_header=self._session.credentials.user_agent or config.user_agent,
                ssl=tls_context() if urlsplit(base).scheme == "wss" else None,
                # Always given: `None` keeps the library from taking one out of the environment.
                proxy=config.proxy,
                # Frames are small JSON; compressing them costs more time than it saves.
                compression=None,
                open_timeout=config.connect_timeout_seconds,
                ping_interval=_PING_INTERVAL_SECONDS,
                ping_timeout=_PING_TIMEOUT_SECONDS,
                max_size=config.max_frame_bytes,
                logger=_silent,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            raise poe_error(
                ErrorCode.CONNECTION_FAILED, "Poe refused the channel", operation="channel", status=status
            ) from None
        except TimeoutError:
            raise poe_error(ErrorCode.TIMEOUT, "the channel did not open in time", operation="channel") from None
        except (OSError, WebSocketException, ValueError) as error:
            # Not chained: the address is a secret, and some of these errors quote it.
            _log.debug("channel.handshake_failed error=%s", type(error).__name__)
            raise poe_error(ErrorCode.CONNECTION_FAILED, operation="channel") from None

    async def _read(self, connection: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                # As bytes: nothing decodes the frame's text but the JSON decoder, which checks it as well.
                data = await connection.recv(decode=False)
                self._note_sign_of_life()
                try:
                    frame = parse_frame(data, self.mailboxes.chat_ids())
                except PoeError:
                    _log.debug("channel.frame_ignored size=%d", len(data))
                    continue
                # Before the pong: an answer's text does not wait for the socket to take bytes.
                self._deliver(frame)
                if frame.control is Control.PING:
                    await connection.send('{"type":"pong"}')
                elif frame.control is Control.REFETCH:
                    return

    def _note_sign_of_life(self) -> None:
        """After a long silence a frame proves nothing: it may have come while the process was frozen."""
        now = self._wall_clock()
        if self._was_heard_lately(now):
            self._heard_at = now

    def _deliver(self, frame: Frame) -> None:
        self.mailboxes.deliver(frame.updates)
        # Never back: a frame that is repeated would have events replayed that were read.
        if frame.min_seq is not None and frame.min_seq > self._session.min_seq:
            self._session.min_seq = frame.min_seq
