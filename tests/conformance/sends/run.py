"""How many messages Poe gets for one call of a client that is left to its own retries, by what goes wrong.

    python tests/conformance/sends/run.py [--only CLIENT ...] [--update-docs]

The gateway runs here under uvicorn, over a simulator of one of Poe's APIs with one account; each client in its own
environment, unmodified, its waits between tries skipped. Prints one row per client and situation, and fails where a
client repeats what no repetition cures. `--update-docs` writes the table into docs/retries.md. The exit code is 2 if
no client can be installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PAGE = ROOT / "docs" / "retries.md"
FOLDERS = (".", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime", "tests/conformance")
sys.path[:0] = [str(ROOT / folder) for folder in FOLDERS]

import uvicorn  # noqa: E402  the repository is not installed
from environments import BUILD, NodeEnvironment, NotInstalled, PythonEnvironment  # noqa: E402
from starlette.types import ASGIApp, Message, Receive, Scope, Send  # noqa: E402

from accounts import AccountKind, InMemoryAccountStore  # noqa: E402
from gateway.app import create_app  # noqa: E402
from gateway.bootstrap import build_services  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from local.poe_official import PoeOfficialSimulator  # noqa: E402
from local.poe_official import Scenario as OfficialScenario  # noqa: E402
from local.poe_official.faults import HttpError  # noqa: E402
from local.poe_web import PoeWebSimulator  # noqa: E402

GATEWAY_KEY = "sk-q7Zp2Lw9Xv4Tn8Rk3Ym6Bd1Hs5Fc0Jg"
POE_SECRET = "conformance-account-0123456789"
CHATS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/images", "/bot/")
SEND = "sendMessageMutation"
SECONDS = 150
AT_ONCE = 2


@dataclass(frozen=True)
class Situation:
    """What goes wrong, on every send. `is_final` says that no repetition cures it."""

    name: str
    title: str
    kind: AccountKind
    fault: HttpError | None = None
    is_final: bool = False


SITUATIONS = (
    Situation("tool", "no tool call where one is required", AccountKind.WEB, is_final=True),
    Situation("json", "JSON that never fits the schema", AccountKind.OFFICIAL, is_final=True),
    Situation("image", "an image bot that only talks", AccountKind.WEB, is_final=True),
    Situation("failed", "Poe answers 500", AccountKind.OFFICIAL, HttpError(500, "provider_error", 500)),
    Situation("lost", "Poe answers 502", AccountKind.OFFICIAL, HttpError(502, "upstream_error", 502)),
    Situation("limited", "Poe answers 429", AccountKind.OFFICIAL, HttpError(429, "rate_limit_error", 429)),
)


@dataclass(frozen=True)
class Client:
    """A published client. `package` is what its environment is named after; `None` for the one of the tests."""

    name: str
    title: str
    package: str | None
    is_node: bool = False
    skipped: tuple[str, ...] = ("image",)

    def command(self) -> list[str]:
        """How to call it, but for the situation. Raises `NotInstalled`."""
        if self.is_node:
            node, _ = NodeEnvironment(self.package or "").command()
            script = BUILD / (self.package or "") / "call.mjs"
            script.write_text((HERE / "call.mjs").read_text(encoding="utf-8"), encoding="utf-8")
            return [node, str(script), self.name]
        python = str(PythonEnvironment(self.package).python()) if self.package else sys.executable
        return [python, "-W", "ignore", str(HERE / "call.py"), self.name]


CLIENTS = (
    Client("openai_python", "openai (Python)", None, skipped=()),
    Client("openai_node", "openai (Node)", "openai_node", is_node=True, skipped=()),
    Client("anthropic_python", "anthropic (Python)", None, skipped=("json", "image")),
    Client("anthropic_node", "@anthropic-ai/sdk", "anthropic_node", is_node=True, skipped=("json", "image")),
    Client("vercel_ai", "ai, `generateText`", "vercel_ai", is_node=True),
    Client("langchain_js", "@langchain/openai", "langchain_js", is_node=True),
    Client("langchain_openai", "langchain-openai", "langchain_openai"),
    Client("litellm", "litellm, `num_retries=2`", "litellm"),
)


@dataclass(frozen=True)
class Count:
    """What one call of a client led to."""

    requests: int
    """Requests of the client to the gateway."""
    sends: int
    """Messages to Poe."""
    ending: str

    @property
    def text(self) -> str:
        return f"{self.requests} → {self.sends}"


class World:
    """A gateway with one account, and its side of Poe."""

    def __init__(self, kind: AccountKind, poe: PoeOfficialSimulator | PoeWebSimulator, app: ASGIApp) -> None:
        self.requests = 0
        self.statuses: list[int] = []
        self.base = ""
        self._kind, self._poe, self._app = kind, poe, app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The gateway, its requests counted."""
        self.requests += scope["type"] == "http" and scope["method"] == "POST"

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.statuses.append(message["status"])
            await send(message)

        await self._app(scope, receive, send_noted)

    def begin(self, situation: Situation) -> None:
        """Count from here on."""
        self.requests = 0
        self._poe.requests.clear()
        if situation.fault is not None and isinstance(self._poe, PoeOfficialSimulator):
            self._poe.enqueue(OfficialScenario(situation.fault, times=9999))

    @property
    def sends(self) -> int:
        if isinstance(self._poe, PoeOfficialSimulator):
            return sum(record.path.startswith(CHATS) for record in self._poe.requests)
        return sum(record.query_name == SEND for record in self._poe.requests)


