"""What a function posts to the Runtime API as an HTTP answer: streamed with a prelude, streamed raw, or buffered.

Decoders do no I/O: bytes in, pieces of the answer out, however the bytes were cut.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Protocol

STREAMING_CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
_PRELUDE_END = b"\0" * 8
_MAX_PRELUDE_BYTES = 1024 * 1024
# The framing is the server's business: what a function says about it does not reach the client.
_FRAMING_HEADERS = {"connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "date"}


class BadResponseError(Exception):
    """What the function sent is not an answer; `code` is what Lambda would log."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class ResponseHead:
    status: int
    headers: tuple[tuple[str, str], ...]


class Decoder(Protocol):
    """Bytes of one response body in; its head, as soon as it is known, and body bytes out."""

    head: ResponseHead | None

    def feed(self, data: bytes) -> bytes:
        """Raises `BadResponseError`."""

    def finish(self) -> bytes:
        """The remaining body bytes at the end of the stream. Raises `BadResponseError` if the head never came."""


class PreludeDecoder:
    """JSON head, eight NUL bytes, then the body as it is."""

    def __init__(self) -> None:
        self.head: ResponseHead | None = None
        self._prelude = bytearray()

    def feed(self, data: bytes) -> bytes:
        if self.head is not None:
            return data
        # The mark may lie across pieces, so the search starts a little before the new bytes.
        search_from = max(0, len(self._prelude) - len(_PRELUDE_END) + 1)
        self._prelude += data
        end = self._prelude.find(_PRELUDE_END, search_from)
        if end < 0:
            if len(self._prelude) > _MAX_PRELUDE_BYTES:
                raise BadResponseError("Runtime.PreludeTooLarge")
            return b""
        self.head = _parse_head(bytes(self._prelude[:end]))
        rest = bytes(self._prelude[end + len(_PRELUDE_END) :])
        self._prelude.clear()
        return rest

    def finish(self) -> bytes:
        if self.head is None:
            raise BadResponseError("Runtime.TruncatedResponse")
        return b""


class RawDecoder:
    """A stream without the integration content type: its bytes are the body, with status 200."""

    def __init__(self, content_type: str) -> None:
        self.head: ResponseHead | None = ResponseHead(
            200, (("Content-Type", content_type or "application/octet-stream"),)
        )

    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class BufferedDecoder:
    """A whole answer as JSON, read to its end. Anything without a `statusCode` is itself the body."""

    def __init__(self, max_bytes: int) -> None:
        self.head: ResponseHead | None = None
        self._answer = bytearray()
        self._max_bytes = max_bytes

    def feed(self, data: bytes) -> bytes:
        self._answer += data
        if len(self._answer) > self._max_bytes:
            raise BadResponseError("Function.ResponseSizeTooLarge")
        return b""

    def finish(self) -> bytes:
        try:
            answer = json.loads(self._answer)
        except ValueError:
            raise BadResponseError("Runtime.InvalidResponse") from None
        if not isinstance(answer, dict) or "statusCode" not in answer:
            self.head = ResponseHead(200, (("Content-Type", "application/json"),))
            return bytes(self._answer)
        self.head = _build_head(answer)
        body = answer.get("body") or ""
        if not isinstance(body, str):
            raise BadResponseError("Runtime.InvalidResponse")
        if not answer.get("isBase64Encoded"):
            return body.encode("utf-8", "surrogatepass")
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error:
            raise BadResponseError("Runtime.InvalidResponse") from None


def _parse_head(prelude: bytes) -> ResponseHead:
    try:
        return _build_head(json.loads(prelude))
    except ValueError:
        raise BadResponseError("Runtime.InvalidPrelude") from None


def _build_head(answer: Any) -> ResponseHead:
    if not isinstance(answer, dict):
        raise BadResponseError("Runtime.InvalidResponse")
    status, headers, cookies = answer.get("statusCode", 200), answer.get("headers") or {}, answer.get("cookies") or []
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise BadResponseError("Runtime.InvalidResponse")
    lists = answer.get("multiValueHeaders") or {}
    if not isinstance(headers, dict) or not isinstance(cookies, list) or not isinstance(lists, dict):
        raise BadResponseError("Runtime.InvalidResponse")
    pairs = [(name, str(value)) for name, value in headers.items() if name not in lists]
    pairs += [(name, str(value)) for name, values in lists.items() for value in _as_list(values)]
    pairs = [(name, value) for name, value in pairs if name.lower() not in _FRAMING_HEADERS]
    pairs += [("Set-Cookie", str(cookie)) for cookie in cookies]
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", "application/json"))
    return ResponseHead(status, tuple(pairs))


def _as_list(values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise BadResponseError("Runtime.InvalidResponse")
    return values
