"""A file as a response that is passed on while it arrives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import field

from starlette.types import Receive, Scope, Send

from gateway.http.deadline import ClientGoneError, bounded
from gateway.http.errors import UPSTREAM, GatewayError
from gateway.http.sse import RUNTIME_EXTENSION
from lazy_dataclasses import dataclass
from reverse.errors import ErrorCode, PoeError

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
