"""The gateway's handler in a process that logs when methods of a dataclass are made, a pattern is compiled, and a
connection is opened.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import Any

from http_connections import pool
from http_connections.connection import Connection
from http_connections.dialing import Origin
from lazy_dataclasses import _lazy

_compile = _lazy._compile_init
# What `re` calls for a pattern that it does not know yet.
_patterns: Any = vars(re)["_compiler"]
_compile_pattern = _patterns.compile
_pool: Any = pool
_dial = _pool.dial


def _tell(owner: type[Any], names: dict[str, Any], *, is_frozen: bool) -> Callable[..., None]:
    # One write, so that lines of other threads do not come in between.
    sys.stderr.write(f"dataclass made: {owner.__module__}:{owner.__qualname__}\n")
    return _compile(owner, names, is_frozen=is_frozen)


def _tell_pattern(pattern: str | bytes, flags: int = 0) -> re.Pattern[Any]:
    sys.stderr.write(f"pattern compiled: {pattern!r}\n")
    compiled: re.Pattern[Any] = _compile_pattern(pattern, flags)
    return compiled


async def _tell_connection(origin: Origin, *rest: Any) -> Connection:
    sys.stderr.write(f"connection opened: {origin.host}:{origin.port}\n")
    connection: Connection = await _dial(origin, *rest)
    return connection


_lazy._compile_init = _tell
_pool.dial = _tell_connection
_patterns.compile = _tell_pattern

from gateway.asgi import handler  # noqa: E402 - watched from its first import on

__all__ = ["handler"]
