"""What callers are told when something goes wrong: one table, one envelope.

The table says, for each situation, status, OpenAI's `type` and `code`, a text of our own, and whether an SDK should
try again. Errors of the Poe client and of the account store are looked up by their codes; texts of exceptions and
account ids never reach a caller. Poe's own words do where they are about the request (see `cleaned`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from starlette.exceptions import HTTPException

from accounts import AccountStoreError, NoAccountError, NoAccountReason, StoreUnavailableError
from lazy_dataclasses import dataclass
from reverse.errors import Delivery, ErrorCode, PoeError

# An SDK that honours `retry-after` gives up by itself on longer waits
# (docs/reference/openai-wire.md#errors-and-retries); asking it not to try saves the requests of those that do not.
MAX_RETRY_AFTER_SECONDS = 60
# Where nobody knows when it passes.
_DEFAULT_WAIT_SECONDS = 5.0
# The upstream's word for a field is shown only if it looks like one.
_FIELD_NAME = r"[A-Za-z0-9_.\[\]-]{1,64}"


@dataclass(frozen=True, slots=True)
class Situation:
    """One row of the table."""

    status: int
    type: str
    code: str
    message: str
    should_retry: bool | None = None
    """The value of `x-should-retry`; `None` leaves it to the status."""


class GatewayError(Exception):
    """A failure as the caller will see it. Everything in it is safe to show."""

    def __init__(
        self,
        situation: Situation,
        message: str | None = None,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # The text is our own, or was cleaned: logs and tracebacks may show it.
        super().__init__(message or situation.message)
        self.situation = situation
        self.message = message or situation.message
        self.param = param
        self.code = code or situation.code
        self.retry_after_seconds = retry_after_seconds
        self._headers = headers or {}

    @property
    def status(self) -> int:
        return self.situation.status

    def envelope(self) -> dict[str, dict[str, str | None]]:
        """OpenAI's error object."""
        fields = {"message": self.message, "type": self.situation.type, "param": self.param, "code": self.code}
        return {"error": fields}

    def headers(self) -> dict[str, str]:
        """The headers that steer an SDK's retries, and those the situation calls for (`allow`)."""
        headers = dict(self._headers)
        should_retry = self.situation.should_retry
        if self.retry_after_seconds is not None:
            # Rounded up, since a client that comes a moment too early is refused again. 0 would mean "at once".
            seconds = max(1, int(self.retry_after_seconds + 0.999))
            headers["retry-after"] = str(seconds)
            # Decides over the status, and over the situation's own word.
            if seconds > MAX_RETRY_AFTER_SECONDS:
                should_retry = False
        if should_retry is not None:
            headers["x-should-retry"] = "true" if should_retry else "false"
        return headers


_INVALID = "invalid_request_error"

