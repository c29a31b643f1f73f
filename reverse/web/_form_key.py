"""Compute the form key by running the page's own function in QuickJS, under limits of time, memory and stack.

The engine is an optional dependency and is imported when first needed: who supplies the form key never loads it.
"""

from __future__ import annotations

import asyncio
import re
import time

from reverse.errors import ErrorCode, poe_error
from reverse.web._bundle import KeyProgram

# CPU seconds, bytes, bytes. The real function takes milliseconds; a page that needs more is not the page we know.
TIME_LIMIT_SECONDS = 2.0
_MEMORY_LIMIT_BYTES = 64 * 1024 * 1024
_STACK_LIMIT_BYTES = 512 * 1024
# The page is capped already; a program of this size would take seconds to compile.
_MAX_SOURCE_CHARS = 8 * 1024 * 1024

_FORM_KEY = re.compile(r"[A-Za-z0-9_-]{32}")


async def evaluate_form_key(program: KeyProgram) -> str:
    """Run the page's scripts and return the first expression's value that can be a form key.

    Runs in a thread, because the engine blocks; its own limits end it, also when the caller is cancelled meanwhile.
    Raises `PoeError` (`PROTOCOL`) where nothing gives one or the engine is not installed.
    """
    return await asyncio.to_thread(_evaluate, program)


def _evaluate(program: KeyProgram) -> str:
    try:
        import quickjs  # type: ignore[import-untyped]  # ships no types
    except ImportError as error:
        raise poe_error(
            ErrorCode.PROTOCOL,
            "deriving the form key needs quickjs-ng; supply the form key with the credentials instead",
        ) from error
    context = quickjs.Context()
    context.set_memory_limit(_MEMORY_LIMIT_BYTES)
    context.set_max_stack_size(_STACK_LIMIT_BYTES)
    deadline = time.monotonic() + TIME_LIMIT_SECONDS
    for source in (*program.scripts, *program.expressions):
        if (remaining := deadline - time.monotonic()) <= 0 or len(source) > _MAX_SOURCE_CHARS:
            break
        context.set_time_limit(remaining)
        try:
            value = context.eval(source)
        except (quickjs.JSException, quickjs.StackOverflow, ValueError):
            # Other scripts of the page fail here for want of a browser; they don't concern the key.
            continue
        if source in program.expressions and isinstance(value, str) and _FORM_KEY.fullmatch(value):
            return value
    # Not chained: the engine's message may quote the page.
    raise poe_error(ErrorCode.PROTOCOL, "the home page's function gave no form key; supply one with the credentials")
