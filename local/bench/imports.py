"""What a sandbox makes ready only with its first chats: modules, methods of dataclasses, and patterns.

Seen from outside: Python tells of each module (`-X importtime`), and `local.bench.watched` of classes and patterns.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from local.bench.model_list import store_model_list
from local.bench.runtime import BareSandbox
from local.bench.streaming import prompt
from local.bench.surroundings import Surroundings, surroundings
from local.settings import ROOT

KINDS = ("official", "web")
# Modules that others load are indented.
_LOADED = re.compile(rb"^(?:import time: +\d+ \| +\d+ \||dataclass made:) (\S+)$", re.MULTILINE)
_MODULE = re.compile(rb"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)
_COMPILED = re.compile(rb"^pattern compiled: (.+)$", re.MULTILINE)
_CONNECTED = re.compile(rb"^connection opened: (.+)$", re.MULTILINE)
_CHAT = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class FirstChat:
    """What a new sandbox makes ready after its init, up to the end of its first chat, in that order."""

    at_init: list[str]
    """All modules that were loaded before it."""
    loaded: list[str]
    """Modules, without those that these load in their turn, and classes, as `module:name`."""
    compiled: list[str]
    """Patterns of regular expressions, as Python shows them."""
    connected: list[str]
    """Where connections were opened to by another chat after it."""


async def imports_of_first_chats(around: Surroundings) -> dict[str, FirstChat]:
    """Start a sandbox for each kind of account, which is the only one there is, and watch its first chat.

    Raises `RuntimeError` if one fails.
    """
    found = {}
    # As in a deployment whose scheduled job has run: a chat then makes something of the model that it names.
    await store_model_list(around, now=time.time())
    for kind in KINDS:
        await around.have_only(kind)
        found[kind] = await _imports(around)
    return found


async def _imports(around: Surroundings) -> FirstChat:
    log = around.scratch / "imports.log"
    before = log.stat().st_size if log.exists() else 0
    paths = [around.gateway.environment.get("PYTHONPATH", ""), str(ROOT / "functions")]
    environment = {
        **around.gateway.environment,
        "PYTHONPROFILEIMPORTTIME": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    # Names instead of numbers, which need no look-up. (The web simulator is particular about its own.)
    for name in ("AWS_ENDPOINT_URL", "GATEWAY_POE_OFFICIAL_BASE_URL"):
        environment[name] = environment[name].replace("//127.0.0.1:", "//localhost:")
    watched = replace(
        around.gateway, handler="local.bench.watched.handler", task_root=ROOT, environment=environment, log=log
    )
    sandbox = BareSandbox(watched, around.reaper)
    try:
        await sandbox.start()
        told = log.stat().st_size
        await sandbox.request("POST", _CHAT, prompt(3), around.api_key)
        logged = log.read_bytes()
        at_init, lines = logged[before:told], logged[told:]
        loaded, compiled = ([found.decode() for found in kind.findall(lines)] for kind in (_LOADED, _COMPILED))
        await sandbox.request("POST", _CHAT, prompt(3), around.api_key)
        connected = [name.decode() for name in _CONNECTED.findall(log.read_bytes()[len(logged) :])]
        return FirstChat([name.decode() for name in _MODULE.findall(at_init)], loaded, compiled, connected)
    finally:
        await sandbox.stop()


def record_preload(path: Path = ROOT / "functions/gateway/preload.json") -> None:
    """Write what first chats load, besides what is loaded at init anyway, into the gateway's list.

    Raises `RuntimeError` if the stack does not come up.
    """
    path.write_text(json.dumps({"any": [], **{kind: [] for kind in KINDS}}), encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="poe-gateway-preload-") as scratch:
        found = asyncio.run(_record(Path(scratch)))
    # In the order in which a chat needs them.
    shared = [name for name in found["official"].loaded if name in found["web"].loaded]
    own = {kind: [name for name in chat.loaded if name not in shared] for kind, chat in found.items()}
    path.write_text(json.dumps({"any": shared, **own}, indent=2) + "\n", encoding="utf-8")


async def _record(scratch: Path) -> dict[str, FirstChat]:
    async with surroundings(scratch) as around:
        return await imports_of_first_chats(around)