# What clients decide by are `status` and `code`: OpenAI's words where it has one for the situation.
INVALID_KEY = Situation(401, "authentication_error", "invalid_api_key", "The API key is missing or not valid.")
MODEL_NOT_ALLOWED = Situation(403, "permission_error", "model_not_allowed", "This model may not be used.")
NO_ACCESS = Situation(
    403, "permission_error", "model_not_allowed", "No account has access to this model, if it exists."
)
MODEL_NOT_FOUND = Situation(404, _INVALID, "model_not_found", "The model does not exist.")
NOT_FOUND = Situation(404, _INVALID, "not_found", "There is nothing at this address.")
METHOD_NOT_ALLOWED = Situation(405, _INVALID, "method_not_allowed", "This address does not offer this method.")
INVALID_REQUEST = Situation(400, _INVALID, "invalid_request", "The request is not valid.")
INVALID_JSON = Situation(400, _INVALID, "invalid_json", "The body is not valid JSON.")
TOO_LONG = Situation(
    400, _INVALID, "context_length_exceeded", "The messages are longer than the model's maximum context length."
)
TOO_LARGE = Situation(413, _INVALID, "request_too_large", "The body is larger than the gateway accepts.")
UNSUPPORTED_ENCODING = Situation(
    415,
    _INVALID,
    "unsupported_content_encoding",
    "The body's content-encoding is not supported: send it as it is, or with gzip or deflate.",
)
CONTENT_FILTER = Situation(400, _INVALID, "content_filter", "The upstream refused the content.")
RATE_LIMIT = Situation(429, "rate_limit_error", "rate_limit_exceeded", "This API key sent too many requests.")
# No retry: a budget begins anew with the next day, which no SDK waits for.
QUOTA = Situation(429, "insufficient_quota", "insufficient_quota", "This API key has used up its budget.", False)
NO_POINTS = Situation(429, "insufficient_quota", "insufficient_quota", "No account has points left.", False)
BOT_LIMIT = Situation(429, "insufficient_quota", "insufficient_quota", "The limit for this model is reached.", False)
BUSY = Situation(429, "rate_limit_error", "accounts_busy", "All accounts are busy with other requests.")
WAITING = Situation(
    429, "rate_limit_error", "accounts_waiting", "All accounts have to wait: Poe limited them, or they failed."
)
NO_ACCOUNTS = Situation(
    503,
    "server_error",
    "no_accounts",
    "No account can serve this request: there is none. /admin/accounts adds one.",
    False,
)
WRONG_KIND = Situation(
    503,
    "server_error",
    "no_account_of_kind",
    "No account can serve this request: there is none of the kind that it needs. /admin/accounts shows and adds them.",
    False,
)
CREDENTIALS_REFUSED = Situation(
    503,
    "server_error",
    "accounts_signed_out",
    "No account can serve this request: Poe refused the credentials of all that could. /admin/accounts shows them.",
    False,
)
ACCOUNTS_DISABLED = Situation(
    503,
    "server_error",
    "accounts_disabled",
    "No account can serve this request: all that could are disabled. /admin/accounts shows and enables them.",
    False,
)
# Said only where nothing was sent, so that nothing can have been charged.
UNREACHABLE = Situation(
    502,
    "server_error",
    "upstream_unreachable",
    "Poe can't be reached from here: no connection came about, or not in time. Nothing was sent.",
    False,
)
UPSTREAM = Situation(502, "server_error", "upstream_error", "The upstream failed.", False)
# What no repetition cures, and every repetition pays for: a status that published clients leave alone, whether or not
# they look at `x-should-retry` (docs/retries.md has the table; 422 is repeated by some).
UNUSABLE_ANSWER = Situation(
    400, "unusable_answer", "unusable_answer", "The model's answer is not what was asked for.", False
)
OVERLOADED = Situation(503, "server_error", "upstream_overloaded", "The upstream is overloaded.", False)
CHALLENGE = Situation(503, "server_error", "upstream_challenge", "The upstream does not let the gateway in.", False)
TIMEOUT = Situation(504, "server_error", "upstream_timeout", "The upstream took too long.", False)
STORE = Situation(503, "server_error", "store_unavailable", "The gateway's storage is not available.")
# Not to be repeated: it may have failed after the answer was paid for.
INTERNAL = Situation(500, "server_error", "internal_error", "The gateway failed.", False)
NOT_READY = Situation(503, "server_error", "not_ready", "No account is eligible.")


