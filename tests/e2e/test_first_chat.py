"""What a new sandbox does for its first chat: work that belongs into the init phase, which has the whole processor."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest

from local.bench.imports import imports_of_first_chats
from local.bench.surroundings import surroundings

pytestmark = pytest.mark.e2e

MOST_NEW_CLASSES = 3


async def test_a_first_chat_of_either_kind_imports_nothing_and_makes_nothing(tmp_path: Path) -> None:
    """Where this fails, `python -m local preload` records anew what is to be loaded at init."""
    async with surroundings(tmp_path) as around:
        found = await imports_of_first_chats(around)
    classes = {kind: [name for name in chat.loaded if ":" in name] for kind, chat in found.items()}
    modules = {kind: set(chat.loaded) - set(classes[kind]) for kind, chat in found.items()}
    assert modules == {"official": set(), "web": set()}
    assert {kind: chat.compiled for kind, chat in found.items()} == {"official": [], "web": []}
    assert {kind: chat.connected for kind, chat in found.items()} == {"official": [], "web": []}
    # Which events an answer has depends a little on when they come.
    assert all(len(names) <= MOST_NEW_CLASSES for names in classes.values()), classes
    # A package may be loaded by a module of its own.
    packages = {
        kind: {package for name in chat.at_init for package in accumulate(name.split("."), "{}.{}".format)}
        for kind, chat in found.items()
    }
    for kind, foreign in (("official", "websockets"), ("web", "reverse.official")):
        assert foreign not in packages[kind]
        assert foreign in packages["web" if kind == "official" else "official"]
    loaded = (tmp_path / "imports.log").read_bytes()
    assert all(word in loaded for word in (b"gateway.app", b"pattern compiled: ", b"connection opened: "))
    for heavy in (b"fastapi", b"pydantic", b"httpx", b"boto3"):
        assert heavy + b"\n" not in loaded
