"""What the scripts with the original's names share: which gateway is meant, and requests to its administration."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

RUN_FILE = Path(".local/run.env")
URL_NAMES = ("GATEWAY_URL", "GATEWAY_BASE_URL")
ADMIN_NAMES = ("GATEWAY_ADMIN_KEY", "ADMIN_API_KEY")
KEY_NAMES = ("OPENAI_API_KEY", "SERVICE_API_KEY")


class AccessError(Exception):
    """What was asked for can't be done. The text says what to do, and holds no key."""


def add_arguments(parser: argparse.ArgumentParser, *, timeout: float) -> None:
    """The options that say which gateway is meant."""
    parser.add_argument("--base-url", help="address of the gateway, without /v1; default: GATEWAY_URL")
    parser.add_argument(
        "--admin-api-key", help="better set GATEWAY_ADMIN_KEY: other users of the machine can see arguments"
    )
    parser.add_argument("--env-file", type=Path, help=f"file of variables; default: {RUN_FILE}, where there is one")
    parser.add_argument("--timeout", type=float, default=timeout, help="seconds; default: %(default)g")


def read_variables(path: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, over what the file has. Raises `AccessError` for a file that was named and is not there."""
    file = path or RUN_FILE
    if not file.is_file():
        if path is not None:
            raise AccessError(f"There is no file {path}.")
        return dict(environ)
    words = shlex.split(file.read_text(encoding="utf-8"), comments=True)
    return dict(word.split("=", 1) for word in words if "=" in word) | dict(environ)


def first_of(variables: Mapping[str, str], names: tuple[str, ...], given: str | None = None) -> str:
    """The first that is set. Raises `AccessError`."""
    for value in (given, *(variables.get(name) for name in names)):
        if value:
            return value
    raise AccessError(f"Set {names[0]}, or run `. .local/run.env` beside `make run`.")


def connect(url: str, key: str, timeout: float) -> httpx.Client:
    """A client of one gateway. The key leaves this machine unencrypted for nobody but this machine."""
    base = httpx.URL(url.rstrip("/").removesuffix("/v1"))
    if base.scheme != "https" and base.host not in ("127.0.0.1", "localhost", "::1"):
        raise AccessError(f"{base} is not an https address, so the key would travel unencrypted.")
    limits = httpx.Timeout(timeout, connect=min(timeout, 5.0))
    headers = {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=base, headers=headers, timeout=limits, trust_env=base.scheme == "https")


def answer_of(reply: httpx.Response) -> Any:
    """The JSON of an answer. Raises `AccessError` with the gateway's words."""
    try:
        body = reply.json()
    except ValueError:
        body = {}
    if reply.is_success:
        return body
    error = body.get("error", {}) if isinstance(body, dict) else {}
    said = error.get("message") or f"no further explanation (HTTP {reply.status_code})"
    raise AccessError(f"{said} [{reply.status_code}, {reply.headers.get('x-request-id', 'no request id')}]")


def run(work: Any) -> int:
    """Call it with the environment; a failure is told on standard error. Returns the exit status."""
    try:
        return int(work(os.environ))
    except AccessError as error:
        print(error, file=sys.stderr)
    except httpx.HTTPError as error:
        print(f"The gateway can't be reached ({type(error).__name__}).", file=sys.stderr)
    return 1
