"""Portkey's published gateway, where it is installed: a Node process of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.bench.served import Server, served
from local.reaper import Reaper
from local.settings import ROOT

ENVIRONMENT = ROOT / "build" / "bench" / "portkey"
"""What `make bench PEERS=1` installs from requirements/bench-portkey."""
_PACKAGE = "node_modules/@portkey-ai/gateway"


@dataclass(frozen=True, slots=True)
class Portkey:
    """An installed gateway of Portkey."""

    node: str
    script: Path
    version: str

    @classmethod
    def find(cls, environment: Path = ENVIRONMENT) -> Portkey:
        """Raises `RuntimeError` where it is not installed."""
        node, script = shutil.which("node"), environment / _PACKAGE / "build" / "start-server.js"
        if node is None or not script.exists():
            raise RuntimeError("Portkey's gateway is not installed: make bench PEERS=1 does that, and needs Node")
        package = json.loads((environment / _PACKAGE / "package.json").read_text(encoding="utf-8"))
        return cls(node, script, package["version"])

    @asynccontextmanager
    async def serve(self, *, reaper: Reaper, folder: Path) -> AsyncIterator[Server]:
        """One process, with its log in a folder; see `served`."""
        # Nothing of the caller's, and the upstream's host trusted: it is this machine, which Portkey refuses otherwise.
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "NODE_ENV": "production",
            "TRUSTED_CUSTOM_HOSTS": "127.0.0.1,localhost",
        }
        async with served(
            [self.node, str(self.script), "--headless"],
            health="/",
            environment=environment,
            reaper=reaper,
            log=folder / "portkey.log",
            options=lambda port: [f"--port={port}"],
        ) as server:
            yield server

    @staticmethod
    def headers(upstream: str) -> dict[str, str]:
        """What tells it to pass a request on to an OpenAI-compatible address (with `/v1`)."""
        if urlsplit(upstream).scheme not in ("http", "https"):
            raise ValueError("the upstream has no HTTP address")
        return {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream}
