"""Signs in at Poe in the browser, to add an account without handling its key.

The gateway makes the address and exchanges the code; the key never comes to this machine. The browser returns to a
loopback port of ours, or the user pastes the address that it returned to.
"""

from __future__ import annotations

import socket
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import click

from poegw.api import Gateway, segment
from poegw.errors import CommandError, Exit
from poegw.output import Output
from poegw.prompts import is_interactive

WAIT_SECONDS = 300.0
IDLE_SECONDS = 2.0
_PASTED_REDIRECT = "http://127.0.0.1:8765/callback"
_PATH = "/callback"
_PAGE = b"<!doctype html><title>poegw</title><p>You can close this page and go back to the terminal."


def sign_in(gateway: Gateway, output: Output, *, label: str | None, opens_browser: bool) -> dict[str, Any]:
    """Add an account by signing in. Returns it. Raises `CommandError`."""
    if not opens_browser:
        return _complete(gateway, _by_pasting(gateway, output), label)
    with _listening() as server:
        port = server.server_address[1]
        begun = gateway.send("POST", "/admin/accounts/sign-in", {"redirect_uri": f"http://127.0.0.1:{port}{_PATH}"})
        output.note(f"Sign in at Poe: {begun['authorize_url']}")
        # Over SSH there is none; the address is on the screen already.
        if not webbrowser.open(begun["authorize_url"]):
            output.note("No browser could be started. Open the address yourself, or use --no-browser.")
        return _complete(gateway, (begun, _returned(server)), label)


def _by_pasting(gateway: Gateway, output: Output) -> tuple[dict[str, Any], str]:
    if not is_interactive():
        raise CommandError("There is no terminal to paste the address on.", status=Exit.USAGE)
    begun = gateway.send("POST", "/admin/accounts/sign-in", {"redirect_uri": _PASTED_REDIRECT})
    output.note(
        f"Sign in at Poe: {begun['authorize_url']}\n"
        "The browser then goes to an address that does not load. Copy it from the address bar."
    )
    return begun, click.prompt("Address", err=True).strip()


def _complete(gateway: Gateway, begun_and_url: tuple[dict[str, Any], str], label: str | None) -> dict[str, Any]:
    begun, url = begun_and_url
    # People paste the address that they were sent to, and not the one that they came back to.
    if not urlsplit(url).query:
        raise CommandError("That address has no code in it.", hint="It looks like http://127.0.0.1:…/callback?code=…")
    account: dict[str, Any] = gateway.send(
        "POST",
        f"/admin/accounts/sign-in/{segment(begun['sign_in_id'])}",
        {"redirected_url": url, **({"label": label} if label else {})},
    )
    return account


class _Server(HTTPServer):
    """Takes the browser's return."""

    returned: str | None = None
    address_family = socket.AF_INET


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    # Browsers open connections ahead of need, and send nothing on them.
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        if urlsplit(self.path).path != _PATH:
            self.send_error(404)
            return
        # Whole, as the gateway wants it: it checks the state in it.
        self.server.returned = f"http://127.0.0.1:{self.server.server_address[1]}{self.path}"
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(_PAGE)))
        self.end_headers()
        self.wfile.write(_PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the address holds the code."""


@contextmanager
def _listening() -> Iterator[_Server]:
    # By number: what `localhost` means is up to the machine's settings.
    server = _Server(("127.0.0.1", 0), _Handler)
    try:
        yield server
    finally:
        server.server_close()


def _returned(server: _Server) -> str:
    """The address that the browser came back to, within `WAIT_SECONDS`. Raises `CommandError`."""
    ends_at = time.monotonic() + WAIT_SECONDS
    # Browsers ask for more than the callback, such as an icon.
    while (left := ends_at - time.monotonic()) > 0:
        server.timeout = left
        server.handle_request()
        if server.returned is not None:
            return server.returned
    raise CommandError("Nobody came back from Poe.", hint="Try again, or use --no-browser.")
