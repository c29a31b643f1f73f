"""Files that come with a request, as data URLs, base64 or https addresses. Pure: addresses are fetched later."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.http.errors import GatewayError, invalid
from reverse.chat import Attachment

OCTETS = "application/octet-stream"
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


def read_address(url: str, *, param: str, name: str, content_type: str = OCTETS) -> Attachment:
    """A file given as a data URL or an https address. Never a path, whatever it looks like.

    `content_type` is what a file that must be fetched first ought to be. Raises `GatewayError` (400) for any other
    address.
    """
    if url[:5].lower() == "data:":
        return read_data_url(url, param=param, name=name)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _bad_address(param) from None
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise _bad_address(param)
    last = parts.path.rsplit("/", 1)[-1]
    return Attachment(file_name(last or name), content_type, url=url)


def _bad_address(param: str) -> GatewayError:
    return invalid(f"'{param}' must be a data URL or an https address.", param=param, code="invalid_url")


def read_data_url(url: str, *, param: str, name: str) -> Attachment:
    head, comma, payload = url[5:].partition(",")
    if not comma:
        raise invalid(f"'{param}' is not a valid data URL.", param=param, code="invalid_url")
    content_type, *options = head.split(";")
    content_type = content_type.strip().lower() or "text/plain"
    is_base64 = bool(options) and options[-1].strip().lower() == "base64"
    data = decode_base64(payload, param) if is_base64 else unquote_to_bytes(payload)
    if "." not in name and content_type.isascii():
        subtype = content_type.partition("/")[2].partition("+")[0]
        name = file_name(f"{name}.{'jpg' if subtype == 'jpeg' else subtype or 'bin'}")
    return Attachment(name, content_type[:100], data)


def decode_base64(text: str, param: str) -> bytes:
    """As forgiving as browsers are: line breaks, missing padding, percent escapes, the alphabet for addresses."""
    try:
        packed = b"".join((unquote_to_bytes(text) if "%" in text else text.encode("ascii")).split())
        packed = packed.translate(_STANDARD_ALPHABET).rstrip(b"=")
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"'{param}' is not valid base64.", param=param, code="invalid_base64") from None


def file_name(name: str) -> str:
    """A name without a path and without characters that mean something in headers or file systems."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    safe = "".join(character if character.isalnum() or character in "._- " else "_" for character in name)
    return safe.strip(". ")[-120:] or "file"
