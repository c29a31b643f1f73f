"""Limits the silence between two items of an asynchronous generator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from reverse.errors import ErrorCode, poe_error

T = TypeVar("T")


async def within(items: AsyncGenerator[T, None], seconds: float | None) -> AsyncGenerator[T, None]:
    """The items; fails with `TIMEOUT` when the next one takes longer. The generator is closed in any case."""
    async with aclosing(items):
        while True:
            try:
                async with asyncio.timeout(seconds):
                    item = await anext(items)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise poe_error(ErrorCode.TIMEOUT, "nothing came for the time that the caller allows") from None
            yield item
