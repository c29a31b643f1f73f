"""Talks HTTP to a gateway.

The standard library's client: `import httpx` alone takes more processor time than a whole command may
(`scripts/measure_cli.py` measures both). Nothing here follows redirects or retries: a command is repeated by whoever
gave it.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from poegw import __version__
from poegw.errors import CommandError, Exit, not_logged_in

MAX_BODY_BYTES = 64 * 1024 * 1024
MAX_EVENT_BYTES = 8 * 1024 * 1024
_UNAUTHORIZED = 401
_REFUSALS = (402, 403, 429)
_FIRST_ERROR = 400
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Reply(NamedTuple):
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def request_id(self) -> str | None:
        return self.headers.get("x-request-id")

    def json(self) -> Any:
        """The body as JSON. Raises `CommandError` for anything else."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise CommandError(
                "The gateway's answer is not JSON.",
                hint="Is the address that of a gateway? `poegw doctor` looks closer.",
                request_id=self.request_id,
            ) from None


class ApiError(CommandError):
    """The gateway answered with an error envelope. `code` and `kind` are the envelope's."""

    def __init__(self, reply: Reply) -> None:
        envelope = _envelope(reply.body)
        self.http_status = reply.status
        self.code = envelope.get("code")
        self.kind = envelope.get("type")
        self.retry_after = reply.headers.get("retry-after")
        message = envelope.get("message") or f"The gateway answered with status {reply.status}."
        status, hint = _meaning(reply, self.code)
        super().__init__(str(message), hint=hint, status=status, request_id=reply.request_id)


class Gateway:
    """A gateway at an address, used with a key. `log` is given a line per request, without secrets."""

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        timeout_seconds: float = 60.0,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.url = base_url(url)
        self._key = key
        self._timeout = timeout_seconds
        self._log = log or (lambda _: None)

    def get(self, path: str, **query: object) -> Any:
        """The JSON at `path`. Queries that are `None` are left out. Raises `CommandError`."""
        return self.request("GET", path, query=query).json()

    def send(self, method: str, path: str, body: object = None) -> Any:
        """Send JSON, and return the answer's. Raises `CommandError`."""
        reply = self.request(method, path, body=body)
        return reply.json() if reply.body else None

    def pages(self, path: str, *, limit: int | None = None, **query: object) -> Iterator[dict[str, Any]]:
        """The items of a list, page by page, at most `limit` of them."""
        cursor: str | None = None
        left = limit
        while True:
            # The gateway gives at most a hundred at a time.
            page = self.get(path, cursor=cursor, limit=None if left is None else min(left, 100), **query)
            for item in page["data"]:
                yield item
                if left is not None and (left := left - 1) <= 0:
                    return
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        raises: bool = True,
        timeout_seconds: float | None = None,
    ) -> Reply:
        """One request. Raises `CommandError`; with `raises` also for an answer that is an error."""
        with self._open(method, path, body, query, headers=headers, timeout_seconds=timeout_seconds) as response:
            # One byte more than is allowed tells that there is more.
            content = response.read(MAX_BODY_BYTES + 1)
        if len(content) > MAX_BODY_BYTES:
            raise CommandError("The gateway's answer is too large.")
        reply = Reply(response.status, _headers(response), content)
        if raises and response.status >= _FIRST_ERROR:
            raise ApiError(reply)
        return reply

    @contextmanager
    def stream(
        self, path: str, body: object, *, method: str = "POST"
    ) -> Iterator[tuple[Mapping[str, str], Iterator[bytes]]]:
        """The headers and the data of the server-sent events that answer `body`. Raises `CommandError`.

        Leaving the block closes the connection, which stops the answer.
        """
        with self._open(method, path, body, None) as response:
            if response.status >= _FIRST_ERROR:
                # An error is no stream: it comes whole, as JSON.
                raise ApiError(Reply(response.status, _headers(response), response.read(MAX_BODY_BYTES)))
            yield _headers(response), _events(response)

    @contextmanager
    def _open(
        self,
        method: str,
        path: str,
        body: object,
        query: Mapping[str, object] | None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
    ) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(self.url)
        target = parts.path + path + _query(query)
        headers = {
            "accept": "application/json, text/event-stream",
            "user-agent": f"poegw/{__version__}",
            **(headers or {}),
        }
        # In a header, and never in the address, which is logged by many.
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["content-type"] = "application/json"
        self._log(f"> {method} {self.url}{path}{_query(query)}")
        connection = _connection(self.url, timeout_seconds or self._timeout)
        try:
            try:
                connection.request(method, target, content, headers)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException) as error:
                raise CommandError(
                    f"{self.url} could not be reached: {_words(error)}.",
                    hint="Is the gateway running, and is the address right? `poegw profiles` shows the addresses.",
                ) from None
            request_id = response.headers.get("x-request-id", "-")
            self._log(f"< {response.status} {response.reason} (request id {request_id})")
            try:
                yield response
            except (OSError, http.client.HTTPException) as error:
                raise CommandError(f"The answer broke off: {_words(error)}.", request_id=request_id) from None
        finally:
            connection.close()


