"""Runs the scheduled function as EventBridge Scheduler would: at once, then at its rate, in a process of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.aws import ACCOUNT_ID, REGION
from local.reaper import Reaper

logger = logging.getLogger(__name__)


class InvocationError(Exception):
    """The function failed or ran out of time; its log says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledFunction:
    """What to run, and with which variables."""

    handler: str
    environment: Mapping[str, str] = field(repr=False)
    timeout_seconds: float
    log: Path
    reaper: Reaper

    async def invoke(self, event: Mapping[str, Any] | None = None) -> Any:
        """Run it once and return its result. Raises `InvocationError`; cancellation ends the process."""
        command = [sys.executable, "-m", "local.invoke", self.handler, "--timeout-seconds", str(self.timeout_seconds)]
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=self.environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.reaper.watch(process.pid)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                output, _ = await process.communicate(json.dumps(event or _scheduled_event()).encode())
        except TimeoutError:
            raise InvocationError(f"{self.handler} was still running after {self.timeout_seconds:.0f} s") from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            self.reaper.forget(process.pid)
        if process.returncode:
            raise InvocationError(f"{self.handler} failed, see {self.log}")
        return json.loads(output)

    async def invoke_at_rate(self, seconds: float) -> None:
        """Run it now and then every `seconds`, whatever becomes of each run; until cancelled."""
        while True:
            try:
                await self.invoke()
            except InvocationError as error:
                logger.warning("schedule.failed reason=%s", error)
            await asyncio.sleep(seconds)


def _scheduled_event() -> dict[str, Any]:
    """What EventBridge Scheduler sends when the schedule has no input of its own."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT_ID,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": REGION,
        "resources": [f"arn:aws:scheduler:{REGION}:{ACCOUNT_ID}:schedule/default/poe-gateway-refresh-points"],
        "detail": "{}",
    }
