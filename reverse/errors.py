"""Everything that can go wrong between this client and Poe, as one tree.

    PoeError                 carries code, scope, delivery, retryable, retry_after_seconds, operation, status
    ├── RequestError         the request itself: another account would be refused as well
    ├── BotError             this bot, for this account or at this time
    ├── AccountError         this account: logged out, out of points, asked to slow down
    └── NetworkError         the way to Poe, or Poe as a whole: no account is to blame

Callers decide by `code` and `scope`, never by the message. Messages are ours: no cookie, key, prompt or raw upstream
text is ever part of one. Text that Poe wrote for people is cut to size and kept in `upstream_text`, outside the
message, for logs at debug level only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypedDict, Unpack

from lazy_dataclasses import dataclass


class Scope(StrEnum):
    """What is to blame. Only `ACCOUNT` may change an account's state."""

    REQUEST = "request"
    BOT = "bot"
    ACCOUNT = "account"
    NETWORK = "network"


class Delivery(StrEnum):
    """What is known of the message that the failed call was to deliver. Set where the failure happens.

    It decides whether the message may be sent again: see `generation.plan` of the gateway.
    """

    NOT_SENT = "not_sent"
    """Nothing was written that Poe could act on: no connection, or a step before the message failed."""
    REFUSED = "refused"
    """Poe, or what stands before it, said no before it took the message. Nothing was charged."""
    FAILED = "failed"
    """Poe took the message and said that no answer came of it. It may have been charged."""
    UNKNOWN = "unknown"
    """The message may be with Poe, and its answer may be paid for: lost connection, timeout, a bare 5xx."""
    PARTIAL = "answered_partially"
    """Part of the answer arrived before the failure."""


class ErrorCode(StrEnum):
    """What happened. The values are stable: they are stored with accounts and shown in reports."""

    # The request.
    INVALID_REQUEST = "invalid_request"
    MESSAGE_TOO_LONG = "message_too_long"
    UNSUPPORTED_FILE = "unsupported_file"
    FILE_TOO_LARGE = "file_too_large"
    UNSAFE_URL = "unsafe_url"
    UNSUPPORTED_FEATURE = "unsupported_feature"
    CONTENT_REFUSED = "content_refused"
    CHAT_NOT_FOUND = "chat_not_found"
    # The bot.
    BOT_NOT_FOUND = "bot_not_found"
    BOT_UNAVAILABLE = "bot_unavailable"
    BOT_LIMIT_REACHED = "bot_limit_reached"
    BOT_ACCESS_DENIED = "bot_access_denied"
    BOT_FAILED = "bot_failed"
    EMPTY_ANSWER = "empty_answer"
    # The account.
    NOT_AUTHENTICATED = "not_authenticated"
    INSUFFICIENT_POINTS = "insufficient_points"
    RATE_LIMITED = "rate_limited"
    # The way to Poe, or Poe as a whole.
    CONNECTION_FAILED = "connection_failed"
    CHALLENGE = "challenge"
    BLOCKED = "blocked"
    TIMEOUT = "timeout"
    UPSTREAM_FAILED = "upstream_failed"
    OVERLOADED = "overloaded"
    STALE_FORM_KEY = "stale_form_key"
    STALE_OPERATION = "stale_operation"
    PROTOCOL = "protocol"


class ErrorDetails(TypedDict, total=False):
    """What is known of a failure besides its code; see `PoeError`."""

    retry_after_seconds: float | None
    operation: str | None
    status: int | None
    upstream_text: str | None
    param: str | None
    delivery: Delivery | None


class PoeError(Exception):
    """A failure with a code. `retryable` says whether the same request may succeed, on this account or another.

    `retry_after_seconds` is the upstream's word where it gave one. `operation` names the wire operation, `status` is
    the HTTP status, `param` the field of the request that the upstream blames; each is `None` where there was none.
    `delivery` says what became of the message; where it is not given, the code decides, and never too hopefully.
    `may_be_bot_only` says of a `bot_not_found` that the bot may be known in the official API's bot protocol.
    """

    def __init__(self, code: ErrorCode, message: str | None = None, **details: Unpack[ErrorDetails]) -> None:
        policy = POLICIES[code]
        self.operation = details.get("operation")
        where = f" ({self.operation})" if self.operation else ""
        super().__init__((message or policy.message) + where)
        self.code = code
        self.scope = policy.scope
        self.retryable = policy.retryable
        self.retry_after_seconds = details.get("retry_after_seconds")
        self.status = details.get("status")
        upstream_text = details.get("upstream_text")
        # Cut here, so that no caller has to: an upstream may answer with a page.
        self.upstream_text = upstream_text[:300] if upstream_text else None
        self.param = details.get("param")
        self.delivery = details.get("delivery") or policy.delivery
        self.may_be_bot_only = False


class RequestError(PoeError):
    """The request itself is at fault."""


class BotError(PoeError):
    """The bot refused or failed."""


class AccountError(PoeError):
    """The account can't be used at the moment, or at all."""


