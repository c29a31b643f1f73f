"""Bodies of the form `multipart/form-data`, within limits, in memory only."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from dataclasses import field

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

from gateway.http.errors import GatewayError, invalid
from lazy_dataclasses import dataclass

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
