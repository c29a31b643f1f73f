"""What callers of Anthropic's API are told when something goes wrong: the table of errors in that API's words.

Our own code and the field's name, which the envelope has no place for, are in `details`, where the official SDK reads
them (`error_code`).
"""

from __future__ import annotations

import json
from typing import Any

from gateway.http.errors import OVERLOADED, TOO_LONG, GatewayError

# By status, as Anthropic documents them; anything else is `api_error`.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OVERLOADED_STATUS = 529
_TOO_LONG = "prompt is too long"


def error_status(error: GatewayError) -> int:
    """The HTTP status; that API has one of its own for an overloaded upstream."""
    return _OVERLOADED_STATUS if error.situation is OVERLOADED else error.status


def error_object(error: GatewayError) -> dict[str, Any]:
    """Type, message and details."""
    details = {"error_code": error.code} | ({"param": error.param} if error.param else {})
    kind = _TYPES.get(error_status(error), "api_error")
    # Agents shorten their conversation when they read these words.
    too_long = error.situation is TOO_LONG and not error.message.lower().startswith(_TOO_LONG)
    message = f"{_TOO_LONG}: {error.message}" if too_long else error.message
    return {"type": kind, "message": message, "details": details}


def encode_error(error: GatewayError, request_id: str) -> bytes:
    """The envelope as JSON."""
    body = {"type": "error", "error": error_object(error), "request_id": request_id}
    return json.dumps(body, separators=(",", ":")).encode()


def encode_error_event(error: GatewayError, request_id: str) -> bytes:
    """The envelope as the last server-sent event of a stream."""
    return b"event: error\ndata: " + encode_error(error, request_id) + b"\n\n"
