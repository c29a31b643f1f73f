"""The whole gateway on this machine: AWS's stand-in, Poe's stand-ins, the functions, and the schedule, as one thing."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import httpx

from local import functions
from local.aws.client import LocalAws
from local.function_url import FunctionUrl
from local.reaper import Reaper
from local.run_file import LOCK, write_run_file
from local.schedule import ScheduledFunction
from local.seed import OFFICIAL_KEY, WEB_COOKIES, Seed, SeedError
from local.service import Service
from local.settings import ROOT, RUN_MARK, RunSettings, Upstream
from local.template import Template

TEMPLATE = ROOT / "template.yaml"
_URL = re.compile(r"https?://[^\s,)]+")


class StackError(Exception):
    """The stack can't start; the message says why, and what to do about it."""


class Stack:
    """`async with Stack(settings) as stack:` has everything running inside the block, and nothing after it.

    Raises `StackError`, `ServiceError`, `SeedError`, `TemplateError` on entry, with everything stopped again.
    """

    def __init__(self, settings: RunSettings) -> None:
        self.settings = settings
        self.url = ""
        """Of the gateway, without `/v1`."""
        self.seed = Seed(settings.upstream_state / "seed.json")
        self.admin_key = ""
        self._stack = AsyncExitStack()
        self._services: list[Service] = []

    # What runs; there between entry and exit.
    aws: LocalAws
    function_url: FunctionUrl
    refresh: ScheduledFunction
    stand_ins: Mapping[str, str]
    """Variables that point a function at the stand-ins."""

    async def __aenter__(self) -> Self:
        # Until everything has started: what fails on the way is undone in the opposite order.
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        settings, state = self.settings, self.settings.upstream_state
        try:
            _make_private(settings.state)
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(_lock(settings.state / LOCK))
            # Of a run that was killed together with what looks after it.
            settings.run_file.unlink(missing_ok=True)
        except OSError as error:
            raise _no_room(settings, error) from None
        # Before the stand-ins, which take seconds.
        _check_port(settings.host, settings.port)
        reaper = Reaper()
        stack.callback(reaper.close)
        # At the same time: each of them imports for a second or two.
        async with asyncio.TaskGroup() as tasks:
            aws = tasks.create_task(self._start_aws(stack, reaper))
            poe = self._start_simulators(tasks, stack, reaper) if settings.upstream is Upstream.SIMULATOR else {}
        self.aws = aws.result()
        self.stand_ins = {**self.aws.environment, **_poe_variables({name: task.result() for name, task in poe.items()})}
        template = Template.load(TEMPLATE, self.aws.references)
        overrides = settings.function_variables
        function = functions.gateway_function(
            template, stand_ins=self.stand_ins, overrides=overrides, log=state / "gateway.log"
        )
        self.refresh = ScheduledFunction(
            handler=template.function(functions.REFRESH_POINTS)["Handler"],
            environment=functions.refresh_environment(template, stand_ins=self.stand_ins, overrides=overrides),
            timeout_seconds=functions.refresh_timeout_seconds(template),
            log=state / "refresh_points.log",
            reaper=reaper,
        )
        self.function_url = await stack.enter_async_context(
            FunctionUrl(function, host=settings.host, port=settings.port, sandboxes=settings.sandboxes)
        )
        self.url = f"http://{_reachable(settings.host)}:{self.function_url.port}"
        self.admin_key = overrides.get("GATEWAY_ADMIN_KEY") or await self.aws.read_secret("AdminSecret")
        try:
            await self.seed.plant(self.url, self.admin_key, sample_accounts=settings.upstream is Upstream.SIMULATOR)
        except (SeedError, httpx.HTTPError) as error:
            raise StackError(f"The gateway does not answer as it should ({error}). Its log: {function.log}") from error
        except OSError as error:
            raise _no_room(settings, error) from None
        # Last of all: who finds the file finds a gateway that answers.
        self._write_run_file(self._run_variables(function.environment), reaper)
        stack.callback(settings.run_file.unlink, missing_ok=True)
        schedule = asyncio.create_task(self.refresh.invoke_at_rate(functions.schedule_seconds(template)))
        stack.push_async_callback(_cancel, schedule)

    def _write_run_file(self, variables: Mapping[str, str], reaper: Reaper) -> None:
        path = self.settings.run_file
        try:
            write_run_file(path, variables)
        except OSError as error:
            raise _no_room(self.settings, error) from None
        reaper.remove_at_end(path)

    async def _start_aws(self, stack: AsyncExitStack, reaper: Reaper) -> LocalAws:
        state = self.settings.upstream_state / "aws.json"
        aws = await LocalAws.start(template=TEMPLATE, state=state, environment=_process_environment(), reaper=reaper)
        stack.push_async_callback(aws.stop)
        self._services.append(aws.service)
        return aws

    def _start_simulators(
        self, tasks: asyncio.TaskGroup, stack: AsyncExitStack, reaper: Reaper
    ) -> dict[str, asyncio.Task[str]]:
        """Tasks that give the simulators' addresses."""
        cookies = [option for cookie in WEB_COOKIES for option in ("--account", cookie)]
        state = str(self.settings.upstream_state / "poe_web.json")
        options = {"poe_web": [*cookies, "--state", state], "poe_official": ["--api-key", OFFICIAL_KEY]}
        return {
            module: tasks.create_task(self._start_simulator(stack, reaper, module, given))
            for module, given in options.items()
        }

    async def _start_simulator(self, stack: AsyncExitStack, reaper: Reaper, module: str, options: list[str]) -> str:
        service = await Service.start(
            module,
            [sys.executable, "-m", f"local.{module}", "--port", "0", *options],
            environment=_process_environment(),
            reaper=reaper,
        )
        stack.push_async_callback(service.stop)
        self._services.append(service)
        match = _URL.search(service.ready_line)
        if match is None:
            raise StackError(f"{module} did not say where it listens")
        return match[0].rstrip("/")

    def _run_variables(self, function_environment: Mapping[str, str]) -> dict[str, str]:
        """For other terminals: clients, the command line, `uvicorn gateway.asgi:app`, `make sam-local`."""
        names = ("GATEWAY_TABLE", "GATEWAY_KMS_KEY_ID")
        return {
            **{name: function_environment[name] for name in names if name in function_environment},
            **self.stand_ins,
            RUN_MARK: self.url,
            "GATEWAY_URL": self.url,
            "GATEWAY_ADMIN_KEY": self.admin_key,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": self.seed.api_key,
        }

    async def wait_for_a_failure(self) -> str:
        """Return the name of the first stand-in that ended by itself."""
        waiting = {asyncio.create_task(service.wait()): service.name for service in self._services}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return waiting[done.pop()]
        finally:
            for task in waiting:
                task.cancel()