_POE: dict[ErrorCode, Situation] = {
    ErrorCode.INVALID_REQUEST: Situation(400, _INVALID, "invalid_request", "The upstream rejected the request."),
    ErrorCode.MESSAGE_TOO_LONG: TOO_LONG,
    ErrorCode.UNSUPPORTED_FILE: Situation(400, _INVALID, "unsupported_file", "The model does not accept this file."),
    ErrorCode.FILE_TOO_LARGE: Situation(400, _INVALID, "file_too_large", "A file is larger than the model accepts."),
    ErrorCode.UNSAFE_URL: Situation(400, _INVALID, "unsafe_url", "The address of a file is not allowed."),
    ErrorCode.UNSUPPORTED_FEATURE: Situation(
        400, _INVALID, "unsupported_feature", "The model does not offer a feature that the request asks for."
    ),
    ErrorCode.CONTENT_REFUSED: CONTENT_FILTER,
    ErrorCode.CHAT_NOT_FOUND: Situation(400, _INVALID, "chat_not_found", "The conversation does not exist any more."),
    ErrorCode.BOT_NOT_FOUND: MODEL_NOT_FOUND,
    ErrorCode.BOT_LIMIT_REACHED: BOT_LIMIT,
    ErrorCode.BOT_ACCESS_DENIED: NO_ACCESS,
    # Not a 401: the caller's key is fine, it is the account's that Poe refused.
    ErrorCode.NOT_AUTHENTICATED: CREDENTIALS_REFUSED,
    ErrorCode.INSUFFICIENT_POINTS: NO_POINTS,
    # Poe's limit is of the account; `rate_limit_exceeded` is said of the caller's own key only.
    ErrorCode.RATE_LIMITED: WAITING,
    ErrorCode.CHALLENGE: CHALLENGE,
    ErrorCode.BLOCKED: CHALLENGE,
    ErrorCode.TIMEOUT: TIMEOUT,
    ErrorCode.OVERLOADED: OVERLOADED,
}

# What Poe says about these is about the request, and helps whoever wrote it.
_ABOUT_THE_REQUEST = frozenset(
    {
        ErrorCode.INVALID_REQUEST,
        ErrorCode.MESSAGE_TOO_LONG,
        ErrorCode.UNSUPPORTED_FILE,
        ErrorCode.FILE_TOO_LARGE,
        ErrorCode.UNSUPPORTED_FEATURE,
    }
)

_NO_ACCOUNT: dict[NoAccountReason, Situation] = {
    NoAccountReason.NONE_CONFIGURED: NO_ACCOUNTS,
    NoAccountReason.BUSY: BUSY,
    NoAccountReason.COOLING_DOWN: WAITING,
    NoAccountReason.NO_POINTS: NO_POINTS,
    NoAccountReason.BOT_DENIED: NO_ACCESS,
    NoAccountReason.CREDENTIALS_REFUSED: CREDENTIALS_REFUSED,
    NoAccountReason.DISABLED: ACCOUNTS_DISABLED,
}


def gateway_error(
    error: Exception, *, now: float = 0.0, field_name: Callable[[str], str] = lambda name: name
) -> GatewayError:
    """Translate any exception into what the caller sees.

    `now` (epoch seconds) turns times into waits. `field_name` gives the caller's name for a field that Poe blames.
    """
    match error:
        case GatewayError():
            return error
        case HTTPException():
            # Raised by Starlette's router, with `allow` in its headers.
            situation = {404: NOT_FOUND, 405: METHOD_NOT_ALLOWED}.get(error.status_code, INVALID_REQUEST)
            return GatewayError(
                situation, headers={name.lower(): value for name, value in (error.headers or {}).items()}
            )
        case PoeError():
            return _of_poe(error, field_name)
        case NoAccountError():
            return _of_no_account(error, now)
        case StoreUnavailableError() | AccountStoreError():
            return GatewayError(STORE)
        case TimeoutError():
            return GatewayError(TIMEOUT)
    # The text of an unknown exception may quote a prompt or a credential, so it is not shown.
    return GatewayError(INTERNAL)


