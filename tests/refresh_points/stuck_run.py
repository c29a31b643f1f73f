"""A run whose readings get stuck after the first few: started as a process, to be killed.

Prints a line when the first readings are recorded and the next ones hang.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Self

from accounts import open_store
from refresh_points.handler import run
from refresh_points.job import Job
from refresh_points.journal import Journal
from refresh_points.settings import Settings
from reverse.chat import PointsReading

ANSWERED = 6
CONCURRENCY = 4


class StuckClient:
    asked = 0
    is_stuck = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass

    async def points(self) -> PointsReading:
        StuckClient.asked += 1
        if StuckClient.asked > ANSWERED:
            StuckClient.is_stuck += 1
            if StuckClient.is_stuck == CONCURRENCY:
                sys.stdout.write("stuck\n")
                sys.stdout.flush()
            await asyncio.Event().wait()
        return PointsReading(777)

    def session_data(self) -> dict[str, Any]:
        return {}


async def main() -> None:
    settings = Settings.from_env(os.environ)
    await run(
        Job(concurrency=CONCURRENCY),
        settings=settings,
        seconds=120,
        store=open_store(table=settings.table, kms_key_id=settings.kms_key_id),
        make_client=lambda *_: StuckClient(),  # type: ignore[arg-type, return-value]
        journal=Journal(stream=sys.stderr),
    )


if __name__ == "__main__":
    asyncio.run(main())
