"""The gateway's handler, whose process tells in its log which dataclasses have their methods made, and when."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from lazy_dataclasses import _lazy

_compile = _lazy._compile_init


def _tell(owner: type[Any], names: dict[str, Any], *, is_frozen: bool) -> Callable[..., None]:
    # One write, so that lines of other threads do not come in between.
    sys.stderr.write(f"dataclass made: {owner.__module__}:{owner.__qualname__}\n")
    return _compile(owner, names, is_frozen=is_frozen)


_lazy._compile_init = _tell

from gateway.asgi import handler  # noqa: E402 - watched from its first import on

__all__ = ["handler"]
