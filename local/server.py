"""Serves the stack in the foreground until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path

from local.banner import ready_text
from local.function_settings import check_function_variables, remarks
from local.seed import SeedError
from local.service import ServiceError
from local.settings import RunSettings
from local.stack import Stack, StackError
from local.template import TemplateError


class StartError(Exception):
    """The gateway can't be started here; the message says why, and what to do about it."""


def start_server(address: str | None = None, port: int | None = None, *, settings: RunSettings | None = None) -> None:
    """Run the gateway with its stand-ins, as `python -m local run` does, until SIGINT, SIGTERM or SIGHUP.

    Settings come from the environment and `.env`, unless given. Outside the main thread, where Python delivers no
    signals, it runs until the process ends. Leaves no process behind. Raises `StartError`, and `SettingsError` for a
    setting of a function that it would refuse.
    """
    settings = settings or RunSettings.from_env(os.environ)
    check_function_variables(settings.function_variables)
    for remark in remarks({**settings.filed, **os.environ}, settings.function_variables):
        sys.stderr.write(f"{remark}\n")
    if address is not None:
        settings = replace(settings, host=address)
    if port is not None:
        settings = replace(settings, port=int(port))
    try:
        asyncio.run(_serve(settings))
    except* (StackError, ServiceError, SeedError, TemplateError) as failures:
        raise StartError("\n".join(str(failure) for failure in _leaves(failures))) from failures


async def _serve(settings: RunSettings) -> None:
    stop = asyncio.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _say(f"Starting the gateway and its stand-ins (UPSTREAM={settings.upstream}) ...\n")
    serving = asyncio.create_task(_serve_until_failure(settings))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        _say("\nStopping ...\n")
        serving.cancel()
    # A cancelled run has stopped everything before it ends; anything else it ends with is a failure.
    await asyncio.wait({serving})
    if not serving.cancelled() and (failure := serving.exception()) is not None:
        raise failure


async def _serve_until_failure(settings: RunSettings) -> None:
    async with Stack(settings) as stack:
        text = ready_text(
            url=stack.url,
            api_key=stack.seed.api_key,
            upstream=settings.upstream,
            run_file=_shortest(settings.run_file),
            logs=_shortest(settings.upstream_state),
            host=settings.host,
            addresses=_addresses(settings.host, stack.function_url.port),
        )
        _say(text)
        raise StackError(f"{await stack.wait_for_a_failure()} ended by itself")


def _addresses(host: str, port: int) -> list[str]:
    """Where other machines reach this one, as far as it knows: the address that it would speak to others from."""
    if host not in ("0.0.0.0", "::"):
        return [f"http://{host}:{port}/v1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: connecting a datagram socket only chooses the address. 192.0.2.1 is for documentation.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return []
        return [f"http://{probe.getsockname()[0]}:{port}/v1"]


def _shortest(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
