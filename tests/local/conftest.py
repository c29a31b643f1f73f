from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from local.reaper import Reaper


@pytest.fixture
def reaper() -> Iterator[Reaper]:
    reaper = Reaper()
    yield reaper
    reaper.close()


@pytest.fixture
def process_environment() -> dict[str, str]:
    """What a stand-in's process needs to find this project."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(["."])}
