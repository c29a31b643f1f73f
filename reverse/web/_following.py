"""Follows one answer from the accepted message to its end: updates, silence, lookups, and the cost that comes last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Literal

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import Event, Finished, FinishReason
from reverse.web._decoder import WebAnswerDecoder
from reverse.web._mailbox import Mailbox, Signal
from reverse.web._protocol import MessageUpdate, Update

_log = logging.getLogger(__name__)

Lookup = Callable[[Literal["incomplete", "complete"]], Awaitable[Sequence[MessageUpdate]]]
"""Reads the chat's newest messages; the argument is the state to assume where the history leaves it out."""

# Replies may come one by one: after the first, the next must follow within this time.
_REPLIES_SETTLE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Following:
    """One answer and what it takes to follow it.

    `distrust` is called when the channel was silent while the answer went on: events do not come through it.
    """

    answer: WebAnswerDecoder
    mailbox: Mailbox
    lookup: Lookup
    distrust: Callable[[], None]
    config: PoeConfig
    suggest_replies: bool

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the answer's events up to `Finished`.

        A silence longer than the limits, and the final loss of the channel, are answered by one lookup in the chat's
        history; only if that shows nothing new either, the answer has failed. Raises `PoeError`.
        """
        answer = self.answer
        while answer.reason is None:
            failure, updates = await self._next_updates()
            before = answer.text, answer.has_started
            for update in updates:
                for event in answer.feed(update):
                    yield event
            if failure is not None and answer.reason is None:
                self._accept_or_raise(failure, progress=(answer.text, answer.has_started) != before)
        async for event in self._trailing():
            yield event
        if answer.is_empty and answer.reason is FinishReason.STOP:
            # A bot that only makes files may attach them behind its end.
            for found in await self._look_up(poe_error(ErrorCode.EMPTY_ANSWER)):
                for event in answer.feed(found):
                    yield event
            if answer.is_empty:
                raise poe_error(ErrorCode.EMPTY_ANSWER)
        yield Finished(answer.reason)

    async def _next_updates(self) -> tuple[PoeError | None, Sequence[Update]]:
        """The next update, or those that a lookup gives; in that case perhaps with the failure that led to it."""
        config = self.config
        # Models think long before their first word, and rarely stop in the middle.
        limit = config.idle_timeout_seconds if self.answer.has_started else config.first_event_timeout_seconds
        failure: PoeError | None = None
        try:
            update = await self.mailbox.get(limit)
            if not isinstance(update, Signal):
                return None, (update,)
        except TimeoutError:
            failure = poe_error(ErrorCode.TIMEOUT, "the answer stopped coming")
        except PoeError as error:
            failure = error
        return failure, await self._look_up(failure)

    def _accept_or_raise(self, failure: PoeError, *, progress: bool) -> None:
        # A channel that was given up does not come back: what the lookup did not end has failed.
        if not progress or failure.code is not ErrorCode.TIMEOUT:
            raise failure
        # The answer went on while the socket said nothing: events do not come through it.
        self.distrust()

    async def _look_up(self, failure: PoeError | None) -> Sequence[MessageUpdate]:
        try:
            return await self.lookup("complete" if failure else "incomplete")
        except PoeError as error:
            if failure is not None:
                raise failure from error
            # The events still come; if they don't, the silence leads to the next lookup.
            _log.debug("answer.lookup_failed code=%s", error.code)
            return ()

    async def _trailing(self) -> AsyncGenerator[Event, None]:
        """What Poe pushes behind the last text: the cost at once, suggested replies a little later if at all."""
        answer, config, clock = self.answer, self.config, asyncio.get_running_loop().time
        # Every answer waits for this, so it is short unless the caller has asked for more.
        wait = config.suggested_replies_seconds if self.suggest_replies else config.trailing_cost_seconds
        deadline = clock() + wait
        while self.suggest_replies or not answer.cost_known:
            remaining = deadline - clock()
            if answer.replies_known:
                remaining = min(remaining, _REPLIES_SETTLE_SECONDS)
            try:
                update = await self.mailbox.get(max(remaining, 0.0))
            # The answer is whole: what fails now costs at most its price or its suggestions.
            except (TimeoutError, PoeError):
                return
            for event in answer.feed(update) if not isinstance(update, Signal) else ():
                yield event
