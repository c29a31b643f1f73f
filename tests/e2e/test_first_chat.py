"""What a new sandbox does for its first chat: work that belongs into the init phase, which has the whole processor."""

from __future__ import annotations

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
    # Which events an answer has depends a little on when they come.
    assert all(len(names) <= MOST_NEW_CLASSES for names in classes.values()), classes
    for kind, foreign in (("official", "websockets"), ("web", "reverse.official")):
        assert foreign not in found[kind].at_init
        assert foreign in found["web" if kind == "official" else "official"].at_init
    loaded = (tmp_path / "imports.log").read_bytes()
    assert b"gateway.app" in loaded and b"pattern compiled: " in loaded
    for heavy in (b"fastapi", b"pydantic", b"httpx", b"boto3"):
        assert heavy + b"\n" not in loaded
