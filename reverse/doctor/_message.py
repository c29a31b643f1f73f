"""One short message, as the last step of either diagnosis."""

from __future__ import annotations

import time
from contextlib import aclosing

from reverse import resending
from reverse.chat import ChatRequest, Message, PoeClient
from reverse.events import TextDelta, TextReplaced, UsageReported

_PROMPT = "Please answer with the word OK."


async def send_message(client: PoeClient, bot: str) -> str:
    """Ask, and say how the answer came, without a word of it."""
    began = time.perf_counter()
    first: float | None = None
    characters, points = 0, None
    async with aclosing(resending.stream(client, ChatRequest(bot, [Message("user", _PROMPT)]))) as events:
        async for event in events:
            first = first if first is not None else time.perf_counter() - began
            match event:
                case TextDelta(text):
                    characters += len(text)
                case TextReplaced(text):
                    characters = len(text)
                case UsageReported():
                    points = event.points
    cost = "" if points is None else f", {points} points"
    return f"{characters} characters, the first after {(first or 0) * 1000:.0f} ms{cost}"
