"""Poe's refusals, as typed errors: HTTP status, error body and error events inside a stream. Pure.

Poe documents `{"error": {"message", "type", "code"}}` with a code that is a number on one page and a string on another
(docs/reference/poe-official.md#errors-and-limits); both are read, and so is a body that is none of this. A string code
says most, then the type, then the status. A message decides one thing only: whether a 400 that has no code is about the
length of the prompt, which recorded refusals do not say in any other way. Which option a refusal is about is found in
`refused_options`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.json_text import parse_object
from reverse.official.json_values import JSONObject, number_at, object_at, text_at

_BY_CODE: dict[str, ErrorCode] = {
    "invalid_api_key": ErrorCode.NOT_AUTHENTICATED,
    "insufficient_credits": ErrorCode.INSUFFICIENT_POINTS,
    "insufficient_points": ErrorCode.INSUFFICIENT_POINTS,
    "insufficient_quota": ErrorCode.INSUFFICIENT_POINTS,
    "insufficient_fund": ErrorCode.INSUFFICIENT_POINTS,
    "unsupported_feature_for_model": ErrorCode.UNSUPPORTED_FEATURE,
    "unsupported_parameter": ErrorCode.UNSUPPORTED_FEATURE,
    "context_length_exceeded": ErrorCode.MESSAGE_TOO_LONG,
    "string_above_max_length": ErrorCode.MESSAGE_TOO_LONG,
    "content_filter": ErrorCode.CONTENT_REFUSED,
    "content_policy_violation": ErrorCode.CONTENT_REFUSED,
    "moderation_blocked": ErrorCode.CONTENT_REFUSED,
    "model_not_found": ErrorCode.BOT_NOT_FOUND,
    "rate_limit_exceeded": ErrorCode.RATE_LIMITED,
    # The bot protocol's `error_type` (docs/reference/poe-official.md#bot-protocol).
    "user_message_too_long": ErrorCode.MESSAGE_TOO_LONG,
    "user_caused_error": ErrorCode.INVALID_REQUEST,
    "privacy_authorization_error": ErrorCode.BOT_ACCESS_DENIED,
}

_BY_TYPE: dict[str, ErrorCode] = {
    "authentication_error": ErrorCode.NOT_AUTHENTICATED,
    "insufficient_credits": ErrorCode.INSUFFICIENT_POINTS,
    "insufficient_quota": ErrorCode.INSUFFICIENT_POINTS,
    "moderation_error": ErrorCode.CONTENT_REFUSED,
    "permission_error": ErrorCode.BOT_ACCESS_DENIED,
    "not_found_error": ErrorCode.BOT_NOT_FOUND,
    "timeout_error": ErrorCode.TIMEOUT,
    "request_too_large": ErrorCode.MESSAGE_TOO_LONG,
    "rate_limit_error": ErrorCode.RATE_LIMITED,
    # The provider behind Poe, which means this bot; Poe itself is fine.
    "provider_error": ErrorCode.BOT_FAILED,
    "upstream_error": ErrorCode.UPSTREAM_FAILED,
    "api_error": ErrorCode.UPSTREAM_FAILED,
    "server_error": ErrorCode.UPSTREAM_FAILED,
    "overloaded_error": ErrorCode.OVERLOADED,
}

_BY_STATUS: dict[int, ErrorCode] = {
    401: ErrorCode.NOT_AUTHENTICATED,
    402: ErrorCode.INSUFFICIENT_POINTS,
    # Poe's own 403 is about moderation (docs/reference/poe-official.md#errors-and-limits).
    403: ErrorCode.CONTENT_REFUSED,
    404: ErrorCode.BOT_NOT_FOUND,
    408: ErrorCode.TIMEOUT,
    413: ErrorCode.MESSAGE_TOO_LONG,
    429: ErrorCode.RATE_LIMITED,
    503: ErrorCode.OVERLOADED,
    504: ErrorCode.TIMEOUT,
    529: ErrorCode.OVERLOADED,
}

# The words of the providers behind Poe: Anthropic's, OpenAI's, Google's, xAI's, and those of the servers that others
# run: vLLM's, Bedrock's, Groq's, Mistral's, Moonshot's, Zhipu's.
_TOO_LONG = (
    r"(?i)"
    r"(?:prompt|message|conversation) is too long|maximum (?:context|prompt|model) length|context[ _](?:length|limit)"
    r"|context window|input (?:token count|is too long|length)|exceeds the maximum number of tokens"
    r"|too many (?:input )?tokens|exceed(?:s|ed)? (?:the )?(?:max(?:imum)? (?:input )?length|model token limit)"
    r"|reduce the length of (?:the|your)"
)
_SEARCHED_CHARS = 1000

_FORBIDDEN = 403
_MODEL_DID_NOT_START, _FAILED = 408, 500
_FIRST_CLIENT_ERROR, _FIRST_SERVER_ERROR = 400, 500
# A day: the longest period of points.
MAX_RETRY_AFTER_SECONDS = 86_400.0
_FIELD_NAME = r"[A-Za-z0-9_.\[\]-]{1,64}"


def failure_of_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    operation: str,
) -> PoeError:
    """The error that a response with a status other than 2xx stands for. `headers` has lower-case names."""
    # Cloudflare's documented mark: certain, whatever the status and the body.
    if headers.get("cf-mitigated") == "challenge":
        return poe_error(ErrorCode.CHALLENGE, operation=operation, status=status)
    parsed = parse_object(body)
    if parsed is None and status == _FORBIDDEN:
        # Poe itself refuses in JSON: a bare or HTML 403 comes from what stands before it.
        return poe_error(ErrorCode.BLOCKED, operation=operation, status=status)
    return failure_of_error(
        _error_object(parsed or {}),
        operation=operation,
        status=status,
        retry_after_seconds=parse_retry_after(headers, time.time()),
    )


def failure_of_error(
    error: JSONObject, *, operation: str, status: int | None = None, retry_after_seconds: float | None = None
) -> PoeError:
    """The error that an `error` object stands for, in a body or in mid-stream (then without a status)."""
    field = text_at(error, "param")
    code = _classify(error, status)
    return poe_error(
        code,
        operation=operation,
        status=status,
        retry_after_seconds=retry_after_seconds,
        upstream_text=text_at(error, "message") or text_at(error, "text"),
        param=field if field and re.fullmatch(_FIELD_NAME, field) else None,
        delivery=_delivery(code, error, status, has_retry_after=retry_after_seconds is not None),
    )


def _delivery(code: ErrorCode, error: JSONObject, status: int | None, *, has_retry_after: bool) -> Delivery | None:
    """What the response says of the message beyond its code; `None` leaves it to that.

    A gateway's 502 and 504 say nothing of what is behind it, a 500 that it failed. That it is overloaded, or did not
    start the model, is Poe's own word only where it comes with Poe's type of error or with a time.
    """
    if status in (502, 504):
        return Delivery.UNKNOWN
    if status == _FAILED:
        return Delivery.FAILED
    is_typed = text_at(error, "type") in _BY_TYPE
    if code is ErrorCode.OVERLOADED and (is_typed or has_retry_after):
        return Delivery.REFUSED
    if status == _MODEL_DID_NOT_START and is_typed:
        return Delivery.REFUSED
    return None


def parse_retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (number or HTTP date); `None` where neither is sane.

    No wait that Poe can mean is longer than `MAX_RETRY_AFTER_SECONDS`: what is, is cut to that.
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value):
            return min(float(value) * unit, MAX_RETRY_AFTER_SECONDS)
    try:
        wait = parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, wait), MAX_RETRY_AFTER_SECONDS)


def _error_object(body: JSONObject) -> JSONObject:
    error = body.get("error")
    # Some servers behind Poe answer with a bare sentence.
    return {"message": error} if isinstance(error, str) else object_at(body, "error")


def _classify(error: JSONObject, status: int | None) -> ErrorCode:
    by_code = _BY_CODE.get(text_at(error, "code") or text_at(error, "error_type") or "")
    if by_code is not None:
        return by_code
    # Before the type, which is `invalid_request_error` for every refusal of this kind.
    if re.search(_TOO_LONG, (text_at(error, "message") or "")[:_SEARCHED_CHARS]) and _may_be_the_prompt(error, status):
        return ErrorCode.MESSAGE_TOO_LONG
    by_type = _BY_TYPE.get(text_at(error, "type") or "")
    if by_type is not None:
        return by_type
    status = status or number_at(error, "code")
    # In mid-stream and without a word that is known: the bot was at work.
    if status is None:
        return ErrorCode.BOT_FAILED
    return _BY_STATUS.get(status) or _by_class_of_status(status)


def _may_be_the_prompt(error: JSONObject, status: int | None) -> bool:
    return status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY) or (
        status is None and text_at(error, "type") == "invalid_request_error"
    )


def _by_class_of_status(status: int) -> ErrorCode:
    if status >= _FIRST_SERVER_ERROR:
        return ErrorCode.UPSTREAM_FAILED
    # The API redirects nowhere: something else answered in its place.
    return ErrorCode.INVALID_REQUEST if status >= _FIRST_CLIENT_ERROR else ErrorCode.PROTOCOL