class NetworkError(PoeError):
    """Poe could not be reached or understood."""


@dataclass(frozen=True, slots=True)
class ErrorPolicy:
    """What follows from a code: whom it concerns, whether trying again can help, what to say.

    `delivery` is what the code alone tells of the message, where the place of the failure does not know more.
    """

    scope: Scope
    retryable: bool
    message: str
    # Most codes are refusals. Those that may hide a delivered message say so in the table.
    delivery: Delivery = Delivery.REFUSED


# `retryable` is about another try at all; who may make it is decided by `delivery`.
POLICIES: dict[ErrorCode, ErrorPolicy] = {
    ErrorCode.INVALID_REQUEST: ErrorPolicy(Scope.REQUEST, False, "Poe rejected the request"),
    ErrorCode.MESSAGE_TOO_LONG: ErrorPolicy(Scope.REQUEST, False, "the message is longer than the bot accepts"),
    ErrorCode.UNSUPPORTED_FILE: ErrorPolicy(Scope.REQUEST, False, "the bot does not accept this type of file"),
    ErrorCode.FILE_TOO_LARGE: ErrorPolicy(Scope.REQUEST, False, "the file is larger than Poe accepts"),
    ErrorCode.UNSAFE_URL: ErrorPolicy(Scope.REQUEST, False, "the address of the file is not allowed"),
    ErrorCode.UNSUPPORTED_FEATURE: ErrorPolicy(Scope.REQUEST, False, "the bot does not offer this feature"),
    ErrorCode.CONTENT_REFUSED: ErrorPolicy(Scope.REQUEST, False, "the content was refused by the upstream's policy"),
    ErrorCode.CHAT_NOT_FOUND: ErrorPolicy(Scope.REQUEST, False, "the Poe chat does not exist (any more)"),
    ErrorCode.BOT_NOT_FOUND: ErrorPolicy(Scope.BOT, False, "there is no such bot"),
    ErrorCode.BOT_UNAVAILABLE: ErrorPolicy(Scope.BOT, True, "the bot is down"),
    ErrorCode.BOT_LIMIT_REACHED: ErrorPolicy(Scope.BOT, True, "the account's limit for this bot is reached"),
    ErrorCode.BOT_ACCESS_DENIED: ErrorPolicy(Scope.BOT, True, "the account has no access to this bot"),
    ErrorCode.BOT_FAILED: ErrorPolicy(Scope.BOT, True, "the bot ended with an error", Delivery.FAILED),
    ErrorCode.EMPTY_ANSWER: ErrorPolicy(Scope.BOT, True, "the bot's answer was empty", Delivery.FAILED),
    ErrorCode.NOT_AUTHENTICATED: ErrorPolicy(Scope.ACCOUNT, True, "the account's credentials were refused"),
    ErrorCode.INSUFFICIENT_POINTS: ErrorPolicy(Scope.ACCOUNT, True, "the account has too few points"),
    ErrorCode.RATE_LIMITED: ErrorPolicy(Scope.ACCOUNT, True, "the account sent too much in a short time"),
    ErrorCode.CONNECTION_FAILED: ErrorPolicy(Scope.NETWORK, True, "the connection to Poe failed", Delivery.UNKNOWN),
    # No try helps: this client does not solve challenges.
    ErrorCode.CHALLENGE: ErrorPolicy(Scope.NETWORK, False, "Poe answered with a browser challenge"),
    ErrorCode.BLOCKED: ErrorPolicy(Scope.NETWORK, True, "Poe refused this client's address"),
    ErrorCode.TIMEOUT: ErrorPolicy(Scope.NETWORK, True, "Poe did not answer in time", Delivery.UNKNOWN),
    ErrorCode.UPSTREAM_FAILED: ErrorPolicy(Scope.NETWORK, True, "Poe failed", Delivery.UNKNOWN),
    ErrorCode.OVERLOADED: ErrorPolicy(Scope.NETWORK, True, "Poe is overloaded", Delivery.UNKNOWN),
    # The client derives a new key after it, so that the next try has another one.
    ErrorCode.STALE_FORM_KEY: ErrorPolicy(Scope.NETWORK, True, "Poe refused the form key"),
    ErrorCode.STALE_OPERATION: ErrorPolicy(
        Scope.NETWORK, False, "Poe does not know this operation's hash; override it in the configuration"
    ),
    ErrorCode.PROTOCOL: ErrorPolicy(Scope.NETWORK, True, "Poe's answer could not be understood", Delivery.UNKNOWN),
}

_CLASSES: dict[Scope, type[PoeError]] = {
    Scope.REQUEST: RequestError,
    Scope.BOT: BotError,
    Scope.ACCOUNT: AccountError,
    Scope.NETWORK: NetworkError,
}


def poe_error(code: ErrorCode, message: str | None = None, **details: Unpack[ErrorDetails]) -> PoeError:
    """Build the error of the class that belongs to the code's scope."""
    return _CLASSES[POLICIES[code].scope](code, message, **details)
