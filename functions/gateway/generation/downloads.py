"""Files that bots made: found in an answer, fetched guarded and bounded, and passed on to callers while they arrive.

An address in an answer was written by a bot, which a prompt may have told what to write: it is fetched like one from a
stranger. The one exception is Poe itself where the operator configured its address, which may be a stand-in on this
machine.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from gateway.generation.answer import collect_answer
from gateway.generation.generation import Generation
from gateway.http.deadline import ClientGoneError, bounded
from gateway.http.errors import UPSTREAM, GatewayError
from gateway.http.sse import RUNTIME_EXTENSION
from lazy_dataclasses import dataclass
from reverse.errors import ErrorCode, PoeError
from reverse.events import FileAttached

if TYPE_CHECKING:
    from reverse.url_guard import FetchPolicy

SECONDS = 30.0
_PIECE_BYTES = 64 * 1024
_UNKNOWN = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is being read. `content_type` is by its bytes, else as the bot said."""

    content_type: str
    name: str
    size: int | None
    """In bytes, where that is known before the end."""
    chunks: AsyncGenerator[bytes, None] = field(repr=False)


class Downloads:
    """Opens files that bots made. `upstreams` are the configured addresses of Poe; empty ones are left out."""

    def __init__(self, upstreams: Iterable[str]) -> None:
        self._trusted = {origin for url in upstreams if url and (origin := _origin(url))}

    @asynccontextmanager
    async def open(self, file: FileAttached, *, max_bytes: int) -> AsyncIterator[Opened]:
        """Open a file. Raises `PoeError`; while reading, too."""
        # httpx comes with it, which a chat does not need: imported with the first file.
        from reverse.fetch import open_file, parse_data_url

        if file.url[:5].lower() == "data:":
            parsed = parse_data_url(file.url, max_bytes=max_bytes)
            yield Opened(_type(parsed.content_type, file), parsed.name, len(parsed.data), _cut(parsed.data))
            return
        policy = self._policy(file.url)
        async with open_file(file.url, max_bytes=max_bytes, timeout_seconds=SECONDS, policy=policy) as opened:
            yield Opened(_type(opened.content_type, file), opened.name, opened.size, opened.chunks)

    async def read(self, file: FileAttached, *, max_bytes: int) -> tuple[bytes, str]:
        """A whole file and its content type. Raises `PoeError`."""
        async with self.open(file, max_bytes=max_bytes) as opened:
            return b"".join([piece async for piece in opened.chunks]), opened.content_type

    async def is_of_type(self, file: FileAttached, major: str, *, max_bytes: int) -> bool:
        """Whether a file is an image, a sound or a video (`major`), by what Poe says, else by its first bytes."""
        # What Poe says saves a fetch for each file. Whoever opens it later judges it by its bytes.
        if file.content_type:
            return file.content_type.lower().startswith(f"{major}/") and self._is_fetchable(file.url)
        try:
            async with self.open(file, max_bytes=max_bytes) as opened:
                return opened.content_type.startswith(f"{major}/")
        except PoeError:
            return False

    def _is_fetchable(self, url: str) -> bool:
        """Whether the address could be given to a caller at all."""
        scheme = url.partition(":")[0].lower()
        return scheme in ("https", "data") or _origin(url) in self._trusted

    def _policy(self, url: str) -> FetchPolicy | None:
        # `None` is the strict policy of `reverse.fetch`: https only, public addresses only.
        if _origin(url) not in self._trusted:
            return None
        from reverse.url_guard import FetchPolicy

        # The operator's own choice of address; a redirect from there could still lead anywhere.
        return FetchPolicy(allow_http=True, max_redirects=0, is_allowed=lambda _: True)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        return (parts.scheme.lower(), parts.hostname or "", parts.port) if parts.hostname else None
    except ValueError:
        return None


def _type(sniffed: str, file: FileAttached) -> str:
    return file.content_type if sniffed == _UNKNOWN and file.content_type else sniffed


async def _cut(data: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]


