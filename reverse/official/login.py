"""Signing in with Poe in a browser, which ends with an API key: OAuth with PKCE and a loopback redirect.

`PoeLogin` does all of it on one machine. `SignIn` and `exchange_code` are its two halves, for a gateway that begins a
sign-in, and ends it with the address that the user's browser came back to.

Facts: docs/reference/poe-official.md#sign-in (November 2026): scope `apikey:create`, no refresh token, loopback
redirect addresses need no registration.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from dataclasses import field, replace
from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qs, urlencode, urlsplit

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.json_text import parse_object
from reverse.official.failures import failure_of_response
from reverse.official.json_values import number_at, text_at
from reverse.official.transports import OfficialTransport
from reverse.wire.transport import OutgoingRequest, read_body

OPERATION = "login"

_SCOPE = "apikey:create"
_CALLBACK_PATH = "/callback"
_MAX_HEAD_BYTES = 16_384
_HEAD_SECONDS = 5.0
_MAX_REPLY_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Login:
    """The key that a sign-in created; `expires_at` is epoch seconds, `None` for a key that does not expire."""

    credentials: OfficialCredentials
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in that has begun. `state` and `verifier` are random and used once; the verifier is a secret."""

    client_id: str
    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)

    def authorize_url(self, config: PoeConfig) -> str:
        """Where the user signs in. Holds no secret beyond the state."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": _SCOPE,
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{config.web_base_url.rstrip('/')}/oauth/authorize?{urlencode(query)}"

    def read_return(self, query: str) -> str:
        """The code in the query of the address that the browser came back to.

        Raises `ValueError` for another sign-in's state, and `not_authenticated` when the user or Poe refused.
        """
        values = {name: found[0] for name, found in parse_qs(query).items()}
        # The state first: a page that the user happens to visit must not end this sign-in, nor bring its own code.
        if not hmac.compare_digest(values.get("state", "").encode(), self.state.encode()):
            raise ValueError("this is not the sign-in that was started here")
        if not values.get("code"):
            raise poe_error(ErrorCode.NOT_AUTHENTICATED, "the sign-in was refused", operation=OPERATION)
        return values["code"]


async def exchange_code(sign_in: SignIn, code: str, config: PoeConfig) -> Login:
    """Exchange the code for a key. Raises `not_authenticated` for a code that Poe does not take, and other errors."""
    request = OutgoingRequest(
        "POST",
        f"{config.official_base_url.rstrip('/')}/token",
        OPERATION,
        headers={},
        form={
            "grant_type": "authorization_code",
            "code": code,
            "client_id": sign_in.client_id,
            "redirect_uri": sign_in.redirect_uri,
            "code_verifier": sign_in.verifier,
        },
    )
    transport = OfficialTransport(config)
    seconds = config.request_timeout_seconds
    deadline = asyncio.get_running_loop().time() + seconds
    try:
        async with transport.open(request, timeout_seconds=seconds) as reply:
            body = await read_body(reply, _MAX_REPLY_BYTES, deadline)
            if reply.status != HTTPStatus.OK:
                raise failure_of_response(reply.status, reply.headers, body, operation=OPERATION)
    finally:
        await transport.aclose()
    return _parse_login(body, time.time())


class PoeLogin:
    """One sign-in. Show `authorize_url` to the user, then await `wait`.

    `async with PoeLogin(client_id) as login:` listens on a free loopback port for the browser's return until the block
    ends. A return with another state is turned away and changes nothing.
    """

    def __init__(self, client_id: str, config: PoeConfig | None = None) -> None:
        self._config = config or PoeConfig()
        self._server: asyncio.Server | None = None
        self._code: asyncio.Future[str] | None = None
        self._sign_in = SignIn(client_id, "")

    async def __aenter__(self) -> Self:
        """Listen. Raises `OSError` when no loopback port is to be had."""
        self._code = asyncio.get_running_loop().create_future()
        # By number, as RFC 8252 asks for: what `localhost` means is up to the machine's settings.
        self._server = await asyncio.start_server(self._returned, "127.0.0.1", 0, limit=_MAX_HEAD_BYTES)
        port = self._server.sockets[0].getsockname()[1]
        self._sign_in = replace(self._sign_in, redirect_uri=f"http://127.0.0.1:{port}{_CALLBACK_PATH}")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._code is not None and not self._code.cancel() and not self._code.cancelled():
            self._code.exception()  # seen, also where nobody waited

    @property
    def authorize_url(self) -> str:
        """Where the user signs in. Holds no secret beyond the state."""
        return self._sign_in.authorize_url(self._config)

    async def wait(self, timeout_seconds: float = 300.0) -> Login:
        """Wait for the user, then exchange the code for a key.

        Raises `timeout` when nobody signs in, `not_authenticated` when the user or Poe refuses.
        """
        if self._code is None:
            raise RuntimeError("enter the sign-in before waiting for it")
        try:
            async with asyncio.timeout(timeout_seconds):
                # Shielded: a wait that times out may be repeated, and would otherwise cancel what the browser brings.
                code = await asyncio.shield(self._code)
        except TimeoutError:
            raise poe_error(ErrorCode.TIMEOUT, "nobody signed in in time", operation=OPERATION) from None
        return await exchange_code(self._sign_in, code, self._config)

    async def _returned(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one browser request; only the right path with the right state counts."""
        status, text = "404 Not Found", "Nothing here."
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, text = self._judge(head.split(" ", 2))
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            status, text = "400 Bad Request", "That was no request."
        try:
            body = text.encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
                "Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode()
                + body
            )
            async with asyncio.timeout(_HEAD_SECONDS):
                await writer.drain()
        except (TimeoutError, OSError):
            pass  # the browser has gone; what it brought is kept
        finally:
            writer.close()

    def _judge(self, request_line: list[str]) -> tuple[str, str]:
        target = urlsplit(request_line[1]) if len(request_line) > 1 and request_line[0] == "GET" else None
        if target is None or target.path != _CALLBACK_PATH or self._code is None:
            return "404 Not Found", "Nothing here."
        try:
            code: str | PoeError = self._sign_in.read_return(target.query)
        except ValueError:
            return "400 Bad Request", "This is not the sign-in that was started here."
        except PoeError as refused:
            code = refused
        # Browsers load an address again; the first answer counts.
        if self._code.done():
            return "409 Conflict", "This sign-in is already finished."
        if isinstance(code, PoeError):
            self._code.set_exception(code)
            return "200 OK", "The sign-in was refused. You can close this window."
        self._code.set_result(code)
        return "200 OK", "Signed in. You can close this window."


def _parse_login(body: bytes, now: float) -> Login:
    reply = parse_object(body) or {}
    try:
        credentials = OfficialCredentials.from_mapping({"api_key": text_at(reply, "api_key")})
    except ValueError:
        raise poe_error(ErrorCode.PROTOCOL, "the sign-in brought no key", operation=OPERATION) from None
    # Relative to now, as OAuth has it; clocks of two machines need not agree.
    lifetime = number_at(reply, "api_key_expires_in")
    return Login(credentials, None if lifetime is None else now + lifetime)
