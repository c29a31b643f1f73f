"""How the console answers: whole responses, small ones as they are, large ones compressed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from starlette.types import Scope, Send

from lazy_dataclasses import dataclass

NO_STORE = "no-store"
# Less fits one packet on the way, so that compressing it gains nothing.
_LEAST_TO_COMPRESS = 1400
# Most of what level 9 gains, in a third of its time.
_LEVEL = 5

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A response."""

    body: bytes = field(repr=False)
    media_type: str | None = None
    status: int = 200
    headers: Headers = ()
    is_as_sent: bool = False
    """Whether the body is not to be compressed, or is already."""


def json_answer(value: Mapping[str, Any], *, headers: Headers = ()) -> Answer:
    """An object as JSON that nobody keeps. Texts stay in it as text: `<` and `>` are escaped, too."""
    # `NaN` would be JSON that no browser parses.
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    # Labels and models are other people's words: opened as a page, an answer must not hold a tag.
    escaped = text.replace("<", "\\u003c").replace(">", "\\u003e")
    return Answer(escaped.encode(), "application/json", headers=(("cache-control", NO_STORE), *headers))


def accepts_gzip(scope: Scope) -> bool:
    """Whether the caller takes gzip."""
    named = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept-encoding").lower()
    for part in named.split(b","):
        coding, _, parameters = part.strip().partition(b";")
        if coding.strip() == b"gzip":
            # `gzip;q=0` refuses it.
            return parameters.replace(b" ", b"").rstrip(b"0.") not in (b"q=",)
    return False


async def send_answer(scope: Scope, send: Send, answer: Answer) -> None:
    """Send it, without the body where only its headers are asked for."""
    body, headers = answer.body, list(answer.headers)
    if len(body) >= _LEAST_TO_COMPRESS and not answer.is_as_sent:
        # Also where this caller takes no gzip: a cache may ask for others, too.
        headers.append(("vary", "accept-encoding"))
        if accepts_gzip(scope):
            # Without the time the same answer has the same bytes.
            body = gzip.compress(body, _LEVEL, mtime=0)
            headers.append(("content-encoding", "gzip"))
    if answer.media_type is not None:
        headers.append(("content-type", answer.media_type))
    headers.append(("content-length", str(len(body))))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
