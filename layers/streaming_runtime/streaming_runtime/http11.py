"""HTTP/1.1 as bytes, without I/O: write requests, read answers. Only what the Runtime API needs."""

import re
from collections.abc import Iterable
from enum import Enum, auto
from http import HTTPStatus
from typing import NamedTuple

from streaming_runtime.errors import (
    RuntimeApiMalformedResponseError,
    RuntimeApiResponseTooLargeError,
    RuntimeApiUnreachableError,
)

MAX_HEAD_BYTES = 64 * 1024
# An event is at most 6 MB on Lambda; JSON escapes and generous emulators need room.
MAX_BODY_BYTES = 32 * 1024 * 1024
# A line that introduces a chunk: the size in hexadecimal, and extensions nobody uses.
MAX_CHUNK_LINE_BYTES = 256

CRLF = b"\r\n"
LAST_CHUNK = b"0\r\n\r\n"

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_NUMBER = re.compile(r"[0-9]{1,15}")
_UNSAFE = re.compile(r"[^\x20-\x7e]")

Headers = Iterable[tuple[str, str]]


class HttpResponse(NamedTuple):
    """One complete response."""

    status: int
    # Names in lower case; of repeated ones the last, except Content-Length, which must not differ.
    headers: dict[str, str]
    # Of `next`, this is what a user sent.
    body: bytes
    # Whether the connection may carry another request.
    keeps_alive: bool

    def __repr__(self) -> str:
        return f"HttpResponse(status={self.status}, keeps_alive={self.keeps_alive})"

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


def encode_head(method: str, target: str, authority: str, headers: Headers) -> bytes:
    """A request head. Raises ValueError for what is not printable ASCII, so nothing can be injected."""
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {authority}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    if any(_UNSAFE.search(line) for line in lines):
        raise ValueError("a request head must be printable ASCII")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


