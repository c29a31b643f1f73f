"""The program that runs a page's scripts in QuickJS: a process of its own, so that it can be ended from outside.

QuickJS looks at its time limit between the steps of a script only; one call of a built-in function can take minutes.
Started with `python -I -S`, this imports nothing but the engine, whose folder is the first argument. It reads one JSON
object from standard input and writes the value that can be a key to standard output; nothing if there is none.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time

FORM_KEY = r"[A-Za-z0-9_-]{32}"


def _limit(seconds: float, address_space: int) -> None:
    """The operating system's limits, for whatever the engine's own ones miss; Windows has none."""
    try:
        import resource
    except ImportError:
        return
    whole = int(seconds) + 1
    for kind, value in (
        (resource.RLIMIT_CPU, whole),
        (resource.RLIMIT_AS, address_space),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # A system may allow less already, or none of it.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def main() -> None:
    """Find the key."""
    sys.path.append(sys.argv[1])
    import quickjs  # type: ignore[import-untyped]  # ships no types

    given = json.load(sys.stdin.buffer)
    seconds = given["seconds"]
    _limit(seconds, given["address_space"])
    context = quickjs.Context()
    context.set_memory_limit(given["memory"])
    context.set_max_stack_size(given["stack"])
    deadline = time.monotonic() + seconds
    scripts, expressions = given["scripts"], given["expressions"]
    for source in (*scripts, *expressions):
        if (remaining := deadline - time.monotonic()) <= 0:
            return
        context.set_time_limit(remaining)
        try:
            value = context.eval(source)
        except (quickjs.JSException, quickjs.StackOverflow, ValueError, MemoryError):
            # Other scripts of the page fail here for want of a browser; they don't concern the key.
            continue
        if source in expressions and isinstance(value, str) and re.fullmatch(FORM_KEY, value):
            sys.stdout.write(value)
            return


if __name__ == "__main__":
    main()
