"""Following one answer from the accepted message to its end: updates, silences, lookups, and what trails behind."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Literal

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import Event, Finished, FinishReason
from reverse.web._answer import Answer
from reverse.web._mailbox import Mailbox, Signal
from reverse.web._protocol import MessageUpdate, Update

_log = logging.getLogger(__name__)

Lookup = Callable[[Literal["incomplete", "complete"]], Awaitable[Sequence[MessageUpdate]]]
"""Reads the chat's newest messages; the argument is the state to assume where the history leaves it out."""

# Replies may come one by one: after the first, the next must follow within this time.
_REPLIES_SETTLE_SECONDS = 0.3


async def follow(
    answer: Answer,
    mailbox: Mailbox,
    lookup: Lookup,
    config: PoeConfig,
    *,
    distrust: Callable[[], None],
    suggest_replies: bool,
) -> AsyncGenerator[Event, None]:
    """Yield the answer's events up to `Finished`.

    A silence longer than the limits, and the final loss of the channel, are answered by one lookup in the chat's
    history; only if that shows nothing new either, the answer has failed. A channel that was silent while the answer
    went on is reported through `distrust`. Raises `PoeError`.
    """
    while answer.reason is None:
        limit = config.idle_timeout_seconds if answer.has_started else config.first_event_timeout_seconds
        failure: PoeError | None = None
        update: Update | Signal = Signal.RESYNC
        try:
            update = await mailbox.get(limit)
        except TimeoutError:
            failure = poe_error(ErrorCode.TIMEOUT, "the answer stopped coming")
        except PoeError as error:
            failure = error
        updates = [update] if not isinstance(update, Signal) else await _look_up(lookup, failure)
        progress = False
        for found in updates:
            text, started = answer.text, answer.has_started
            for event in answer.feed(found):
                yield event
            progress |= (answer.text, answer.has_started) != (text, started)
        if failure is None or answer.reason is not None:
            continue
        # A channel that was given up does not come back: what the lookup did not end has failed.
        if not (progress and failure.code is ErrorCode.TIMEOUT):
            raise failure
        distrust()
    async for event in _trailing(answer, mailbox, config, suggest_replies=suggest_replies):
        yield event
    if answer.is_empty and answer.reason is FinishReason.STOP:
        raise poe_error(ErrorCode.EMPTY_ANSWER)
    yield Finished(answer.reason)


async def _look_up(lookup: Lookup, failure: PoeError | None) -> Sequence[MessageUpdate]:
    try:
        return await lookup("complete" if failure else "incomplete")
    except PoeError as error:
        if failure is not None:
            raise failure from error
        # The events still come; if they don't, the silence leads to the next lookup.
        _log.debug("answer.lookup_failed code=%s", error.code)
        return ()


async def _trailing(
    answer: Answer, mailbox: Mailbox, config: PoeConfig, *, suggest_replies: bool
) -> AsyncGenerator[Event, None]:
    """What Poe pushes behind the last text: the cost at once, suggested replies a little later if at all."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + (config.suggested_replies_seconds if suggest_replies else config.trailing_cost_seconds)
    while suggest_replies or not answer.cost_known:
        remaining = deadline - clock()
        if answer.replies_known:
            remaining = min(remaining, _REPLIES_SETTLE_SECONDS)
        try:
            update = await mailbox.get(max(remaining, 0.0))
        except (TimeoutError, PoeError):
            return
        for event in answer.feed(update) if not isinstance(update, Signal) else ():
            yield event
