"""Poe's own words about a request, made fit for its caller. Pure.

They come from providers that nobody here controls: they are cut, put on one line, and freed of addresses and ids, which
are Poe's or the account's business.
"""

from __future__ import annotations

import re

MAX_CHARS = 200
_ADDRESS = re.compile(
    r"(?:https?|wss?)://\S+|\bwww\.\S+|\S+@\S+\.\S+|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", re.IGNORECASE
)
# `req_011CX…`, `org-4f2…`, UUIDs, tokens: long words with digits in them, and those that say what they are.
_ID = re.compile(
    r"\b(?:req|request|org|proj|user|acct|acc|key|sk|p_b|msg|resp|chatcmpl|trace)[-_][\w-]{6,}"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{24,}\b",
    re.IGNORECASE,
)
_NOTE_OF_AN_ID = re.compile(r"[\s,(\[]*(?:request|trace|error)[ _-]?id\s*[:=]?\s*…?[)\]]?", re.IGNORECASE)
_SPACE = re.compile(r"[\s\x00-\x1f\x7f]+")


def cleaned(text: str | None) -> str | None:
    """The words on one line; `None` if nothing is left."""
    if not text:
        return None
    line = _SPACE.sub(" ", text[: 4 * MAX_CHARS])
    line = _NOTE_OF_AN_ID.sub("", _ID.sub("…", _ADDRESS.sub("…", line))).strip(" .…")
    if len(line) > MAX_CHARS:
        line = line[: MAX_CHARS - 1].rstrip() + "…"
    return line if any(character.isalpha() for character in line) else None