@asynccontextmanager
async def open_world(kind: AccountKind) -> AsyncIterator[World]:
    """A new one on free ports."""
    official = kind is AccountKind.OFFICIAL
    simulator = PoeOfficialSimulator(pace_seconds=0.0) if official else PoeWebSimulator(pace_seconds=0.0)
    async with simulator as poe:
        poe.add_account(POE_SECRET)
        variables = {"GATEWAY_STORE": "memory", "GATEWAY_LOG_LEVEL": "critical"}
        if isinstance(poe, PoeOfficialSimulator):
            variables["GATEWAY_POE_OFFICIAL_BASE_URL"] = poe.base_url
        else:
            variables |= {
                "GATEWAY_POE_WEB_BASE_URL": poe.base_url,
                "GATEWAY_POE_WEB_CHANNEL_URL": poe.channel_url,
            }
        store = InMemoryAccountStore()
        await store.create_key(name="conformance", secret=GATEWAY_KEY)
        field = "api_key" if official else "p_b"
        await store.put_account(kind=kind, label="conformance", credentials={field: POE_SECRET}, max_concurrency=4)
        services = build_services(Settings.from_env(variables), store=store)
        world = World(kind, poe, create_app(lambda: services))
        server = uvicorn.Server(uvicorn.Config(world, port=0, log_level="critical", lifespan="off"))
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        world.base = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
        try:
            yield world
        finally:
            server.should_exit = True
            await serving
            await services.aclose()


async def count(client: Client, command: list[str], situation: Situation) -> Count:
    """Make the call, and count what it led to."""
    async with open_world(situation.kind) as world:
        world.begin(situation)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"OPENAI_BASE_URL": world.base, "OPENAI_API_KEY": GATEWAY_KEY, "MODEL": "Echo"}
        process = await asyncio.create_subprocess_exec(
            *command,
            situation.name,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            return Count(world.requests, world.sends, "no end")
        ending = output.decode(errors="replace").strip().splitlines()[-1:] or ["nothing"]
        return Count(world.requests, world.sends, f"{ending[0]}; {', '.join(map(str, world.statuses))}")


def is_fine(situation: Situation, found: Count) -> bool:
    """Whether the client met the situation, and did not repeat what no repetition cures."""
    met = found.requests > 0 and not found.ending.startswith(("answered", "no end", "nothing"))
    return met and (found.requests == 1 or not situation.is_final)


async def run(clients: list[Client]) -> dict[str, dict[str, Count]]:
    """The counts by client and situation; prints each as it is known."""
    gate = asyncio.Semaphore(AT_ONCE)
    found: dict[str, dict[str, Count]] = {}

    async def one(client: Client) -> None:
        async with gate:
            try:
                command = await asyncio.to_thread(client.command)
            except NotInstalled as reason:
                print(f"{client.title}: skipped, {reason}", flush=True)
                return
            counts = found[client.name] = {}
            for situation in SITUATIONS:
                if situation.name not in client.skipped:
                    made = counts[situation.name] = await count(client, command, situation)
                    verdict = "ok" if is_fine(situation, made) else "FAILED"
                    print(f"{verdict:6} {client.title}: {situation.title}: {made.text} ({made.ending})", flush=True)

    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(one(client))
    return found


def table(found: dict[str, dict[str, Count]]) -> str:
    """The counts as a table."""
    lines = [
        "| client | " + " | ".join(situation.title for situation in SITUATIONS) + " |",
        "|---|" + "--:|" * len(SITUATIONS),
    ]
    for client in CLIENTS:
        if client.name in found:
            counts = found[client.name]
            cells = [counts[item.name].text if item.name in counts else "" for item in SITUATIONS]
            lines.append(f"| {client.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Read the command line, run, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=[client.name for client in CLIENTS])
    parser.add_argument("--update-docs", action="store_true")
    options = parser.parse_args()
    found = asyncio.run(run([client for client in CLIENTS if not options.only or client.name in options.only]))
    written = table(found)
    print(f"\n{written}")
    is_wanted = options.update_docs or "CONFORMANCE_UPDATE_DOCS" in os.environ
    if is_wanted and len(found) == len(CLIENTS):
        marks = re.compile(r"(<!-- sends: begin -->\n).*?(<!-- sends: end -->)", re.DOTALL)
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(marks.sub(lambda match: match[1] + written + match[2], page), encoding="utf-8")
    situations = {situation.name: situation for situation in SITUATIONS}
    if not found:
        return 2
    fine = all(is_fine(situations[name], made) for counts in found.values() for name, made in counts.items())
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