MAX_FILES = 20
_MAX_URL_CHARS = 4000
# Possessive quantifiers throughout: a bot's text can't make them backtrack.
# `![alt](address "title")`; an address in markdown may hold balanced parentheses, or stand in angle brackets.
_TARGET = r"<(?P<bracketed>https?://[^<>\s]++)>|(?P<plain>https?://(?:[^\s()<>]++|\([^\s()<>]*+\))++)"
_TITLE = r"\"[^\"\n]{0,300}+\"|'[^'\n]{0,300}+'|\([^()\n]{0,300}+\)"
_IMAGE = rf"!\[[^\[\]\n]{{0,500}}+\]\(\s*+(?:{_TARGET})\s*+(?:{_TITLE})?\s*+\)"
_ADDRESS = r"https?://[^\s<>\"'`\]\\]+"
_TRAILING = ".,;:!?*_~"


async def collect_files(generation: Generation) -> list[FileAttached]:
    """Run the generation to its end; its files, each once. Raises what the generation raises."""
    answer = await collect_answer(generation)
    files = answer.files or [FileAttached(url) for url in find_addresses(answer.text)]
    return list({file.url: file for file in files}.values())[:MAX_FILES]


def find_addresses(text: str) -> list[str]:
    """The addresses that a text hands over: those of its markdown images, without any all that stand in it."""
    # A bot that shows an image often repeats its address below it, or links to other pages; those are no further
    # images.
    images = [match["bracketed"] or match["plain"] for match in re.finditer(_IMAGE, text)]
    found: Iterable[str] = images or (_trimmed(match[0]) for match in re.finditer(_ADDRESS, text))
    return [url for url in dict.fromkeys(found) if len(url) <= _MAX_URL_CHARS][:MAX_FILES]


def _trimmed(url: str) -> str:
    """An address without the punctuation of the sentence, or the parenthesis, that it stands in."""
    end = len(url)
    # Counted once and carried along, so that many parentheses cost one pass.
    unopened = url.count(")") - url.count("(")
    while url[end - 1] in _TRAILING or (url[end - 1] == ")" and unopened > 0):
        unopened -= url[end - 1] == ")"
        end -= 1
    return url[:end]


# Lambda streams 200 MB at most, and buffers 6 MB, of which base64 takes a quarter and the head a little.
MAX_STREAMED_BYTES = 190 * 1024 * 1024
MAX_BUFFERED_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is being read: its type, its size where known, its bytes, and further headers of the response."""

    content_type: str
    size: int | None
    chunks: AsyncGenerator[bytes, None] = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


OpenDownload = Callable[[int], AbstractAsyncContextManager[Download]]
"""Opens the file; given the most bytes that it may have. May raise `PoeError` and `GatewayError`."""


class FileResponse:
    """Sends a file that `open_download` opens. What fails before the first byte is an ordinary error response.

    Later there is nothing left to say it with: the response breaks off, which a client notices by its length. The file
    is closed in every ending. Memory does not grow with the file.
    """

    def __init__(self, open_download: OpenDownload, *, deadline: float) -> None:
        self._open = open_download
        self._deadline = deadline

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond. Raises `GatewayError`, `PoeError`, `TimeoutError`, `ClientGoneError`."""
        # Known before the file is opened: a larger one becomes an error that can still be told.
        limit = MAX_BUFFERED_BYTES if is_buffered(scope) else MAX_STREAMED_BYTES
        try:
            # Left in reverse order: the chunks are closed before the file, both within the deadline.
            async with bounded(receive, self._deadline), self._open(limit) as file, aclosing(file.chunks) as chunks:
                # The head waits for the first piece, with which most failures show.
                first = await anext(chunks, b"")
                await send({"type": "http.response.start", "status": 200, "headers": _head(file)})
                await send({"type": "http.response.body", "body": first, "more_body": True})
                async for chunk in chunks:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except PoeError as error:
            if error.code is ErrorCode.FILE_TOO_LARGE:
                message = "The file is too large for one response."
                raise GatewayError(UPSTREAM, message, code="response_too_large") from None
            # The cause names an address, which a bot wrote.
            raise GatewayError(UPSTREAM, "The file could not be fetched.") from None
        # `TimeoutError` is an `OSError`, which below means that the caller's connection broke.
        except TimeoutError:
            raise
        except OSError:
            raise ClientGoneError from None


def _head(file: Download) -> list[tuple[bytes, bytes]]:
    headers = {"content-type": file.content_type, **file.headers}
    # Without it a client can't tell a response that broke off from a complete one.
    if file.size is not None:
        headers["content-length"] = str(file.size)
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def is_buffered(scope: Scope) -> bool:
    """Whether Lambda collects the response, which is then limited to 6 MB."""
    return "aws.context" in scope and RUNTIME_EXTENSION not in scope.get("extensions", {})
