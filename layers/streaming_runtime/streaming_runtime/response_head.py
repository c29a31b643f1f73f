"""The head of a response: what the application said, checked, and as Lambda wants it."""

import json
import re
from collections.abc import Collection, Iterable
from http import HTTPStatus
from typing import Any, NamedTuple

from streaming_runtime.errors import AppProtocolError

# Lambda's separator between the prelude and the body.
PRELUDE_END = bytes(8)
MAX_STATUS = 599

_NUMBER = re.compile(rb"[0-9]{1,15}")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# Tab is the one control character that a field value may contain (RFC 9110, 5.5).
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
# These speak about one connection; the caller is on another one (RFC 9110, 7.6.1).
_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)


class ResponseHead(NamedTuple):
    """Status and headers, safe to send."""

    status: int
    # Names in lower case, values valid UTF-8 without control characters, in the application's order.
    headers: tuple[tuple[bytes, bytes], ...]

    def __repr__(self) -> str:
        return f"ResponseHead(status={self.status})"

    def first(self, name: bytes) -> bytes | None:
        """The first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def has_body(self) -> bool:
        """Whether the status allows one."""
        return self.status not in (
            HTTPStatus.NO_CONTENT,
            HTTPStatus.RESET_CONTENT,
            HTTPStatus.NOT_MODIFIED,
        )

    @property
    def content_length(self) -> int | None:
        """What the application announced, None when nothing."""
        value = self.first(b"content-length")
        return None if value is None else int(value)


def parse_head(message: Any) -> ResponseHead:
    """Check an `http.response.start` message. Raises AppProtocolError."""
    status = message.get("status")
    if not isinstance(status, int) or not HTTPStatus.OK <= status <= MAX_STATUS:
        raise AppProtocolError("the status of a response must be a number from 200 to 599")
    try:
        pairs = [(bytes(name), bytes(value)) for name, value in message.get("headers") or ()]
    except (TypeError, ValueError) as error:
        raise AppProtocolError("response headers must be pairs of bytes") from error
    return ResponseHead(int(status), tuple(_clean(pairs)))


def _clean(pairs: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    """Lower-case names, UTF-8 values, at most one Content-Length, nothing hop-by-hop."""
    length: bytes | None = None
    for raw_name, raw_value in pairs:
        if _NAME.fullmatch(raw_name) is None or _CONTROL.search(raw_value) is not None:
            raise AppProtocolError("a response header contains characters that HTTP forbids")
        name, value = raw_name.lower(), _as_utf8(raw_value.strip(b" \t"))
        if name in _HOP_BY_HOP:
            continue
        if name == b"content-length":
            if _NUMBER.fullmatch(value) is None or length not in (None, value):
                raise AppProtocolError("the Content-Length of a response must be one number")
            if length is not None:
                continue
            length = value
        yield name, value


def _as_utf8(value: bytes) -> bytes:
    """Lambda's documents are JSON: what is not UTF-8 is taken as Latin-1, as HTTP/1.1 once did."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1").encode()
    return value


def encode_prelude(head: ResponseHead, excluded: Collection[str] = ()) -> bytes:
    """The JSON that precedes a streamed body, without its separator.

    Cookies have a list of their own; other repeated headers are joined with a comma (RFC 9110, 5.3).
    `excluded` names headers, in lower case, that are not sent.
    """
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode("ascii"), raw_value.decode()
        if name in excluded:
            continue
        if name == "set-cookie":
            cookies.append(value)
        elif name in headers:
            headers[name] += f", {value}"
        else:
            headers[name] = value
    document = {"statusCode": head.status, "headers": headers, "cookies": cookies}
    return json.dumps(document, separators=(",", ":")).encode("ascii")
