"""Loads at init what the first chat needs.

Lambda runs the init phase with a whole processor, and an invocation at 512 MB with 0.29 of one. What is loaded is
recorded, not listed by hand: `python -m local preload` starts a sandbox, watches what its first chats import, and
writes `preload.json`; a test fails where a first chat imports anything. FastAPI, which chats do without, stays out.
"""

from __future__ import annotations

import json
from contextlib import suppress
from importlib import import_module
from pathlib import Path

MODULES = Path(__file__).with_name("preload.json")


def preload() -> None:
    """Import the recorded modules, as far as they are here: another version of Python has others."""
    for name in json.loads(MODULES.read_text(encoding="utf-8")):
        with suppress(ImportError):
            import_module(name)
