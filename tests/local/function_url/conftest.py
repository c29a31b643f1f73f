from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.function_url import Function, FunctionUrl

HERE = Path(__file__).parent
Serve = Callable[..., Any]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts an emulator with the fake runtime; keyword arguments change the function."""
    async with AsyncExitStack() as stack:

        async def start(*, sandboxes: int = 2, host: str = "127.0.0.1", port: int = 0, **changes: Any) -> FunctionUrl:
            function = Function(
                name="gateway",
                handler="app.handler",
                command=(sys.executable, "-I", str(HERE / "fake_runtime.py")),
                task_root=HERE,
                environment={"OWN": "1"},
                log=tmp_path / "function.log",
            )
            url = FunctionUrl(replace(function, **changes), sandboxes=sandboxes, host=host, port=port)
            return await stack.enter_async_context(url)

        yield start
