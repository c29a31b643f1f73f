"""The whole path as a user has it: `python -m local run` in processes of its own, spoken to over sockets only."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest

from tests.e2e.watchdog import Watchdog

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
STOP_SECONDS = 20.0
# Short, so that a lease that nobody gives back is seen to free itself; long enough for a busy machine to renew one.
LEASE_TTL_SECONDS = 4.0
SETTINGS = {
    "GATEWAY_LEASE_TTL_SECONDS": str(LEASE_TTL_SECONDS),
    "GATEWAY_ACCOUNT_WAIT_SECONDS": "1",
    "GATEWAY_KEEP_ALIVE_SECONDS": "5",
}


@pytest.fixture(scope="session")
def lease_ttl_seconds() -> float:
    return LEASE_TTL_SECONDS


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true value of a condition that other processes bring about."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {seconds} s: {condition}")
        time.sleep(0.02)  # noqa: TID251 (a bounded wait for other processes)
    return value


def children_of(pid: int) -> dict[int, str]:
    """Living descendants by process id, with their command lines."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found, added = set[int](), {pid}
    while added := {child for child, parent in parents.items() if parent in added} - found:
        found |= added
    return {child: command for child in found if (command := command_line(child))}


def command_line(pid: int) -> str:
    """Empty for a process that is gone, or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def process_state(pid: int) -> str:
    """`T` is frozen; empty is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


@dataclass
class RunningStack:
    """One `python -m local run`, or what does the same."""

    process: subprocess.Popen[str]
    state: Path
    output: Path
    variables: Mapping[str, str] = field(repr=False)
    clients: list[openai.OpenAI] = field(default_factory=list, repr=False)

    @property
    def url(self) -> str:
        return self.variables["GATEWAY_URL"]

    @property
    def api_key(self) -> str:
        return self.variables["OPENAI_API_KEY"]

    @property
    def web(self) -> str:
        return self.variables["GATEWAY_POE_WEB_BASE_URL"]

    def openai(self, **options: Any) -> openai.OpenAI:
        given = {"base_url": f"{self.url}/v1", "api_key": self.api_key, "max_retries": 0, "timeout": 30.0} | options
        client = openai.OpenAI(_strict_response_validation=True, **given)
        self.clients.append(client)
        return client

    def close_clients(self) -> None:
        """Their sockets would otherwise be warned about whenever they are collected."""
        while self.clients:
            self.clients.pop().close()

    def admin(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.variables['GATEWAY_ADMIN_KEY']}"}
        reply = httpx.request(method, f"{self.url}/admin{path}", headers=headers, timeout=30, **options)
        assert reply.is_success, reply.text
        return reply.json()

    def accounts(self) -> dict[str, dict[str, Any]]:
        return {account["label"]: account for account in self.admin("GET", "/accounts")["data"]}

    def simulated(self, path: str, **body: Any) -> Any:
        """Ask the web simulator, or tell it something."""
        address = f"{self.web}/_sim/{path}"
        reply = httpx.post(address, json=body) if body else httpx.get(address)
        assert reply.is_success, reply.text
        return reply.json()

    def descendants(self) -> dict[int, str]:
        """Living processes below it by id, with their command lines."""
        return children_of(self.process.pid)

    def sandboxes(self, *, frozen: bool | None = None) -> list[int]:
        """Process ids; those that are frozen, or are not, if that is asked."""
        pids = [pid for pid, command in self.descendants().items() if "streaming_runtime" in command]
        return [pid for pid in pids if frozen is None or (process_state(pid) == "T") is frozen]

    @staticmethod
    def survivors(pids: Iterable[int]) -> list[str]:
        """Command lines of those that still live."""
        return [command for pid in pids if (command := command_line(pid))]

    wait_until = staticmethod(wait_until)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.close_clients()
        self.process.send_signal(number)
        return self.process.wait(STOP_SECONDS)


def start_stack(state: Path, *, code: str = "", **settings: str) -> RunningStack:
    """Start one and wait until it is up. `code` is Python to run instead of the command."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "AWS_"))}
    environment |= {"STATE": str(state), "PORT": "0", "PYTHONPATH": str(ROOT)} | SETTINGS | settings
    output = state.with_suffix(".out")
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *(["-c", code] if code else ["-m", "local", "run"])],
            env=environment,
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    run_file = state / "run.env"
    try:
        wait_until(lambda: "Ctrl-C" in output.read_text() or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, output.read_text()
    except BaseException:
        process.kill()
        raise
    words = shlex.split(run_file.read_text(), comments=True)
    return RunningStack(process, state, output, dict(word.split("=", 1) for word in words if "=" in word))


@contextmanager
def only_account(stack: RunningStack, *, points: int = 100_000, faults: Any = (), times: int = 20) -> Iterator[str]:
    """The id of a fresh account with one slot, the only one there is, whose requests meet the faults."""
    key = f"e2e-{uuid4()}"
    simulator = stack.variables["GATEWAY_POE_OFFICIAL_BASE_URL"] + "/_sim"
    assert httpx.post(f"{simulator}/accounts", json={"api_key": key, "points": points}).is_success
    if faults:
        scenario = {"faults": faults, "times": times, "account": key}
        assert httpx.post(f"{simulator}/scenarios", json=scenario).is_success
    others = [account["id"] for account in stack.accounts().values() if account["status"] != "disabled"]
    for other in others:
        stack.admin("POST", f"/accounts/{other}/disable")
    # Unchecked: the faults are for the requests that follow.
    new = {"kind": "official", "label": key, "credentials": {"api_key": key}, "max_concurrency": 1, "check": False}
    made = stack.admin("POST", "/accounts", json=new)["id"]
    try:
        yield made
    finally:
        stack.admin("DELETE", f"/accounts/{made}")
        for other in others:
            stack.admin("POST", f"/accounts/{other}/enable")


@pytest.fixture(scope="session")
def watchdog(tmp_path_factory: pytest.TempPathFactory) -> Watchdog:
    """Watches the event loops of `stack`."""
    return Watchdog(tmp_path_factory.mktemp("watchdog") / "path")


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, watchdog: Watchdog) -> Iterator[RunningStack]:
    """One stack for the tests that do not end it."""
    running = start_stack(tmp_path_factory.mktemp("e2e") / "state", code=watchdog.command)
    yield running
    descendants = running.descendants()
    assert running.stop() == 0, running.output.read_text()
    assert not running.survivors(descendants), "processes were left behind"


@pytest.fixture(autouse=True)
def _no_callback_keeps_the_loop(watchdog: Watchdog) -> Iterator[None]:
    """Whatever a test asks of the stack, no callback of a sandbox's event loop works for long."""
    yield
    noted = watchdog.take()
    assert not noted, "\n".join(noted)


@pytest.fixture(autouse=True)
def _no_client_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").close_clients()


@pytest.fixture(scope="session", name="start_stack")
def start_stack_fixture() -> Callable[..., RunningStack]:
    """To start another one: `start_stack(state_folder, code="", **settings)`."""
    return start_stack


@pytest.fixture
def web_only(stack: RunningStack) -> Iterator[RunningStack]:
    """The stack with its official account switched off, so that the web simulator answers."""
    official = stack.accounts()["sample-official"]["id"]
    stack.admin("POST", f"/accounts/{official}/disable")
    yield stack
    stack.admin("POST", f"/accounts/{official}/enable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
