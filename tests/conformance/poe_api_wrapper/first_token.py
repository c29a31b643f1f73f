"""Runs the published client, as it is, and writes when it asked and when it had the first text. Needs only that client.

Usage: python first_token.py; a JSON line per way, with seconds of `time.monotonic`.
"""

from __future__ import annotations

import asyncio
import json
import time


def report(way, since, first):
    print(json.dumps({"way": way, "since": since, "until": first}), flush=True)


async def first_text(client):
    first = None
    async for chunk in client.send_message(bot="GPT-4o", message="count 5"):
        if first is None and chunk["response"]:
            first = time.monotonic()
    return first


async def main():
    from poe_api_wrapper import AsyncPoeApi

    since = time.monotonic()
    client = await AsyncPoeApi({"p-b": "cookie-1", "p-lat": "lat"}).create()
    report("new client", since, await first_text(client))
    since = time.monotonic()
    report("warm", since, await first_text(client))


asyncio.run(main())
