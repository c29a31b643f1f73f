"""The scheduled function in a process of its own, with a handler made for the purpose."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from local.reaper import Reaper
from local.schedule import InvocationError, ScheduledFunction

HANDLER = """
import json, os, pathlib, signal, sys
def handler(event, context):
    print("a line of the log")
    runs = pathlib.Path(os.environ["RUNS"])
    with runs.open("a") as file:
        file.write(json.dumps({"event": event, "left": context.get_remaining_time_in_millis()}) + "\\n")
    if event.get("raise"):
        raise ValueError("broken")
    if event.get("hang"):
        signal.pause()
    return {"function": context.function_name, "id": bool(context.aws_request_id)}
"""


@pytest.fixture
def function(tmp_path: Path, reaper: Reaper) -> ScheduledFunction:
    (tmp_path / "made_up.py").write_text(HANDLER)
    environment = {
        "PYTHONPATH": f"{Path.cwd()}:{tmp_path}",
        "RUNS": str(tmp_path / "runs"),
        "AWS_LAMBDA_FUNCTION_NAME": "job",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_REGION": "us-east-1",
    }
    return ScheduledFunction(
        handler="made_up.handler",
        environment=environment,
        timeout_seconds=5,
        log=tmp_path / "job.log",
        reaper=reaper,
    )


async def test_the_handler_gets_eventbridges_event_and_a_context(function, tmp_path):
    assert await function.invoke() == {"function": "job", "id": True}
    run = (tmp_path / "runs").read_text()
    assert '"source": "aws.scheduler"' in run
    assert "a line of the log" in function.log.read_text()


async def test_an_event_of_ones_own_is_passed_on(function, tmp_path):
    await function.invoke({"dry_run": True})
    assert '{"event": {"dry_run": true}' in (tmp_path / "runs").read_text()


async def test_a_handler_that_raises_is_an_error_that_names_the_log(function):
    with pytest.raises(InvocationError, match=r"job\.log"):
        await function.invoke({"raise": True})
    assert "ValueError: broken" in function.log.read_text()


async def test_a_handler_over_its_time_is_killed(function):
    object.__setattr__(function, "timeout_seconds", 0.6)
    with pytest.raises(InvocationError, match="still running"):
        await function.invoke({"hang": True})


async def test_a_failed_run_does_not_end_the_schedule(function, tmp_path):
    runs, enough = 0, asyncio.Event()

    class Failing(ScheduledFunction):
        async def invoke(self, event: Any = None) -> Any:
            nonlocal runs
            runs += 1
            if runs == 3:
                enough.set()
            raise InvocationError("no")

    failing = Failing(handler="x", environment={}, timeout_seconds=1, log=tmp_path / "log", reaper=function.reaper)
    task = asyncio.create_task(failing.invoke_at_rate(0.01))
    async with asyncio.timeout(30):
        await enough.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_run_that_went_well_says_nothing_in_the_terminal(function, tmp_path, caplog):
    """Its own log has the numbers."""
    caplog.set_level("INFO")
    task = asyncio.create_task(function.invoke_at_rate(0.01))
    async with asyncio.timeout(20):
        while not (runs := tmp_path / "runs").exists() or len(runs.read_text().splitlines()) < 2:  # noqa: ASYNC110 (a process writes it)
            await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [record for record in caplog.records if record.name.startswith("local")]
