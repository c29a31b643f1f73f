"""Reads an HTTP answer of the web API: its data, or the typed error that it stands for. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from typing import Any

from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.web._protocol import load_object, mapping, sequence
from reverse.web._transport import Reply, check_reply

# Words by which a rejected signature or form key is known (docs/reference/poe-web.md#form-key).
_REJECTION_MARKS = ("invalid form key", "poe-formkey", "poe-tag-id", "csrf", "unauthorized", "forbidden")
# What Poe says of anything that goes wrong inside, a stale hash included: it tells nothing.
GENERIC_FAILURE = "Server Error"
_OVERRIDE_HINT = "if it stays so, the operation's hash may be out of date: override it in the configuration"


def read_envelope(reply: Reply, operation: str) -> dict[str, Any]:
    """The `data` object of a GraphQL answer. Raises `PoeError` for every other answer.

    Source: docs/reference/poe-web.md#answer-envelope, docs/reference/poe-web.md#failures.
    """
    # Cloudflare's challenge and the login page are HTML, whatever was asked for.
    if reply.is_html or not reply.body.strip():
        check_reply(reply, operation)
        form = "a page" if reply.body.strip() else "nothing"
        raise poe_error(ErrorCode.PROTOCOL, f"Poe answered with {form}", operation=operation, status=reply.status)
    try:
        envelope = load_object(reply.body)
    except PoeError:
        check_reply(reply, operation)
        raise poe_error(
            ErrorCode.PROTOCOL, "Poe's answer is no JSON object", operation=operation, status=reply.status
        ) from None
    messages = [message for error in sequence(envelope.get("errors")) if (message := _message_of(error))]
    # Before the status: a 403 in JSON may be the form key's, which can be renewed; one as a page is not.
    if _rejects_form_key(reply, envelope, messages):
        raise poe_error(ErrorCode.STALE_FORM_KEY, operation=operation, status=reply.status)
    check_reply(reply, operation)
    data = envelope.get("data")
    # Data beside errors counts: a missing part of an answer fails where it is read.
    if isinstance(data, dict):
        return data
    text = messages[0] if messages else None
    # Apollo's words for a hash that the server does not know.
    if text and "persistedquerynotfound" in text.lower().replace(" ", ""):
        raise poe_error(ErrorCode.STALE_OPERATION, operation=operation, status=reply.status)
    raise poe_error(
        ErrorCode.UPSTREAM_FAILED,
        f"Poe failed; {_OVERRIDE_HINT}",
        operation=operation,
        status=reply.status,
        upstream_text=text,
    )


_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
_TOKEN_NAMES = ("fileHashJwt", "file_hash_jwt", "jwt", "token")


def find_token(body: bytes) -> str | None:
    """The three-segment token in an upload's answer: the whole body, or a value in JSON, well-known names first."""
    text = body.decode("utf-8", "replace").strip()
    if _TOKEN.fullmatch(text.strip('"')):
        return text.strip('"')
    try:
        # Level by level and not by recursion: the answer is a stranger's JSON.
        waiting: deque[Any] = deque([load_object(text)])
    except PoeError:
        return None
    while waiting:
        value = waiting.popleft()
        if isinstance(value, str) and _TOKEN.fullmatch(value):
            return value
        if isinstance(value, dict):
            waiting.extendleft(value[name] for name in reversed(_TOKEN_NAMES) if name in value)
            waiting.extend(part for name, part in value.items() if name not in _TOKEN_NAMES)
        elif isinstance(value, list):
            waiting.extend(value)
    return None


def _rejects_form_key(reply: Reply, envelope: dict[str, Any], messages: Sequence[str]) -> bool:
    """Whether a JSON answer rejects the request for its signature, form key or login.

    These can't be told apart; a renewed form key tells, because a logged-out account gets a login page instead.
    """
    if reply.status in (401, 403) or envelope.get("success") is False:
        return True
    return not isinstance(envelope.get("data"), dict) and any(
        mark in message.lower() for message in messages for mark in _REJECTION_MARKS
    )


def _message_of(error: object) -> str | None:
    message = mapping(error).get("message")
    return message if isinstance(message, str) else None