def _no_room(settings: RunSettings, error: OSError) -> StackError:
    reason = error.strerror or error
    return StackError(f"Can't write to {settings.state} ({reason}). Make room, or use another folder: STATE=...")


def _poe_variables(addresses: Mapping[str, str]) -> dict[str, str]:
    """Settings that point the functions at the simulators; none for the live services."""
    if not addresses:
        return {}
    return {
        "GATEWAY_POE_WEB_BASE_URL": addresses["poe_web"],
        "GATEWAY_POE_WEB_CHANNEL_URL": "ws://{base_host}",
        "GATEWAY_POE_OFFICIAL_BASE_URL": addresses["poe_official"],
        "GATEWAY_POE_UPLOAD_URL": f"{addresses['poe_official']}/poe_api/file_upload_3RD_PARTY_POST",
    }


def _make_private(folder: Path) -> None:
    """The folder of the state, which holds keys and cookies, for its owner only; one of another name stays as it is."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.name == ".local":
        folder.chmod(0o700)


def _lock(path: Path) -> IO[Any]:
    """Hold the state folder until the file is closed. Raises `StackError` if another run does."""
    file = path.open("a+")
    try:
        # The kernel lets go of it when the process ends, however it does.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        owner = file.read().strip() or "?"
        file.close()
        raise StackError(
            f"{path.parent} is in use by another run (process {owner}). End that one, or use another folder: STATE=..."
        ) from None
    # Only now: a run that does not get the lock must leave the owner's number.
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _check_port(host: str, port: int) -> None:
    """Find out at once what would otherwise be found after everything has started. Raises `StackError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind, protocol)) as probe:
            # As the server does: a port whose last connections have just ended is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            free = f"PORT={port + 1 if port < 65535 else 8000}"
            raise StackError(f"Port {port} on {host} is taken. Choose another one: make run {free}") from None
        raise StackError(f"Can't listen on {host}, port {port}: {error.strerror or error}") from None


def _reachable(host: str) -> str:
    """An address that clients on this machine can use."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host, host)
    return f"[{reachable}]" if ":" in reachable and not reachable.startswith("[") else reachable


def _process_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
