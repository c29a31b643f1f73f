"""Compute the form key by running the page's own function in QuickJS, in a process that is ended when its time is over.

The engine is an optional dependency and is looked for when first needed: who supplies the form key never needs it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

from reverse.errors import ErrorCode, poe_error
from reverse.web._bundle import KeyProgram
from reverse.web._form_key_program import FORM_KEY

# Processor seconds, bytes, bytes. The real function takes milliseconds; a page that needs more is not the page we know.
TIME_LIMIT_SECONDS = 2.0
_MEMORY_LIMIT_BYTES = 64 * 1024 * 1024
_STACK_LIMIT_BYTES = 512 * 1024
# What the process may map, the interpreter included.
_ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024
# To start Python and read the page, on a small share of a processor.
_START_SECONDS = 8.0
# The page is capped already; a program of this size would take seconds to compile.
_MAX_SOURCE_CHARS = 8 * 1024 * 1024
_PROGRAM = Path(__file__).with_name("_form_key_program.py")
_FORM_KEY = re.compile(FORM_KEY.encode())


async def evaluate_form_key(program: KeyProgram) -> str:
    """Run the page's scripts and return the first expression's value that can be a form key.

    The process is gone when this returns, raises or is cancelled. It gets no environment: no credentials of ours.
    Raises `PoeError` (`PROTOCOL`) where nothing gives a key, the time is over or the engine is not installed.
    """
    # The parent's spelling: a relative path would be looked for elsewhere.
    command = [sys.executable, "-I", "-S", str(_PROGRAM.absolute()), _engine_folder()]
    wanted = {
        "scripts": [source for source in program.scripts if len(source) <= _MAX_SOURCE_CHARS],
        "expressions": [source for source in program.expressions if len(source) <= _MAX_SOURCE_CHARS],
        "seconds": TIME_LIMIT_SECONDS,
        "memory": _MEMORY_LIMIT_BYTES,
        "stack": _STACK_LIMIT_BYTES,
        "address_space": _ADDRESS_SPACE_BYTES,
    }
    found = await _run(command, json.dumps(wanted).encode(), TIME_LIMIT_SECONDS + _START_SECONDS)
    if _FORM_KEY.fullmatch(found):
        return found.decode()
    # Not chained: the engine's message may quote the page.
    raise poe_error(ErrorCode.PROTOCOL, "the home page's function gave no form key; supply one with the credentials")


def _engine_folder() -> str:
    found = importlib.util.find_spec("quickjs")
    if found is None or found.origin is None:
        raise poe_error(
            ErrorCode.PROTOCOL,
            "deriving the form key needs quickjs-ng; supply the form key with the credentials instead",
        )
    return str(Path(found.origin).parent.parent)


async def _run(command: list[str], given: bytes, seconds: float) -> bytes:
    """What the program writes; nothing if it can't be started or takes too long."""
    # Where the interpreter finds its own library, if it needs to be told.
    environment = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=nothing, env=environment, start_new_session=True
        )
    except OSError:
        return b""
    try:
        async with asyncio.timeout(seconds):
            found, _ = await process.communicate(given)
            return found
    except TimeoutError:
        return b""
    finally:
        # Also after a cancellation: a loop without end would hold the sandbox's processor.
        if process.returncode is None:
            process.kill()
            await process.wait()
