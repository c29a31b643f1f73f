"""The watchdog itself: what it notes, and what it lets pass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.watchdog import Watchdog

PROGRAM = """
import asyncio, time

def work(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass

async def {name}():
    {body}

asyncio.run({name}())
"""


def noted(folder: Path, name: str, body: str) -> list[str]:
    watchdog = Watchdog(folder / name)
    program = PROGRAM.format(name=name, body=body)
    environment = {**os.environ, "PYTHONPATH": str(folder / name)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    return watchdog.take()


def test_a_callback_that_works_for_long_is_noted_with_its_name(tmp_path: Path) -> None:
    (line,) = noted(tmp_path, "hog", "work(0.3)")
    assert "hog" in line


def test_waiting_threads_and_many_short_callbacks_are_not(tmp_path: Path) -> None:
    assert noted(tmp_path, "sleeper", "await asyncio.sleep(0.4)") == []
    assert noted(tmp_path, "thread", "await asyncio.to_thread(work, 0.4)") == []
    assert noted(tmp_path, "giver", "[(work(0.03), await asyncio.sleep(0)) for _ in range(8)]") == []
