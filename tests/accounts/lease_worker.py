"""Leases and releases in a process of its own, and prints when it held what: `slot held_from held_until`."""

from __future__ import annotations

import asyncio
import os
import sys
import time

from accounts import Intention, LeaseRequest, NoAccountError, Outcome, SendRecord, open_store

TASKS = 8
ROUNDS = 4
INTENTION = Intention(key_id="k", model="m")


async def main(table: str, key_id: str, name: str) -> None:
    store = open_store(table=table, kms_key_id=key_id, environ=os.environ)

    async def work(number: int) -> None:
        done = attempts = 0
        while done < ROUNDS:
            attempts += 1
            owner = f"{name}-{number}-{attempts}"
            try:
                lease = await store.lease(LeaseRequest(owner=owner, bot="b", ttl_seconds=60, intention=INTENTION))
            except NoAccountError:
                await asyncio.sleep(0.01)
                continue
            held_from = time.monotonic()
            await asyncio.sleep(0)
            held_until = time.monotonic()
            await store.release(lease, Outcome(), usage=SendRecord())
            sys.stdout.write(f"{lease.account.id}/{lease.slot} {held_from} {held_until}\n")
            done += 1

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(number) for number in range(TASKS)))
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
