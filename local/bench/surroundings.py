"""What the measurements run against: a whole local stack in processes of its own, and servers beside it."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from local import functions
from local.function_url import Function
from local.reaper import Reaper
from local.run_file import read_run_file
from local.settings import ROOT
from local.stack import TEMPLATE
from local.template import Template

_START_SECONDS = 60.0
# Enough for every measurement.
_POINTS = 10_000_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A running stack, its variables, and a reaper for what the measurements start besides."""

    variables: Mapping[str, str] = field(repr=False)
    process: asyncio.subprocess.Process
    reaper: Reaper
    scratch: Path
    http: httpx.AsyncClient

    @property
    def url(self) -> str:
        return self.variables["GATEWAY_URL"]

    @property
    def chat_url(self) -> str:
        return f"{self.url}/v1/chat/completions"

    @property
    def api_key(self) -> str:
        return self.variables["OPENAI_API_KEY"]

    @property
    def sandbox_pids(self) -> list[int]:
        """Of the stack's own emulator."""
        return self._children(b"streaming_runtime")

    @property
    def aws_pid(self) -> int:
        """Of the stand-in of AWS."""
        [pid] = self._children(b"local.aws.server")
        return pid

    def _children(self, word: bytes) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if word in Path(f"/proc/{pid}/cmdline").read_bytes()]

    @property
    def gateway(self) -> Function:
        """The gateway's function, to be started in sandboxes of one's own."""
        references = {
            "AccountsTable": self.variables["GATEWAY_TABLE"],
            "CredentialsKey.Arn": self.variables["GATEWAY_KMS_KEY_ID"],
            "AdminSecret": "",
        }
        stand_ins = {name: value for name, value in self.variables.items() if name.startswith(("AWS_", "GATEWAY_POE_"))}
        template = Template.load(TEMPLATE, references)
        return functions.gateway_function(
            template, stand_ins=stand_ins, overrides={}, log=self.scratch / "sandboxes.log"
        )

    async def admin(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.variables['GATEWAY_ADMIN_KEY']}"}
        reply = await self.http.request(method, f"{self.url}/admin{path}", headers=headers, json=body or None)
        return reply.raise_for_status().json()

    async def use_accounts(self, *labels: str) -> None:
        """Switch these accounts on, and all others off."""
        for account in (await self.admin("GET", "/accounts"))["data"]:
            action = "enable" if account["label"] in labels else "disable"
            await self.admin("POST", f"/accounts/{account['id']}/{action}")

    async def have_only(self, *kinds: str) -> None:
        """Have one new account of each of these kinds, and no other."""
        before = (await self.admin("GET", "/accounts"))["data"]
        for kind in kinds:
            name = f"only-{secrets.token_hex(8)}"
            await (self.add_official_account if kind == "official" else self._add_web_account)(name, name)
        for account in before:
            await self.admin("DELETE", f"/accounts/{account['id']}")

    async def _add_web_account(self, label: str, cookie: str) -> None:
        await self.web_simulator("accounts", p_b=cookie, points=_POINTS)
        await self.admin("POST", "/accounts", kind="web", label=label, credentials={"p_b": cookie})

    async def web_simulator(self, path: str, **body: Any) -> Any:
        address = f"{self.variables['GATEWAY_POE_WEB_BASE_URL']}/_sim/{path}"
        reply = await (self.http.post(address, json=body) if body else self.http.get(address))
        return reply.raise_for_status().json()

    async def add_official_account(self, label: str, api_key: str) -> None:
        """One that both the simulator and the gateway know, with enough points for every measurement."""
        await self.add_key_at_poe(api_key)
        await self.admin("POST", "/accounts", kind="official", label=label, credentials={"api_key": api_key})

    async def add_key_at_poe(self, api_key: str) -> None:
        """One that the simulator alone knows."""
        address = f"{self.variables['GATEWAY_POE_OFFICIAL_BASE_URL']}/_sim/accounts"
        (await self.http.post(address, json={"api_key": api_key, "points": _POINTS})).raise_for_status()

    async def official_simulator(self, path: str, **changes: Any) -> Any:
        address = f"{self.variables['GATEWAY_POE_OFFICIAL_BASE_URL']}/_sim/{path}"
        reply = await (self.http.patch(address, json=changes) if changes else self.http.get(address))
        return reply.raise_for_status().json()

    async def aws_calls(self) -> dict[str, int]:
        reply = await self.http.get(f"{self.variables['AWS_ENDPOINT_URL']}/_local/calls")
        return dict(reply.raise_for_status().json())


@asynccontextmanager
async def surroundings(scratch: Path) -> AsyncIterator[Surroundings]:
    """Start `python -m local run` with a state of its own. Raises `RuntimeError` if it does not come up."""
    reaper, log = Reaper(), scratch / "run.log"
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("GATEWAY_", "AWS_"))}
    state = scratch / "state"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "local", "run"],
            env={**ours, "STATE": str(state), "PORT": "0", "UPSTREAM": "simulator", "PYTHONPATH": str(ROOT)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    reaper.watch(process.pid)
    try:
        await _until(lambda: (state / "run.env").exists() or process.returncode is not None)
        if process.returncode is not None:
            raise RuntimeError(log.read_text())
        async with httpx.AsyncClient(trust_env=False, timeout=_START_SECONDS) as http:
            yield Surroundings(read_run_file(state / "run.env"), process, reaper, scratch, http)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        reaper.forget(process.pid)
        reaper.close()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while not condition():  # noqa: ASYNC110 (the condition is another process's)
            await asyncio.sleep(0.02)