def _of_poe(error: PoeError, field_name: Callable[[str], str]) -> GatewayError:
    situation = _POE.get(error.code, UPSTREAM)
    # Tells "nothing was sent" from "it may have been paid", which look the same by their codes.
    if error.code in (ErrorCode.CONNECTION_FAILED, ErrorCode.TIMEOUT) and error.delivery is Delivery.NOT_SENT:
        situation = UNREACHABLE
    param = "model" if error.code in (ErrorCode.BOT_NOT_FOUND, ErrorCode.BOT_ACCESS_DENIED) else None
    # A provider's own words may stand here; they could be anything.
    if param is None and error.param and re.fullmatch(_FIELD_NAME, error.param):
        param = field_name(error.param)
    retry_after = error.retry_after_seconds
    # Without a time, SDKs would come back after half a second.
    if situation is WAITING and retry_after is None:
        retry_after = _DEFAULT_WAIT_SECONDS
    # Some programs show nothing of an error but its message.
    message = f"The upstream rejected '{param}'." if param and error.code is ErrorCode.INVALID_REQUEST else None
    if error.code in _ABOUT_THE_REQUEST and (words := cleaned(error.upstream_text)) is not None:
        message = f"{(message or situation.message).rstrip('.')}: {words}"
    return GatewayError(situation, message, param=param, retry_after_seconds=retry_after)


def _of_no_account(error: NoAccountError, now: float) -> GatewayError:
    situation = _NO_ACCOUNT[error.reason]
    if situation is NO_ACCESS:
        # When the store looks again is hours away: nothing that a program should wait for.
        return GatewayError(situation, param="model")
    if error.retry_at is None:
        # Slots become free within seconds; for the other situations no time would be true.
        wait = {BUSY: 1.0, WAITING: _DEFAULT_WAIT_SECONDS}.get(situation)
    else:
        wait = max(1.0, error.retry_at - now)
    return GatewayError(situation, _until(situation, error.retry_at), retry_after_seconds=wait)


def _until(situation: Situation, retry_at: float | None) -> str | None:
    """The situation's message with the time at which another try may help, if that is known."""
    if retry_at is None:
        return None
    return f"{situation.message} Try again after {datetime.fromtimestamp(retry_at, UTC):%Y-%m-%dT%H:%M:%SZ}."


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> GatewayError:
    """A 400 for one field."""
    return GatewayError(INVALID_REQUEST, message, param=param, code=code)


def encode_error(error: GatewayError) -> bytes:
    """The envelope as JSON."""
    return json.dumps(error.envelope(), separators=(",", ":")).encode()


MAX_CHARS = 200
# Patterns as texts: `re` compiles them with the first of Poe's words, and keeps them. Few sandboxes have any to clean.
_ADDRESS = r"(?i)(?:https?|wss?)://\S+|\bwww\.\S+|\S+@\S+\.\S+|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
# `req_011CX…`, `org-4f2…`, UUIDs, tokens: long words with digits in them, and those that say what they are.
_ID = (
    r"(?i)"
    r"\b(?:req|request|org|proj|user|acct|acc|key|sk|p_b|msg|resp|chatcmpl|trace)[-_][\w-]{6,}"
    r"|\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{24,}\b"
)
_NOTE_OF_AN_ID = r"(?i)[\s,(\[]*(?:request|trace|error)[ _-]?id\s*[:=]?\s*…?[)\]]?"
# `error_user_message_too_long`: what it means is said already.
_MACHINE_WORD = r"[a-z]{1,40}(?:_[a-z]{1,40}){1,9}"
_SPACE = r"[\s\x00-\x1f\x7f]+"


def cleaned(text: str | None) -> str | None:
    """The words on one line; `None` if nothing is left."""
    if not text:
        return None
    if re.fullmatch(_MACHINE_WORD, text.strip()):
        return None
    # Cut before the patterns run, so that their work is bounded whatever Poe sends.
    line = re.sub(_SPACE, " ", text[: 4 * MAX_CHARS])
    for pattern, instead in ((_ADDRESS, "…"), (_ID, "…"), (_NOTE_OF_AN_ID, "")):
        line = re.sub(pattern, instead, line)
    line = line.strip(" .…")
    if len(line) > MAX_CHARS:
        line = line[: MAX_CHARS - 1].rstrip() + "…"
    return line if any(character.isalpha() for character in line) else None
