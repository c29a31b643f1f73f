"""What a request says: its body, read within a limit and parsed without trust, and the page of a list it asks for.

A body is JSON, or a form (`multipart/form-data`), which is kept in memory only.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import re
import zlib
from collections.abc import AsyncGenerator
from dataclasses import field
from typing import Any

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, QueryParams
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from gateway.http.deadline import ClientGoneError
from gateway.http.errors import INVALID_JSON, TOO_LARGE, UNSUPPORTED_ENCODING, GatewayError, invalid
from lazy_dataclasses import dataclass

# Deeper than any JSON schema that people send, far below what breaks a recursive encoder.
MAX_DEPTH = 100
# So much is parsed in a few milliseconds; more would keep the event loop from other requests.
_AT_ONCE_BYTES = 128 * 1024
# Half of a surrogate pair, which JSON can escape and UTF-8 can't carry: programs that cut texts cut emoji in two.
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = "[\ud800-\udfff]"
# zlib's words for "gzip or zlib, as the data itself says", and for deflate without either's frame.
_EITHER, _RAW = 47, -15
_CODINGS = ("gzip", "x-gzip", "deflate")
_DEFLATED = 8
# Unpacked at a time.
_PIECE_BYTES = 256 * 1024


async def read_body(request: Request, *, max_bytes: int) -> bytes:
    """The whole body, unpacked. `max_bytes` is for it packed and unpacked.

    Raises `GatewayError` (413 as soon as it is known to be too long, 415, 400 where it can't be unpacked),
    `ClientGoneError`.
    """
    coding = coding_of(request.headers.get("content-encoding", ""))
    body = await _read_all(request, max_bytes)
    if coding is None or not body:
        return body
    # A few bytes may be very many unpacked: too many for the event loop's thread.
    return await asyncio.to_thread(unpacked, body, coding, max_bytes=max_bytes)


async def _read_all(request: Request, max_bytes: int) -> bytes:
    # Refused before any of it is read; senders without the header, or with a wrong one, are counted below.
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and _is_more(announced, max_bytes):
        raise GatewayError(TOO_LARGE)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        # The caller left while sending: nobody reads an error.
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise GatewayError(TOO_LARGE)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _is_more(digits: str, most: int) -> bool:
    """Whether a number is larger, however many digits and leading zeros it has."""
    digits = digits.lstrip("0")
    return len(digits) > len(str(most)) or int(digits or "0") > most


async def read_json(request: Request, *, max_bytes: int) -> dict[str, Any]:
    """The body as a JSON object, whose texts can all be sent on. Raises `GatewayError`: 400 for anything else, 413."""
    body = await read_body(request, max_bytes=max_bytes)
    # A large one takes longer than the event loop may be kept.
    return _parse(body) if len(body) <= _AT_ONCE_BYTES else await asyncio.to_thread(_parse_large, body)


def _parse_large(body: bytes) -> dict[str, Any]:
    """As `_parse`, without Python looking for garbage again and again while a million objects are made."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return _parse(body)
    finally:
        if was_enabled:
            gc.enable()


def _parse(body: bytes) -> dict[str, Any]:
    try:
        # Some programs on Windows begin a body with a byte order mark, which JSON does not allow.
        text = body.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse_constant)
    # Python's parser gives up at a depth that depends on its version and on the stack; the answer is the same as below.
    except RecursionError:
        raise GatewayError(INVALID_JSON, "The body is nested too deeply.") from None
    except ValueError:
        raise GatewayError(INVALID_JSON) from None
    # Most bodies have too few brackets to be that deep, and counting them costs next to nothing.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deeper_than(value, MAX_DEPTH):
        raise GatewayError(INVALID_JSON, "The body is nested too deeply.")
    if not isinstance(value, dict):
        raise GatewayError(INVALID_JSON, "The body must be a JSON object.")
    # Only such an escape can have put a half pair there, so that the walk through the whole value is rarely made.
    if _ESCAPED_SURROGATE.search(text):
        mended: dict[str, Any] = _without_surrogates(value)
        return mended
    return value


