"""The table of errors: each code of the client and the store has its row."""

from __future__ import annotations

import json

import pytest
from starlette.exceptions import HTTPException

from accounts import AccountNotFoundError, NoAccountError, NoAccountReason, StoreUnavailableError
from gateway.http.errors import INTERNAL, QUOTA, GatewayError, encode_error, gateway_error
from gateway.http.sse import encode_error_event
from reverse.errors import Delivery, ErrorCode, poe_error

POE = {
    ErrorCode.INVALID_REQUEST: (400, "invalid_request"),
    ErrorCode.MESSAGE_TOO_LONG: (400, "context_length_exceeded"),
    ErrorCode.UNSUPPORTED_FILE: (400, "unsupported_file"),
    ErrorCode.FILE_TOO_LARGE: (400, "file_too_large"),
    ErrorCode.UNSAFE_URL: (400, "unsafe_url"),
    ErrorCode.UNSUPPORTED_FEATURE: (400, "unsupported_feature"),
    ErrorCode.CONTENT_REFUSED: (400, "content_filter"),
    ErrorCode.CHAT_NOT_FOUND: (400, "chat_not_found"),
    ErrorCode.BOT_NOT_FOUND: (404, "model_not_found"),
    ErrorCode.BOT_UNAVAILABLE: (502, "upstream_error"),
    ErrorCode.BOT_LIMIT_REACHED: (429, "insufficient_quota"),
    ErrorCode.BOT_ACCESS_DENIED: (403, "model_not_allowed"),
    ErrorCode.BOT_FAILED: (502, "upstream_error"),
    ErrorCode.EMPTY_ANSWER: (502, "upstream_error"),
    ErrorCode.NOT_AUTHENTICATED: (503, "accounts_signed_out"),
    ErrorCode.INSUFFICIENT_POINTS: (429, "insufficient_quota"),
    ErrorCode.RATE_LIMITED: (429, "accounts_waiting"),
    ErrorCode.CONNECTION_FAILED: (502, "upstream_error"),
    ErrorCode.CHALLENGE: (503, "upstream_challenge"),
    ErrorCode.BLOCKED: (503, "upstream_challenge"),
    ErrorCode.TIMEOUT: (504, "upstream_timeout"),
    ErrorCode.UPSTREAM_FAILED: (502, "upstream_error"),
    ErrorCode.OVERLOADED: (503, "upstream_overloaded"),
    ErrorCode.STALE_FORM_KEY: (502, "upstream_error"),
    ErrorCode.STALE_OPERATION: (502, "upstream_error"),
    ErrorCode.PROTOCOL: (502, "upstream_error"),
}

# Poe's words on these are about the request.
TOLD = {
    ErrorCode.INVALID_REQUEST,
    ErrorCode.MESSAGE_TOO_LONG,
    ErrorCode.UNSUPPORTED_FILE,
    ErrorCode.FILE_TOO_LARGE,
    ErrorCode.UNSUPPORTED_FEATURE,
}


@pytest.mark.parametrize("code", ErrorCode)
def test_every_code_of_the_client_has_a_row(code: ErrorCode) -> None:
    shown = gateway_error(poe_error(code, "secret detail", upstream_text="their words"))
    assert (shown.status, shown.code) == POE[code]
    assert "secret" not in encode_error(shown).decode()
    assert ("their words" in shown.message) == (code in TOLD)


def test_the_upstreams_words_on_a_field_follow_its_name() -> None:
    words = "Unsupported value: 'high'. Supported values are: 'medium'. See https://poe.example/e?id=5 (req_0a1b2c3d4e)"
    error = poe_error(ErrorCode.INVALID_REQUEST, param="reasoning_effort", upstream_text=words)
    shown = gateway_error(error, field_name=lambda _: "reasoning.effort")
    assert shown.message.startswith(
        "The upstream rejected 'reasoning.effort': Unsupported value: 'high'. Supported values are: 'medium'"
    )
    assert "http" not in shown.message
    assert "req_" not in shown.message


