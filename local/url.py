"""Anyone's ASGI application behind a Lambda Function URL on this machine: `python -m local url MODULE:APP`.

The application runs under the streaming runtime in sandboxes as Lambda has them: one request each, started on demand,
frozen in between, killed at the deadline, with Lambda's limits and Lambda's environment. It needs nothing of this
gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import signal
import sys
from pathlib import Path

from local.function_url import Door, Function, FunctionUrl, InvokeMode
from local.settings import ROOT

LAYER = ROOT / "layers" / "streaming_runtime"


class UrlError(Exception):
    """The application can't be served as asked; the message says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("app", metavar="MODULE:APP", help="an ASGI application, or a Mangum instance")
    parser.add_argument("--folder", type=Path, default=Path(), help="of the application's code (default: this one)")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one (default: 8000)")
    parser.add_argument("--sandboxes", type=int, default=4, help="most requests at once; more get a 429 (default: 4)")
    parser.add_argument("--timeout", type=float, default=900, help="seconds of a request (default: 900)")
    parser.add_argument("--memory", type=int, default=512, help="in MB; told to the application, not enforced")
    parser.add_argument("--buffered", action="store_true", help="a URL or API that does not stream")
    parser.add_argument("--rest", action="store_true", help="events of a REST API instead of a Function URL")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="a variable; may be repeated")
    parser.add_argument("--log", type=Path, default=Path("/dev/stderr"), help="what sandboxes print, and REPORT lines")


def build_function(options: argparse.Namespace) -> Function:
    """The function that the options describe. Raises `UrlError`."""
    module, colon, attribute = options.app.replace("/", ".").partition(":")
    if not (module and colon and attribute):
        raise UrlError(f"{options.app!r} must be MODULE:APP, such as main:app")
    folder = options.folder.resolve()
    if not folder.is_dir():
        raise UrlError(f"{options.folder} is no folder")
    variables = dict(_variable(item) for item in options.env)
    mode = InvokeMode.BUFFERED if options.buffered else InvokeMode.RESPONSE_STREAM
    door = Door.REST_API if options.rest else Door.FUNCTION_URL
    form = "buffered" if options.buffered else "streaming"
    return Function(
        name="local",
        handler=f"{module}.{attribute}",
        command=(str(LAYER / "streaming-runtime"), sys.executable, "/var/runtime/bootstrap.py"),
        task_root=folder,
        environment={
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{platform.python_version().rpartition('.')[0]}",
            "AWS_LAMBDA_EXEC_WRAPPER": "/opt/streaming-runtime",
            # What a template says about a URL or an API that does or does not stream.
            **({"STREAMING_RUNTIME_RESPONSE_FORM": form} if options.buffered else {}),
            **({"STREAMING_RUNTIME_REST_FORM": form} if options.rest else {}),
            **variables,
        },
        memory_mb=options.memory,
        timeout_seconds=options.timeout,
        invoke_mode=mode,
        door=door,
        log=options.log,
    )


def serve_url(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status. Raises `UrlError`."""
    function = build_function(options)
    try:
        asyncio.run(_serve(FunctionUrl(function, host=options.host, port=options.port, sandboxes=options.sandboxes)))
    except OSError as error:
        raise UrlError(f"can't listen on {options.host}:{options.port}: {error.strerror}") from error
    return 0


async def _serve(url: FunctionUrl) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with url:
        door = "REST API" if url.function.door is Door.REST_API else "Function URL"
        sys.stdout.write(f"{url.function.handler} as a {door} ({url.function.invoke_mode}): {url.url}\n")
        sys.stdout.flush()
        await stop.wait()


def _variable(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not (name and equals):
        raise UrlError(f"--env {item!r} must be NAME=VALUE")
    return name, value
