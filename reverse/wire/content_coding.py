"""Compressed bodies: gzip and deflate, undone in bounded pieces. No I/O."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAX_PIECE_BYTES = 65_536
# zlib's word for "gzip or zlib, as the data itself says".
_EITHER_FORMAT = 47


class UnknownCodingError(Exception):
    """The body has a coding, or a combination of them, that nobody asked for."""


class CorruptBodyError(Exception):
    """The body is not what its coding says."""


class ContentDecoder:
    """Undoes one coding. However much a few bytes unpack to, they are handed out in pieces of `MAX_PIECE_BYTES`."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(_EITHER_FORMAT)
        self._has_begun = False

    @classmethod
    def for_coding(cls, coding: str) -> ContentDecoder | None:
        """The decoder for a `Content-Encoding`; `None` where nothing is to be undone. Raises `UnknownCodingError`."""
        match coding.strip().lower():
            case "" | "identity":
                return None
            case "gzip" | "x-gzip" | "deflate":
                return cls()
        raise UnknownCodingError

    def decode(self, data: bytes) -> Iterator[bytes]:
        """The pieces that `data` completes, each unpacked when it is asked for. Raises `CorruptBodyError`."""
        self._has_begun = True
        try:
            while not self._inflate.eof:
                piece = self._inflate.decompress(data, MAX_PIECE_BYTES)
                data = self._inflate.unconsumed_tail
                if piece:
                    yield piece
                # A full piece may have more behind it in zlib's own memory, even with no input left.
                if not data and len(piece) < MAX_PIECE_BYTES:
                    return
        except zlib.error:
            raise CorruptBodyError from None

    def end(self) -> None:
        """The body ended. Raises `CorruptBodyError` where what was packed had not."""
        # Redirects and the like name a coding and have no body.
        if self._has_begun and not self._inflate.eof:
            raise CorruptBodyError