def test_each_reason_why_nothing_can_be_sent_has_its_own_code() -> None:
    refused = gateway_error(NoAccountError(NoAccountReason.CREDENTIALS_REFUSED))
    disabled = gateway_error(NoAccountError(NoAccountReason.DISABLED))
    none = gateway_error(NoAccountError(NoAccountReason.NONE_CONFIGURED))
    offline = gateway_error(poe_error(ErrorCode.CONNECTION_FAILED, delivery=Delivery.NOT_SENT))
    lost = gateway_error(poe_error(ErrorCode.CONNECTION_FAILED))
    silent = gateway_error(poe_error(ErrorCode.TIMEOUT, delivery=Delivery.NOT_SENT))
    assert (silent.status, silent.code) == (502, "upstream_unreachable")
    assert gateway_error(poe_error(ErrorCode.TIMEOUT)).code == "upstream_timeout"
    shown = [(error.status, error.code) for error in (refused, disabled, none, offline, lost)]
    assert shown == [
        (503, "accounts_signed_out"),
        (503, "accounts_disabled"),
        (503, "no_accounts"),
        (502, "upstream_unreachable"),
        (502, "upstream_error"),
    ]
    assert len({error.message for error in (refused, disabled, none, offline, lost)}) == 5


@pytest.mark.parametrize("code", [code for code, (status, _) in POE.items() if status >= 500])
def test_what_the_gateway_tried_itself_is_not_tried_again_by_an_sdk(code: ErrorCode) -> None:
    assert gateway_error(poe_error(code)).headers()["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("reason", "retry_at", "expected"),
    [
        (NoAccountReason.NONE_CONFIGURED, None, (503, "no_accounts", "false", None)),
        (NoAccountReason.BUSY, None, (429, "accounts_busy", None, "1")),
        (NoAccountReason.BUSY, 1010.2, (429, "accounts_busy", None, "11")),
        (NoAccountReason.COOLING_DOWN, 1010, (429, "accounts_waiting", None, "10")),
        (NoAccountReason.COOLING_DOWN, 1200, (429, "accounts_waiting", "false", "200")),
        (NoAccountReason.COOLING_DOWN, None, (429, "accounts_waiting", None, "5")),
        (NoAccountReason.NO_POINTS, 5000, (429, "insufficient_quota", "false", "4000")),
        (NoAccountReason.NO_POINTS, None, (429, "insufficient_quota", "false", None)),
        (NoAccountReason.BOT_DENIED, 5000, (403, "model_not_allowed", None, None)),
    ],
)
def test_no_account_says_when_to_come_back(
    reason: NoAccountReason, retry_at: float | None, expected: tuple[int, str, str | None, str | None]
) -> None:
    shown = gateway_error(NoAccountError(reason, retry_at), now=1000)
    headers = shown.headers()
    assert (shown.status, shown.code, headers.get("x-should-retry"), headers.get("retry-after")) == expected


def test_what_is_waited_for_and_until_when_is_said_in_words() -> None:
    shown = gateway_error(NoAccountError(NoAccountReason.COOLING_DOWN, 86_400.0), now=1000)
    assert shown.message.endswith("Try again after 1970-01-02T00:00:00Z.")
    assert "busy" not in shown.message


def test_a_retry_time_in_the_past_is_soon() -> None:
    assert gateway_error(NoAccountError(NoAccountReason.BUSY, 5.0), now=1000).headers()["retry-after"] == "1"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (StoreUnavailableError("lease", "Throttled"), 503, "store_unavailable"),
        (AccountNotFoundError("acc_secret"), 503, "store_unavailable"),
        (TimeoutError(), 504, "upstream_timeout"),
        (HTTPException(404, "secret"), 404, "not_found"),
        (HTTPException(405, "secret", {"Allow": "POST"}), 405, "method_not_allowed"),
        (HTTPException(418, "secret"), 400, "invalid_request"),
        (RuntimeError("secret"), 500, "internal_error"),
        (GatewayError(QUOTA), 429, "insufficient_quota"),
    ],
)
def test_every_failure_has_an_envelope(error: Exception, status: int, code: str) -> None:
    shown = gateway_error(error)
    assert (shown.status, shown.code) == (status, code)
    body = json.loads(encode_error(shown))
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert "secret" not in encode_error(shown).decode()


def test_an_upstreams_field_is_named_only_if_it_looks_like_one() -> None:
    assert gateway_error(poe_error(ErrorCode.INVALID_REQUEST, param="temperature")).param == "temperature"
    assert gateway_error(poe_error(ErrorCode.INVALID_REQUEST, param="<script>x y")).param is None


def test_an_error_event_is_one_server_sent_event() -> None:
    event = encode_error_event(GatewayError(INTERNAL, "a\nb")).decode()
    assert event.startswith('data: {"error":{')
    assert event.count("\n") == 2
