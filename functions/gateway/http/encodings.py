"""Compressed bodies of requests: gzip and deflate, undone within the body's own limit. Pure."""

from __future__ import annotations

import zlib

from gateway.http.errors import TOO_LARGE, UNSUPPORTED_ENCODING, GatewayError, invalid

# zlib's words for "gzip or zlib, as the data itself says", and for deflate without either's frame.
_EITHER, _RAW = 47, -15
_CODINGS = ("gzip", "x-gzip", "deflate")
_DEFLATED = 8
# Unpacked at a time.
_PIECE_BYTES = 256 * 1024


def coding_of(header: str) -> str | None:
    """The coding that a `content-encoding` names; `None` for none. Raises `GatewayError` (415) for any other."""
    codings = [word for word in (part.strip().lower() for part in header.split(",")) if word not in ("", "identity")]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _CODINGS:
        raise GatewayError(UNSUPPORTED_ENCODING)
    return codings[0]


def unpacked(body: bytes, coding: str, *, max_bytes: int) -> bytes:
    """The body as it was before. Raises `GatewayError`: 413 once it is larger than allowed, 400 for a broken one."""
    # A zlib frame begins with 8 and a checksum (RFC 1950); many senders of deflate leave it out.
    has_frame = coding != "deflate" or (body[:1] and body[0] & 15 == _DEFLATED and int.from_bytes(body[:2]) % 31 == 0)
    inflate = zlib.decompressobj(_EITHER if has_frame else _RAW)
    pieces: list[bytes] = []
    size = 0
    data = body
    try:
        while not inflate.eof:
            piece = inflate.decompress(data, _PIECE_BYTES)
            data = inflate.unconsumed_tail
            size += len(piece)
            if size > max_bytes:
                raise GatewayError(TOO_LARGE)
            pieces.append(piece)
            if not piece and not data:
                break
    except zlib.error:
        raise _broken() from None
    if not inflate.eof or inflate.unused_data:
        raise _broken()
    return b"".join(pieces)


def _broken() -> GatewayError:
    return invalid("The body is not what its content-encoding says.", code="invalid_content_encoding")
