"""`python -m streaming_runtime [MODULE.APP]`: what the wrapper script starts in place of AWS's runtime client.

In a container image, or as the bootstrap of an OS-only runtime, the application may be named as an argument.
"""

import asyncio
import io
import os
import sys

from streaming_runtime import log
from streaming_runtime.collector import spare_start_up
from streaming_runtime.errors import InitError
from streaming_runtime.event_loop import find_loop_factory
from streaming_runtime.handler import extend_search_path, load_handler
from streaming_runtime.loop import Server, report_init_error
from streaming_runtime.settings import Address, Settings


def main(handler: str | None = None) -> int:
    """Load the application and serve it. The exit status is 0 after SIGTERM, 1 after a failure.

    `handler` names the application in place of `_HANDLER`.
    """
    # What the application prints must be out before the sandbox is frozen.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    log.configure(os.environ)
    try:
        address = Address.from_environ(os.environ)
    except InitError as error:
        log.problem("init.failed", errorType=error.error_type, reason=str(error))
        return 1
    try:
        settings = Settings.from_environ(os.environ if handler is None else {**os.environ, "_HANDLER": handler})
        log.hide_exceptions(settings.hides_exceptions)
        # Before the loop is made: uvloop is one of the function's packages.
        extend_search_path(settings.task_root, settings.runtime_dir)
        loop_factory = find_loop_factory(settings.loop)
    except InitError as error:
        asyncio.run(report_init_error(address, error, hides_text=False))
        return 1
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        # Also sets the loop, which Mangum asks for when the application's module creates an instance. The
        # import itself happens outside of it, so that a module may use `asyncio.run`.
        runner.get_loop()
        spare_start_up()
        try:
            mangum = load_handler(settings.handler)
        except Exception as error:  # noqa: BLE001 - the module's, whatever it is
            runner.run(report_init_error(address, error, hides_text=settings.hides_exceptions))
            return 1
        server = Server(settings, mangum)
        try:
            return runner.run(server.run())
        except (SystemExit, KeyboardInterrupt) as error:
            return runner.run(server.stop_after(error))


def run() -> None:
    """The command, with at most one argument: the application."""
    sys.exit(main(*sys.argv[1:2]))


if __name__ == "__main__":
    run()
