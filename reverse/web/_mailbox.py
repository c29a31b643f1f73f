"""A bounded queue for the updates of one chat, between the channel's reader and the answer's reader."""

from __future__ import annotations

import asyncio
from collections import deque
from enum import Enum, auto

from reverse.errors import PoeError
from reverse.web._protocol import MessageUpdate, Update

_COALESCE_FROM = 8
_CAPACITY = 128


class Signal(Enum):
    """What a mailbox can hold besides updates."""

    RESYNC = auto()
    """Updates may have been missed: look the answer up, then go on."""


class Mailbox:
    """A bounded queue with one writer, who never waits, and one reader.

    A reader that falls behind loses no text: every snapshot has the whole text, so while the queue is long a newer
    snapshot takes the place of the one before it. What still doesn't fit is dropped, and a lookup makes up for it.
    """

    def __init__(self, chat_id: int | None = None) -> None:
        self.chat_id = chat_id
        """`None` while the chat is being created."""
        self._updates: deque[Update] = deque()
        self._must_resync = False
        self._error: PoeError | None = None
        # Whom to wake: resolved when something arrives; `None` while nobody waits.
        self._waiter: asyncio.Future[None] | None = None

    def put(self, update: Update) -> None:
        """Add an update."""
        self._wake()
        updates = self._updates
        # From some length on only: a reader that keeps up sees every step.
        if len(updates) >= _COALESCE_FROM and _supersedes(update, updates[-1]):
            updates[-1] = update
            return
        if len(updates) >= _CAPACITY:
            # The oldest: later snapshots have its text.
            updates.popleft()
            self._must_resync = True
        updates.append(update)

    def resync(self) -> None:
        """Tell the reader that updates may be missing."""
        self._must_resync = True
        self._wake()

    def fail(self, error: PoeError) -> None:
        """Tell the reader that nothing will come any more."""
        self._error = error
        self._wake()

    def take_over(self, early: Mailbox) -> None:
        """Continue with what arrived before the chat was known to be ours."""
        self._updates.extendleft(reversed(early._updates))
        self._must_resync |= early._must_resync
        self._wake()

    async def get(self, timeout_seconds: float) -> Update | Signal:
        """The next update. Raises `TimeoutError`, or the `PoeError` with which the channel was given up."""
        while True:
            # What has arrived is read before the failure that came after it.
            if self._updates:
                return self._updates.popleft()
            if self._must_resync:
                self._must_resync = False
                return Signal.RESYNC
            if self._error is not None:
                raise self._error
            await self._wait(timeout_seconds)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self, timeout_seconds: float) -> None:
        # Written out, because it runs for every piece of an answer: a timeout's context and an event cost more than
        # all the rest of its way through here.
        loop = asyncio.get_running_loop()
        waiter = self._waiter = loop.create_future()
        timer = loop.call_later(timeout_seconds, _expire, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _supersedes(update: Update, last: Update) -> bool:
    return (
        isinstance(update, MessageUpdate)
        and isinstance(last, MessageUpdate)
        and update.message_id == last.message_id
        and not last.is_terminal
        and len(update.text) >= len(last.text)
        and len(update.files) >= len(last.files)
    )