def encode_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body. `data` must not be empty: an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def encode_last_chunk(trailers: Headers) -> bytes:
    """The end of a chunked body, with trailers. Raises ValueError as `encode_head` does."""
    lines = [f"{name}: {value}" for name, value in trailers]
    if any(_UNSAFE.search(line) for line in lines):
        raise ValueError("trailers must be printable ASCII")
    return ("0\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode("ascii")


class _Part(Enum):
    """Which part of the response comes next."""

    HEAD = auto()
    # A body of known length.
    LENGTH = auto()
    # The line with the size of the next chunk.
    CHUNK_SIZE = auto()
    # A chunk's bytes and its line end.
    CHUNK = auto()
    # Trailer lines, up to an empty one.
    TRAILERS = auto()
    # A body that the end of the connection ends.
    UNTIL_EOF = auto()


class ResponseParser:
    """Turns the bytes of one connection into one response.

    `feed` raises RuntimeApiMalformedResponseError and RuntimeApiResponseTooLargeError; `feed_eof` raises these and
    RuntimeApiUnreachableError. The parser, and the connection with it, is of no use afterwards.
    """

    def __init__(self, *, max_head_bytes: int = MAX_HEAD_BYTES, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._max_head_bytes = max_head_bytes
        self._max_body_bytes = max_body_bytes
        self._part = _Part.HEAD
        # Received and not yet consumed.
        self._buffer = bytearray()
        self._body = bytearray()
        # How much of the buffer was searched for the end of the head.
        self._searched = 0
        # Bytes still missing in a body of known length, or in the current chunk without its line end.
        self._missing = 0
        # Bytes of interim heads and trailers so far: each alone may be small, but there may be no end of
        # them.
        self._overhead = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._keeps_alive = False

    def feed(self, data: bytes) -> HttpResponse | None:
        """Take more bytes; the response once it is complete. Bytes after its end cost the connection."""
        self._buffer += data
        while self._advance():
            pass
        if self._part is _Part.HEAD and self._status:
            return self._finish()
        return None

    def feed_eof(self) -> HttpResponse:
        """The connection ended: the response if that is its proper end. Raises RuntimeApiUnreachableError."""
        if self._part is _Part.UNTIL_EOF:
            return self._finish()
        raise RuntimeApiUnreachableError("the Runtime API closed the connection before its response was complete")

    def _finish(self) -> HttpResponse:
        keeps_alive = self._keeps_alive and not self._buffer and self._part is not _Part.UNTIL_EOF
        return HttpResponse(self._status, self._headers, bytes(self._body), keeps_alive)

    def _advance(self) -> bool:
        """Consume one element of the buffer; False when more bytes are needed or the response is complete."""
        match self._part:
            case _Part.HEAD:
                return not self._status and self._read_head()
            case _Part.LENGTH:
                return self._read_length()
            case _Part.CHUNK_SIZE:
                return self._read_chunk_size()
            case _Part.CHUNK:
                return self._read_chunk()
            case _Part.TRAILERS:
                return self._read_trailer()
            case _Part.UNTIL_EOF:
                self._missing = len(self._buffer)
                self._take_body()
                return False

    def _read_head(self) -> bool:
        # What came before was searched already, but for an end that goes on in what is new.
        end = self._buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        self._searched = len(self._buffer) if end < 0 else 0
        if end > self._max_head_bytes or (end < 0 and len(self._buffer) > self._max_head_bytes):
            raise RuntimeApiResponseTooLargeError(f"the head of the response is over {self._max_head_bytes} bytes")
        if end < 0:
            return False
        status_line, *fields = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        parsed = _STATUS_LINE.fullmatch(status_line)
        if parsed is None:
            raise RuntimeApiMalformedResponseError("the response does not begin with an HTTP/1 status line")
        status = int(parsed[2])
        if status < HTTPStatus.OK:
            # Interim answers such as 100 Continue precede the real one.
            self._count_overhead(end)
            return True
        self._status = status
        self._headers = _parse_fields(fields)
        connection = self._headers.get("connection", "").lower()
        self._keeps_alive = connection != "close" if parsed[1] == b"1" else connection == "keep-alive"
        self._part = self._framing()
        return self._part is not _Part.HEAD

    def _framing(self) -> _Part:
        coding, length = self._headers.get("transfer-encoding"), self._headers.get("content-length")
        if self._status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            return _Part.HEAD
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise RuntimeApiMalformedResponseError("the response's framing is ambiguous or unknown")
            return _Part.CHUNK_SIZE
        if length is None:
            return _Part.UNTIL_EOF
        if _NUMBER.fullmatch(length) is None:
            raise RuntimeApiMalformedResponseError("the response's Content-Length is not a number")
        self._missing = int(length)
        self._check_size()
        return _Part.LENGTH

    def _read_length(self) -> bool:
        self._take_body()
        if self._missing:
            return False
        self._part = _Part.HEAD
        return True

    def _read_chunk_size(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        parsed = _CHUNK_SIZE.fullmatch(line)
        if parsed is None:
            raise RuntimeApiMalformedResponseError("the response contains a chunk without a size")
        self._missing = int(parsed[1], 16)
        self._check_size()
        self._part = _Part.CHUNK if self._missing else _Part.TRAILERS
        return True

    def _read_chunk(self) -> bool:
        self._take_body()
        if self._missing or len(self._buffer) < len(CRLF):
            return False
        if not self._buffer.startswith(CRLF):
            raise RuntimeApiMalformedResponseError("the response contains a chunk that is longer than its size")
        del self._buffer[: len(CRLF)]
        self._part = _Part.CHUNK_SIZE
        return True

    def _read_trailer(self) -> bool:
        line = self._take_line()
        if line is None:
            return False
        self._count_overhead(len(line))
        if not line:
            self._part = _Part.HEAD
        return True

    def _count_overhead(self, size: int) -> None:
        self._overhead += size
        if self._overhead > self._max_head_bytes:
            raise RuntimeApiResponseTooLargeError(
                f"the response has over {self._max_head_bytes} bytes of interim heads or trailers"
            )

    def _take_line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, MAX_CHUNK_LINE_BYTES)
        if end < 0 and len(self._buffer) >= MAX_CHUNK_LINE_BYTES:
            raise RuntimeApiMalformedResponseError("the response contains a chunk line without an end")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _take_body(self) -> None:
        self._check_size()
        taken = self._buffer[: self._missing]
        del self._buffer[: self._missing]
        self._body += taken
        self._missing -= len(taken)

    def _check_size(self) -> None:
        if len(self._body) + self._missing > self._max_body_bytes:
            raise RuntimeApiResponseTooLargeError(f"the body of the response is over {self._max_body_bytes} bytes")


def _parse_fields(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        parsed = _FIELD.fullmatch(line)
        if parsed is None:
            raise RuntimeApiMalformedResponseError("the response contains a header line that is none")
        name, value = parsed[1].decode("ascii").lower(), parsed[2].decode("latin-1").strip(" \t")
        if name == "content-length" and headers.get(name, value) != value:
            raise RuntimeApiMalformedResponseError("the response has two lengths")
        headers[name] = value
    return headers
