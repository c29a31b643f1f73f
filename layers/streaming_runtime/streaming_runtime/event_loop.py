"""Which event loop the sandbox runs on: asyncio's own, or uvloop where the function brings it."""

import asyncio
import importlib
from collections.abc import Callable
from enum import StrEnum

from streaming_runtime.errors import InitError

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


class LoopChoice(StrEnum):
    """`STREAMING_RUNTIME_LOOP`."""

    # uvloop if it can be imported, otherwise asyncio: what uvicorn does.
    AUTO = "auto"
    ASYNCIO = "asyncio"
    # uvloop, or no start.
    UVLOOP = "uvloop"


def find_loop_factory(choice: LoopChoice) -> LoopFactory | None:
    """What makes the event loop, None for asyncio's own. Raises InitError if uvloop is demanded and not there.

    uvloop is no dependency of this package: it comes with the function, so `sys.path` must be complete.
    """
    if choice is LoopChoice.ASYNCIO:
        return None
    try:
        factory: LoopFactory = importlib.import_module("uvloop").new_event_loop
    except ImportError as error:
        if choice is LoopChoice.AUTO:
            return None
        reason = f"STREAMING_RUNTIME_LOOP='uvloop' needs the package uvloop among the function's: {error}"
        raise InitError("Runtime.ImportModuleError", reason) from error
    return factory
