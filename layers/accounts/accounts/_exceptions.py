"""What the account store raises.

AccountStoreError
├── NoAccountError       no account can be leased; says why and until when
├── AccountNotFoundError
├── KeyNotFoundError     there is no API key with this id
├── ConflictError        somebody else changed the item meanwhile, more often than we retried
└── StoreUnavailableError  the table, or the key service, could not be reached
    └── SealBrokenError    what is sealed there is another account's, or damaged
"""

from __future__ import annotations

from enum import StrEnum


class NoAccountReason(StrEnum):
    """Why no account could be leased."""

    NONE_CONFIGURED = "none_configured"
    """There is no account of an acceptable kind that could ever serve the request."""
    BUSY = "busy"
    """Able accounts exist, all their slots are taken."""
    COOLING_DOWN = "cooling_down"
    """Able accounts exist, all are waiting after a failure or a limit."""
    NO_POINTS = "no_points"
    """Able accounts exist, none has points before its next grant."""
    BOT_DENIED = "bot_denied"
    """Able accounts exist, and Poe refused the bot to each of them when it was last asked."""
    CREDENTIALS_REFUSED = "credentials_refused"
    """Accounts exist, and Poe refused the credentials of all that are enabled."""
    DISABLED = "disabled"
    """Accounts exist, and their owner has disabled all of them."""


class AccountStoreError(Exception):
    """Base of everything the store raises."""


class NoAccountError(AccountStoreError):
    """No account can be leased. `retry_at` (epoch seconds) is when one may be, if that is known.

    `cause` is the code of what the account that is free first waits for.
    """

    def __init__(self, reason: NoAccountReason, retry_at: float | None = None, *, cause: str | None = None) -> None:
        super().__init__(f"no account can be leased: {reason.value}" + (f" ({cause})" if cause else ""))
        self.reason = reason
        self.retry_at = retry_at
        self.cause = cause


class AccountNotFoundError(AccountStoreError):
    """There is no account with this id."""


class KeyNotFoundError(AccountStoreError):
    """There is no API key with this id."""


class ConflictError(AccountStoreError):
    """An item changed under our hands on every try."""


class StoreUnavailableError(AccountStoreError):
    """The table or the key service did not answer, or refused. `code` is AWS's error code or `timeout`."""

    def __init__(self, operation: str, code: str) -> None:
        super().__init__(f"{operation} failed: {code}")
        self.operation = operation
        self.code = code


class SealBrokenError(StoreUnavailableError):
    """What was sealed for an account can't be opened as its own, now or later; others are not concerned."""
