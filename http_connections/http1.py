"""HTTP/1.1 as bytes, without I/O: write a request, read its response while it arrives.

Only what requests to APIs need. Whatever the other end sends is bounded: a head, interim responses and trailers by
`MAX_HEAD_BYTES`, the line of a chunk by `MAX_CHUNK_LINE_BYTES`. The body is handed on piece by piece and is for its
reader to bound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import field
from http import HTTPStatus

from lazy_dataclasses import dataclass

MAX_HEAD_BYTES = 65_536
# The size in hexadecimal digits, and extensions that nobody uses.
MAX_CHUNK_LINE_BYTES = 256

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?\r\n")
# Where the end of the chunk before has not arrived with it.
_LATE_CHUNK_LINE = re.compile(rb"\r\n" + _CHUNK_LINE.pattern)
_HEX_DIGITS = b"0123456789abcdefABCDEF"
_SIZE_LINE_BYTES = 10  # eight digits and the line's end
_LENGTH = re.compile(r"[0-9]{1,15}")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VISIBLE = re.compile(r"[\x20-\x7e]*")
_TARGET = re.compile(r"[\x21-\x7e]+")


class MalformedResponseError(Exception):
    """The other end does not speak HTTP/1.1, or more of it than is read. The message quotes nothing."""


class IncompleteResponseError(Exception):
    """The connection ended before the response did."""


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """Status and headers; names in lower case, values of repeated ones joined by a comma."""

    status: int
    headers: dict[str, str] = field(repr=False)


def encode_request_head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """The head of a request. Raises `ValueError`, which quotes nothing, for what no head may hold."""
    lines = [f"{method} {target} HTTP/1.1"]
    # Checked here and nowhere else: a line break in an address or a header would begin another request.
    if _TOKEN.fullmatch(method) is None or _TARGET.fullmatch(target) is None:
        raise ValueError("the method or the target has characters that can't be sent")
    for name, value in headers:
        if _TOKEN.fullmatch(name) is None or _VISIBLE.fullmatch(value) is None:
            raise ValueError("a header has characters that can't be sent")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


class ResponseParser:
    """Turns the bytes of one connection into one response.

    `head` is set once it has arrived, `is_complete` once all has; `keeps_alive` then says whether the connection may
    carry another exchange. `has_body` is false for the answer to CONNECT. After an error the parser is of no use.
    """

    def __init__(self, *, has_body: bool = True) -> None:
        self.head: ResponseHead | None = None
        self.is_complete = False
        self.keeps_alive = False
        self._may_have_body = has_body
        # Reads from a position of the data, appends to the pieces, and returns the position where the next part begins.
        self._read: Callable[[bytes, int, list[bytes]], int] = self._read_head
        self._kept = bytearray()
        self._searched = 0  # of what is kept: where the end of the head can't begin any more
        self._missing = 0  # of a body of known length, or of the current chunk
        self._overhead = 0  # interim heads and trailers so far
        self._is_until_end = False
        self._chunk_line = _CHUNK_LINE

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of the body in the next bytes. Raises `MalformedResponseError`."""
        pieces: list[bytes] = []
        if self._kept:
            self._kept += data
            if self._read == self._read_head and not self._has_whole_head():
                return pieces
            data = bytes(self._kept)
            self._kept.clear()
        position, end = 0, len(data)
        while position < end and not self.is_complete:
            position = self._read(data, position, pieces)
        if position < end:
            self.keeps_alive = False  # nobody asked for what follows
        return pieces

    def feed_eof(self) -> None:
        """The connection ended. Raises `IncompleteResponseError` unless the response was to end with it."""
        self.keeps_alive = False
        if not self.is_complete and not self._is_until_end:
            raise IncompleteResponseError
        self.is_complete = True

    def _has_whole_head(self) -> bool:
        """Looks at each byte once, however small the pieces in which the head arrives."""
        found = self._kept.find(b"\r\n\r\n", self._searched)
        # The mark has four bytes, of which three may be there.
        self._searched = 0 if found >= 0 else max(0, len(self._kept) - 3)
        if found < 0 and len(self._kept) > MAX_HEAD_BYTES:
            raise MalformedResponseError("the head of the response is too large")
        return found >= 0

    def _read_head(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        del pieces
        end = data.find(b"\r\n\r\n", position)
        if (len(data) if end < 0 else end) - position > MAX_HEAD_BYTES:
            raise MalformedResponseError("the head of the response is too large")
        if end < 0:
            return self._keep(data, position)
        status_line, *lines = data[position:end].split(b"\r\n")
        parsed = _STATUS_LINE.fullmatch(status_line)
        if parsed is None:
            raise MalformedResponseError("the response does not begin with a status line")
        status = int(parsed[2])
        # An interim response (100, 103) says nothing; the real one follows.
        if status < HTTPStatus.OK:
            # After it the connection speaks something else, which nobody here asked for.
            if status == HTTPStatus.SWITCHING_PROTOCOLS:
                raise MalformedResponseError("the response changes the protocol")
            self._count_overhead(end - position)
            return end + 4
        self.head = ResponseHead(status, _parse_fields(lines))
        self._choose_framing(self.head, is_http_1_0=parsed[1] == b"0")
        return end + 4

    def _choose_framing(self, head: ResponseHead, *, is_http_1_0: bool) -> None:
        connection = {word.strip().lower() for word in head.headers.get("connection", "").split(",")}
        # The default changed with HTTP/1.1; `close` wins in both (RFC 9112, 9.3).
        self.keeps_alive = "close" not in connection and (not is_http_1_0 or "keep-alive" in connection)
        coding, length = head.headers.get("transfer-encoding"), head.headers.get("content-length")
        if not self._may_have_body or head.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED):
            self.is_complete = True
        elif coding is not None:
            # Nobody asked for another one, and a body of unknown framing would run into the next response.
            if coding.strip().lower() != "chunked":
                raise MalformedResponseError("the response has an unknown transfer coding")
            # One of the two is wrong, and so are chunks in HTTP/1.0 (RFC 9112, 6.1 and 6.3).
            if length is not None or is_http_1_0:
                self.keeps_alive = False
            self._read = self._read_chunks
        elif length is not None:
            lengths = {part.strip() for part in length.split(",")}
            # Two different lengths are how one response is smuggled into another.
            if len(lengths) != 1 or _LENGTH.fullmatch(length := lengths.pop()) is None:
                raise MalformedResponseError("the response has no proper length")
            self._missing = int(length)
            self.is_complete = not self._missing
            self._read = self._read_length
        else:
            self.keeps_alive, self._is_until_end = False, True
            self._read = _read_all

    def _read_length(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        piece = data[position : position + self._missing]
        pieces.append(piece)
        self._missing -= len(piece)
        self.is_complete = not self._missing
        return position + len(piece)

    def _read_chunks(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        """As many chunks as there are: a loop over this method per chunk would cost more than the chunks."""
        end = len(data)
        while position < end:
            if not self._missing:
                # The usual line has a size and nothing else; an expression that knows all lines costs more than that.
                size, line_break, _ = data[position : position + _SIZE_LINE_BYTES].partition(b"\r\n")
                if line_break and size and not size.strip(_HEX_DIGITS) and self._chunk_line is _CHUNK_LINE:
                    position += len(size) + 2
                elif (line := self._chunk_line.match(data, position)) is not None:
                    position, size = line.end(), line[1]
                else:
                    return self._keep_line(data, position)
                self._missing = int(size, 16)
                if not self._missing:
                    self._read = self._read_trailers
                    return position
            piece = data[position : position + self._missing]
            if piece:
                pieces.append(piece)
                self._missing -= len(piece)
                position += len(piece)
                # The line break behind a chunk may come with the next bytes.
                is_ended = not self._missing and data[position : position + 2] == b"\r\n"
                position += 2 if is_ended else 0
                self._chunk_line = _CHUNK_LINE if is_ended else _LATE_CHUNK_LINE
        return position

    def _keep_line(self, data: bytes, position: int) -> int:
        """An incomplete line is kept, any other is none."""
        begun = data[position : position + MAX_CHUNK_LINE_BYTES]
        after = 0 if self._chunk_line is _CHUNK_LINE else 2
        is_begun = b"\r\n".startswith(begun[:after]) and b"\n" not in begun[after:]
        if not is_begun or len(begun) == MAX_CHUNK_LINE_BYTES:
            raise MalformedResponseError("the response has a chunk without a size")
        return self._keep(data, position)

    def _read_trailers(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        del pieces
        end = data.find(b"\r\n", position)
        if end < 0:
            self._count_overhead(0 if len(data) - position <= MAX_CHUNK_LINE_BYTES else MAX_HEAD_BYTES + 1)
            return self._keep(data, position)
        self._count_overhead(end - position + 2)
        self.is_complete = end == position
        return end + 2

    def _keep(self, data: bytes, position: int) -> int:
        """What is incomplete waits for the next bytes."""
        self._kept += data[position:]
        return len(data)

    def _count_overhead(self, size: int) -> None:
        self._overhead += size
        if self._overhead > MAX_HEAD_BYTES:
            raise MalformedResponseError("the response has too many interim heads or trailers")


def _read_all(data: bytes, position: int, pieces: list[bytes]) -> int:
    """A body that the end of the connection ends."""
    pieces.append(data[position:])
    return len(data)


def _parse_fields(lines: list[bytes]) -> dict[str, str]:
    values: dict[str, list[str]] = {}
    for line in lines:
        parsed = _FIELD.fullmatch(line)
        if parsed is None:
            raise MalformedResponseError("the response has a header line that is none")
        values.setdefault(parsed[1].decode("ascii").lower(), []).append(parsed[2].decode("latin-1").strip(" \t"))
    # RFC 9110 allows that for all headers that are read here; `Set-Cookie` is not.
    return {name: ", ".join(found) for name, found in values.items()}