def decode_field(text: str) -> Any:
    """JSON text in a field of a form, or of another body, within the same depth. Raises `ValueError`."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deeper_than(value, MAX_DEPTH):
        raise ValueError("the JSON is nested too deeply")
    return value


def _refuse_constant(name: str) -> None:
    """JSON has no NaN and no Infinity, although Python reads them."""
    raise ValueError(name)


def _without_surrogates(value: Any) -> Any:
    """The value with the replacement character for each half pair; its depth has been checked."""
    match value:
        case str():
            return re.sub(_SURROGATE, "\ufffd", value)
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value


def _is_deeper_than(value: Any, depth: int) -> bool:
    """Whether arrays and objects are nested more than `depth` levels; level by level, without recursion."""
    level = [value]
    for _ in range(depth + 1):
        children: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                children.extend(item.values())
            elif isinstance(item, list):
                children.extend(item)
        level = [child for child in children if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def page_size(query: QueryParams, *, default: int, highest: int) -> int:
    """The query parameter `limit`. Raises `GatewayError` (400) if it is no number from 1 to `highest`."""
    given = query.get("limit", str(default))
    # The length is bounded before `int`, which is slow for very long numbers; `isdigit` takes other scripts' digits,
    # too.
    size = int(given) if given.isascii() and given.isdigit() and len(given) <= len(str(highest)) else 0
    if not 1 <= size <= highest:
        raise invalid(f"'limit' must be from 1 to {highest}.", param="limit", code="out_of_range")
    return size


def item_index(item_id: str, ids: list[str], param: str) -> int:
    """Where an item of a list stands. Raises `GatewayError` (400), naming the query parameter, if it is not there."""
    if item_id not in ids:
        raise invalid(f"'{param}' must be the id of an item.", param=param, code="invalid_value")
    return ids.index(item_id)


def coding_of(header: str) -> str | None:
    """The coding that a `content-encoding` names; `None` for none. Raises `GatewayError` (415) for any other."""
    codings = [word for word in (part.strip().lower() for part in header.split(",")) if word not in ("", "identity")]
    if not codings:
        return None
    # Several at once are allowed by HTTP and sent by nobody; each would multiply what a small body can become.
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
            # Piece by piece: a small body that unpacks to gigabytes is refused before it fills the memory.
            piece = inflate.decompress(data, _PIECE_BYTES)
            data = inflate.unconsumed_tail
            size += len(piece)
            if size > max_bytes:
                raise GatewayError(TOO_LARGE)
            pieces.append(piece)
            # The end of the data without the end of the stream: cut off.
            if not piece and not data:
                break
    except zlib.error:
        raise _broken() from None
    # What follows the end would be dropped silently.
    if not inflate.eof or inflate.unused_data:
        raise _broken()
    return b"".join(pieces)


def _broken() -> GatewayError:
    return invalid("The body is not what its content-encoding says.", code="invalid_content_encoding")


# The parser's log tells pieces of what it could not read: prompts and files of callers.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL + 1)

MAX_FILES = 17
MAX_FIELDS = 64
MAX_FIELD_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """One file of a form. Name and type are the caller's word and prove nothing."""

    field_name: str
    file_name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Form:
    """A form's text fields, the last of a name winning, and its files in order."""

    fields: dict[str, str] = field(repr=False)
    files: tuple[UploadedPart, ...]


async def read_form(body: bytes, headers: Headers) -> Form:
    """Take a body apart. Raises `GatewayError` (400) for one that is broken, or has too many or too large parts."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield _without_preamble(body, headers)

    parser = MultiPartParser(
        headers, stream(), max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    )
    # The body is in memory already, within its limit: nothing goes to a disk or through a thread.
    # Starlette would spool larger files to a temporary file, in a thread.
    parser.spool_max_size = len(body) + 1
    try:
        form = await parser.parse()
    except MultiPartException:
        message = f"The form can't be read: at most {MAX_FILES} files and {MAX_FIELDS} fields, each of these at most "
        raise invalid(f"{message}{MAX_FIELD_BYTES // 1024} KB.", code="invalid_multipart") from None
    # The parser decodes names by the charset that the form itself declares.
    except UnicodeError:
        raise invalid("The form can't be read.", code="invalid_multipart") from None
    texts: dict[str, str] = {}
    files: list[UploadedPart] = []
    try:
        for name, value in form.multi_items():
            if isinstance(value, str):
                texts[name] = value
            else:
                # The type is told later by the bytes, so what the caller says of it is not kept.
                files.append(UploadedPart(name, value.filename or "", await value.read()))
    finally:
        await form.close()
    return Form(texts, tuple(files))


def _without_preamble(body: bytes, headers: Headers) -> bytes:
    """The body from its first boundary on: what stands before it says nothing (RFC 2046, 5.1.1)."""
    _, options = parse_options_header(headers.get("content-type", ""))
    delimiter = b"--" + options.get(b"boundary", b"")
    # Nearly every form begins with its boundary; the parser stops at anything else.
    if len(delimiter) == len(b"--") or body.startswith(delimiter):
        return body
    at = body.find(b"\r\n" + delimiter)
    return body if at < 0 else body[at + len(b"\r\n") :]


def is_form(headers: Headers) -> bool:
    """Whether the body says that it is such a form. Raises `GatewayError` (400) if it names no boundary."""
    content_type = headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        return False
    # The parser's own refusal would be told as one of the limits above, which helps nobody.
    if "boundary=" not in content_type.lower():
        raise _without_boundary()
    return True


def _without_boundary() -> GatewayError:
    return invalid("The header content-type names no boundary.", code="invalid_multipart")
