"""What callers are told, as the official SDK for Python shows it: the table of errors, one row per situation."""

from __future__ import annotations

from dataclasses import dataclass

import openai

TRIES = 1 + openai.DEFAULT_MAX_RETRIES
"""Requests that the SDK makes, left to itself, where another try may help."""


@dataclass(frozen=True)
class Row:
    """One situation."""

    raised: type[openai.APIStatusError]
    status: int
    type: str | None
    code: str | None
    requests: int = 1
    """How many the SDK makes with its own retries."""
    waits: bool = False
    """Whether `retry-after` says when another try may help, be it for the SDK or, if that is long, for a person."""

    def check(self, error: openai.APIStatusError, requests: int) -> None:
        """Compare with what was raised, after so many requests."""
        told = (type(error), error.status_code, error.type, error.code, requests)
        assert told == (self.raised, self.status, self.type, self.code, self.requests), error
        assert ("retry-after" in error.response.headers) is self.waits, error.response.headers


_BAD = "invalid_request_error"
ERRORS = {
    "no API key": Row(openai.AuthenticationError, 401, "authentication_error", "invalid_api_key"),
    "wrong API key": Row(openai.AuthenticationError, 401, "authentication_error", "invalid_api_key"),
    "model not for this key": Row(openai.PermissionDeniedError, 403, "permission_error", "model_not_allowed"),
    "unknown model": Row(openai.NotFoundError, 404, _BAD, "model_not_found"),
    "unknown route": Row(openai.NotFoundError, 404, _BAD, "not_found"),
    "bad field": Row(openai.BadRequestError, 400, _BAD, "invalid_type"),
    "prompt too long": Row(openai.BadRequestError, 400, _BAD, "context_length_exceeded"),
    "body over 6 MB": Row(openai.APIStatusError, 413, _BAD, "request_too_large"),
    "key over its rate": Row(
        openai.RateLimitError, 429, "rate_limit_error", "rate_limit_exceeded", requests=TRIES, waits=True
    ),
    "key over its budget": Row(openai.RateLimitError, 429, "insufficient_quota", "insufficient_quota", waits=True),
    "no account has points": Row(openai.RateLimitError, 429, "insufficient_quota", "insufficient_quota", waits=True),
    "all able accounts busy": Row(
        openai.RateLimitError, 429, "rate_limit_error", "accounts_busy", requests=TRIES, waits=True
    ),
    "refused content": Row(openai.BadRequestError, 400, _BAD, "content_filter"),
    "upstream failed": Row(openai.InternalServerError, 502, "server_error", "upstream_error"),
    "upstream challenge": Row(openai.InternalServerError, 503, "server_error", "upstream_challenge"),
    "upstream too slow": Row(openai.InternalServerError, 504, "server_error", "upstream_timeout"),
}