def base_url(url: str) -> str:
    """The gateway's address without `/v1` and without a slash at its end. Raises `CommandError`."""
    url = url.strip().rstrip("/")
    # People paste the address that OpenAI's clients want.
    url = url.removesuffix("/v1").rstrip("/")
    parts = urlsplit(url)
    # A name and a password in the address would show up in messages.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise CommandError(
            f"{url[:200]!r} is not the address of a gateway.",
            hint="It begins with https://, or with http:// for a gateway on this machine.",
            status=Exit.USAGE,
        )
    return url


def is_plain_and_remote(url: str) -> bool:
    """Whether keys would travel unencrypted to another machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in _LOOPBACK


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def _connection(url: str, timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    proxy = _proxy(parts.scheme, host)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    if proxy is None:
        return kind(host, port, timeout=timeout)
    via = _parts_of_proxy(proxy)
    connection = kind(via.hostname or "", via.port or 80, timeout=timeout)
    headers = {}
    if via.username:
        from base64 import b64encode
        from urllib.parse import unquote

        secret = f"{unquote(via.username)}:{unquote(via.password or '')}"
        headers["proxy-authorization"] = "Basic " + b64encode(secret.encode()).decode()
    connection.set_tunnel(host, port, headers)
    return connection


def _parts_of_proxy(proxy: str) -> SplitResult:
    """The address of the proxy. Raises `CommandError`, which quotes nothing of it, for one that is not for HTTP."""
    try:
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        is_fine = parts.scheme in ("", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine:
        raise CommandError(
            "The proxy in the environment can't be used: it must be an address that begins with http://.",
            hint="See HTTPS_PROXY and HTTP_PROXY. NO_PROXY names the hosts that need none. SOCKS is not supported.",
            status=Exit.USAGE,
        )
    return parts


def _proxy(scheme: str, host: str) -> str | None:
    # Looked at first, because importing `urllib.request` takes its time.
    if host in _LOOPBACK or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    return None if proxy_bypass(host) else getproxies().get(scheme)


def _events(response: http.client.HTTPResponse) -> Iterator[bytes]:
    """The data of each event. Comments, which keep the connection alive, are left out."""
    data: list[bytes] = []
    while line := response.readline(MAX_EVENT_BYTES + 1):
        # `readline` stops there without a word, and the rest would be taken for a line of its own.
        if len(line) > MAX_EVENT_BYTES:
            raise CommandError("An event of the answer is too large.")
        line = line.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data = []
    if data:
        yield b"\n".join(data)


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _query(query: Mapping[str, object] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _meaning(reply: Reply, code: object) -> tuple[int, str | None]:
    """The exit status of an error, and what to do next."""
    if reply.status == _UNAUTHORIZED:
        missing = not_logged_in()
        return Exit.NOT_LOGGED_IN, f"The key is wrong, expired or revoked. {missing.hint}"
    # A spent budget or a missing right is not mended by waiting.
    if reply.status in _REFUSALS:
        wait = reply.headers.get("retry-after")
        return Exit.REFUSED, f"Try again in {wait} seconds." if wait and reply.status not in (402, 403) else None
    if reply.status == http.client.NOT_FOUND and code == "not_found":
        return Exit.FAILURE, "If this command is newer than the gateway, `poegw version` shows both versions."
    return Exit.FAILURE, None


def _words(error: BaseException) -> str:
    """What happened, in few words; never an address with a password in it."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    # `str` of some of these quotes the whole request.
    return (getattr(error, "strerror", None) or type(error).__name__).rstrip(".")
