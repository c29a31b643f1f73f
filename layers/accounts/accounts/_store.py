"""The account store as its callers see it. Two implementations keep this contract: in memory, and in DynamoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Protocol

from accounts._api_keys import OverLimit
from accounts._model import (
    Account,
    AccountKind,
    AccountState,
    ApiKey,
    ChatSession,
    Claim,
    Lease,
    LeaseRequest,
    Outcome,
    Page,
    Reading,
    Usage,
)


class AccountStore(Protocol):
    """Accounts, leases, API keys, sessions, usage and small configuration items.

    Every method may raise `StoreUnavailableError`. Cancelling a call abandons it: the write may or may not happen,
    and leases repair themselves by their expiry.
    """

    # Accounts.

    async def put_account(
        self,
        *,
        kind: AccountKind,
        label: str,
        credentials: Mapping[str, str],
        account_id: str | None = None,
        max_concurrency: int = 2,
    ) -> Account:
        """Add an account, or replace the credentials of the one with this id or this kind and label.

        Replaced credentials clear derived data, errors and cooldown, and make a reading due at once. Raises
        `ConflictError` when another account than the one with this id has the label, and `ValueError` when the
        credentials are too large.
        """

    async def get_account(self, account_id: str) -> Account:
        """Raises `AccountNotFoundError`."""

    async def list_accounts(self, *, limit: int = 50, cursor: str | None = None) -> Page[Account]: ...

    async def set_account_state(self, account_id: str, state: AccountState) -> Account:
        """Enable or disable. Raises `AccountNotFoundError`."""

    async def delete_account(self, account_id: str) -> None:
        """Delete the account with its credentials, slots and limits. Deleting twice is fine."""

    async def read_credentials(self, account_id: str) -> tuple[Account, Mapping[str, str], Mapping[str, Any] | None]:
        """The account, its credentials and its derived session data. Raises `AccountNotFoundError`."""

    async def count_eligible(self, *, at_most: int = 100) -> int:
        """How many accounts could be leased now, counting no further than `at_most`."""

    # Leases.

    async def lease(self, request: LeaseRequest) -> Lease:
        """Take a slot of the best eligible account. Raises `NoAccountError`."""

    async def extend(self, lease: Lease, ttl_seconds: float) -> Lease:
        """Move the expiry of a lease that is still ours. Raises `ConflictError` if it is not."""

    async def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        usage: Usage | None = None,
        session_data: Mapping[str, Any] | None = None,
    ) -> None:
        """Give the slot back, apply the outcome to the account, book the usage, keep changed session data.

        Releasing a lease that expired or was taken over frees nothing, but still records. Safe to call twice.
        """

    # Readings, for the scheduled refresh and the admin.

    def due_accounts(self, *, now: float, limit: int = 1000) -> AsyncIterator[str]:
        """Ids of accounts whose reading is due, the longest overdue first. Reads page by page."""

    async def claim_refresh(self, account_id: str, *, now: float, lease_seconds: float, force: bool = False) -> bool:
        """Push the due time ahead so that no other run reads the same account; `False` if another run was first.

        `force` claims an account that is not due, too, but none that another run is reading just now.
        """

    async def claim_reading(
        self, account_id: str, *, now: float, lease_seconds: float, force: bool = False
    ) -> Claim | None:
        """`claim_refresh` and `read_credentials` in one; `None` if another run was first or there is no account."""

    async def record_reading(
        self,
        account_id: str,
        reading: Reading | Outcome,
        *,
        session_data: Mapping[str, Any] | None = None,
        credentials_version: int | None = None,
        claimed: Account | None = None,
    ) -> Account:
        """Apply a balance just read, or the failure to read it, and set the next due time.

        Changes nothing if `credentials_version` names credentials that were replaced since. `claimed` is the account
        as the claim showed it: that saves reading it again, as long as nobody changed it. Raises
        `AccountNotFoundError`.
        """

    # API keys.

    async def create_key(
        self,
        *,
        name: str,
        models: Sequence[str] = (),
        requests_per_minute: int | None = None,
        points_per_day: int | None = None,
        expires_at: float | None = None,
        secret: str | None = None,
    ) -> tuple[ApiKey, str]:
        """Create a key. Returns it with its secret, which is never stored and can't be read again.

        `secret` imports a given one (the original's bootstrap keys); importing it again replaces its limits.
        """

    async def find_key(self, secret: str) -> ApiKey | None:
        """The enabled, unexpired key with this secret."""

    async def find_key_and_configs(
        self, secret: str, names: Collection[str]
    ) -> tuple[ApiKey | None, dict[str, dict[str, Any]]]:
        """`find_key` and `get_configs` in one read."""

    async def list_keys(self, *, limit: int = 50, cursor: str | None = None) -> Page[ApiKey]: ...

    async def revoke_key(self, key_id: str) -> bool:
        """Delete a key; `False` if there was none."""

    async def count_request(self, key: ApiKey, answers: int = 1) -> OverLimit | None:
        """Count a request of a limited key, once for each answer it asks for.

        Returns seconds to wait if it is over its rate or budget, else `None`.

        The seconds are an `OverLimit`, which says which of the two it is.
        """

    # Conversations, documents, configuration.

    async def get_session(self, key_id: str, session_id: str) -> ChatSession | None: ...

    async def put_session(self, session: ChatSession, *, ttl_seconds: float) -> None: ...

    async def delete_session(self, key_id: str, session_id: str) -> None: ...

    async def get_document(self, kind: str, owner: str, document_id: str) -> dict[str, Any] | None:
        """A JSON document stored by `put_document`, e.g. a stored response; `None` if absent or expired."""

    async def put_document(
        self, kind: str, owner: str, document_id: str, document: Mapping[str, Any], *, ttl_seconds: float | None
    ) -> None:
        """Store a JSON document (compressed; raises `ValueError` when it can't fit one item of 400 KB)."""

    async def delete_document(self, kind: str, owner: str, document_id: str) -> bool: ...

    async def get_config(self, name: str) -> dict[str, Any] | None:
        """A JSON document stored by `put_config`; `None` if there is none."""

    async def get_configs(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Those of these documents that there are, by name, in one read. At most 100 names."""

    async def put_config(self, name: str, value: Mapping[str, Any]) -> None:
        """Keep a JSON document by name. Raises `ValueError` when it can't fit one item of 400 KB, compressed."""

    async def usage(self, *, day: str, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        """The aggregates of one UTC day (`YYYY-MM-DD`), per key and model."""

    async def aclose(self) -> None: ...
