"""Callers of a soak: each sends one request and says, in one word, what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from tests.soak.asked import Asked

CUT = "cut"
LEFT = "left"
NO_SANDBOX = "no sandbox free"
_LAMBDAS_OWN = {429: NO_SANDBOX, 502: CUT}
RETRY_SECONDS = 0.1
# A hang in Poe ends at the function's deadline; a caller that has waited for so long has found a hang of ours.
PATIENCE_SECONDS = 120.0


class Unheard(AssertionError):
    """An answer is not what it may be: it ends twice, or goes on after its end."""


async def call(http: httpx.AsyncClient, asked: Asked) -> str:
    """Send it, again while all sandboxes are busy. `answered`, `left`, `cut`, or the code of the failure.

    Raises `Unheard`, `TimeoutError`.
    """
    try:
        async with asyncio.timeout(asked.leaves_after):
            while (end := await _call(http, asked)) == NO_SANDBOX:  # noqa: ASYNC110 - Lambda tells nobody
                await asyncio.sleep(RETRY_SECONDS)
            return end
    except TimeoutError:
        if asked.leaves_after is None:
            raise
        return LEFT


async def _call(http: httpx.AsyncClient, asked: Asked) -> str:
    try:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            http.stream("POST", asked.path, json=asked.body, headers={"x-request-id": asked.id}) as reply,
        ):
            if reply.headers.get("content-type", "").startswith("text/event-stream"):
                return await _end_of_stream(reply, asked)
            return _end_of_body(reply.status_code, await reply.aread(), asked)
    except httpx.TransportError:
        return CUT


def _end_of_body(status: int, body: bytes, asked: Asked) -> str:
    if status == 200:
        if asked.surface != "speech":
            json.loads(body)
        return "answered"
    error = json.loads(body).get("error")
    if error is None:
        return _LAMBDAS_OWN[status]
    return f"{status} {error.get('code') or error['type']}"


async def _end_of_stream(reply: httpx.Response, asked: Asked) -> str:
    """What the stream ended with: its end, an error, or nothing, which is a cut."""
    end: str | None = None
    # A failed response is told twice, as `response.failed` and as `error`; `[DONE]` follows whatever came.
    may_follow = ()
    async for event, data in _events(reply):
        if end is not None and not (event in may_follow or data == "[DONE]"):
            raise Unheard(f"{asked.id} went on after its end ({end}): {event} {data[:100]}")
        found = "answered" if data == "[DONE]" else _ending(event, json.loads(data))
        may_follow = ("error",) if event == "response.failed" else ()
        end = end or found
    return CUT if end is None else end


def _ending(event: str, data: Any) -> str | None:
    """What an event ends its answer with; `None` for one that doesn't."""
    if data.get("error"):
        error = data["error"]
        return f"in the stream: {error.get('code') or error.get('type')}"
    match data.get("type"):
        case "response.completed" | "response.incomplete" | "message_stop":
            return "answered"
        case "response.failed":
            return f"in the stream: {data['response']['error']['code']}"
        case "error":
            return f"in the stream: {data.get('code')}"
    return "in the stream: error" if event == "error" else None


async def _events(reply: httpx.Response) -> AsyncIterator[tuple[str, str]]:
    event = ""
    async for line in reply.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, value
            event = ""
