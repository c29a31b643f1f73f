"""Asking a bot from a program that has no plan of its own: a message is sent again where Poe certainly did not take it.

The gateway does not use this: it decides over all its accounts what to do after a failure.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from reverse.chat import ChatRequest, PoeClient
from reverse.errors import Delivery, ErrorCode, PoeError
from reverse.events import Event

MAX_SENDS = 2


def may_resend(error: PoeError) -> bool:
    """Whether the same message may be sent again at once: it never left, or was rejected for its form key."""
    is_unsent = error.delivery is Delivery.NOT_SENT and error.code is ErrorCode.CONNECTION_FAILED
    return is_unsent or error.code is ErrorCode.STALE_FORM_KEY


async def stream(client: PoeClient, request: ChatRequest) -> AsyncGenerator[Event, None]:
    """`client.stream(request)`, sent at most twice: see `may_resend`.

    A bot that the official API knows only in its bot protocol is asked there. Raises `PoeError`.
    """
    try:
        async with aclosing(resent(lambda: client.stream(request))) as events:
            async for event in events:
                yield event
        return
    except PoeError as error:
        if not error.may_be_bot_only:
            raise
        unknown = error
    try:
        async with aclosing(client.stream(replace(request, in_bot_protocol=True))) as events:
            async for event in events:
                yield event
    except PoeError as error:
        # Unknown there, too: the first refusal is about the endpoint that nearly every bot has.
        raise unknown if error.code is ErrorCode.BOT_NOT_FOUND else error from None


async def resent(ask: Callable[[], AsyncGenerator[Event, None]]) -> AsyncGenerator[Event, None]:
    """The events of `ask()`, called again once where `may_resend` allows it. Raises `PoeError`."""
    for left in reversed(range(MAX_SENDS)):
        try:
            async with aclosing(ask()) as events:
                async for event in events:
                    yield event
            return
        except PoeError as error:
            if not left or not may_resend(error):
                raise
