"""The account store as its callers see it. Two implementations keep this contract: in memory, and in DynamoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Protocol, Unpack

from accounts._account_model import Account, AccountKind, AccountState, BalanceReading, Claim, DayBalance, Outcome
from accounts._alerts import Alert
from accounts._audit_model import AuditEntry
from accounts._backup import AccountBackup, KeyBackup, Restored
from accounts._key_model import Admission, ApiKey, KeySettings, KeyUse, OverLimit, Reservation
from accounts._lease_model import Lease, LeaseRequest
from accounts._ledger_model import (
    LedgerEntry,
    RequestRecord,
    SendRecord,
)
from accounts._ledger_store import LedgerStore
from accounts._page import Page
from accounts._session_model import ChatSession


class AccountStore(LedgerStore, Protocol):
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
        max_concurrency: int | None = None,
    ) -> Account:
        """Add an account, or replace the credentials of the one with this id or this kind and label.

        Replaced credentials clear derived data and errors, end every wait, and make a reading due at once. Without
        `max_concurrency` an account keeps what it has, and a new one gets 2. Raises `ConflictError` when another
        account than the one with this id has the label, and `ValueError` when the credentials are too large.
        """

    async def update_account(
        self, account_id: str, *, label: str | None = None, max_concurrency: int | None = None
    ) -> Account:
        """Change what needs no credentials. Raises `AccountNotFoundError`, and `ConflictError` for a label in use."""

    async def get_account(self, account_id: str) -> Account:
        """Raises `AccountNotFoundError`."""

    async def get_accounts(self, account_ids: Collection[str]) -> Mapping[str, Account]:
        """Those of these accounts that there are, by id, in one read. At most 100 ids."""

    async def slots_in_use(self) -> Mapping[str, int]:
        """How many requests are under way on each account that has some, those of killed holders included."""

    async def list_accounts(self, *, limit: int = 50, cursor: str | None = None) -> Page[Account]: ...

    async def set_account_state(self, account_id: str, state: AccountState) -> Account:
        """Enable or disable. Enabling ends every wait and makes a reading due. Raises `AccountNotFoundError`."""

    async def delete_account(self, account_id: str) -> None:
        """Delete the account with its credentials. Deleting twice is fine. What its leases spend is still booked."""

    async def read_credentials(self, account_id: str) -> tuple[Account, Mapping[str, str], Mapping[str, Any] | None]:
        """The account, its credentials and its derived session data. Raises `AccountNotFoundError`."""

    async def check_vault(self) -> None:
        """Whether credentials can be sealed and opened now; nothing is stored.

        Raises `SealBrokenError`, `StoreUnavailableError`.
        """

    async def count_eligible(self, *, at_most: int = 100) -> int:
        """How many accounts could be leased now, counting no further than `at_most`."""

    # Leases.

    async def lease(self, request: LeaseRequest) -> Lease:
        """Take a slot of an eligible account, chosen in proportion to the points that are left.

        The slot holds the request's intention. What an expired slot held becomes a ledger entry with the outcome
        `lost` before the slot is taken. Raises `NoAccountError`.
        """

    async def extend(self, lease: Lease, ttl_seconds: float) -> Lease:
        """Move the expiry of a lease that is still ours. Raises `ConflictError` if it is not."""

    async def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        usage: SendRecord | None = None,
        request: RequestRecord | None = None,
        session_data: Mapping[str, Any] | None = None,
    ) -> None:
        """Give the slot back, write the ledger entry, apply the outcome, keep changed session data.

        `usage` completes the entry that the lease's intention began, under `lease.entry_id`; `None` says that nothing
        was sent, and leaves no entry. `request` is written along. The lease's reservation is replaced by what was
        consumed. A lease that expired and was taken over frees nothing, but still books. Safe to call twice, and
        again after a failure.
        """

    async def recover_slots(self, *, limit: int = 1000) -> int:
        """Turn what killed holders left in their slots into ledger entries; returns how many slots that freed."""

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
        reading: BalanceReading | Outcome,
        *,
        session_data: Mapping[str, Any] | None = None,
        credentials_version: int | None = None,
        claimed: Account | None = None,
        is_by_owner: bool = False,
    ) -> Account:
        """Apply a balance just read, or the failure to read it, and set the next due time.

        A reading that its owner asked for and that succeeded ends every wait but one for points.

        Changes nothing if `credentials_version` names credentials that were replaced since. `claimed` is the account
        as the claim showed it: that saves reading it again, as long as nobody changed it. Raises
        `AccountNotFoundError`.
        """

    async def balances_by_day(self, account_id: str, *, since: float) -> Sequence[DayBalance]:
        """The last balance of UTC days since then, oldest first. Some weeks are kept.

        A day is left out if nobody read it, or if it changed nothing: the days around it then have the same balance.
        The newest reading is in the account.
        """

    # API keys.

    async def create_key(self, *, secret: str | None = None, **settings: Unpack[KeySettings]) -> tuple[ApiKey, str]:
        """Create a key. Returns it with its secret, which is never stored and can't be read again.

        `secret` imports a given one (the original's bootstrap keys); importing it again replaces its settings. Raises
        `ValueError` for a secret that is too short, and for settings that can't be.
        """

    async def get_key(self, key_id: str) -> ApiKey:
        """Raises `KeyNotFoundError`."""

    async def update_key(
        self, key_id: str, *, expected_version: int | None = None, **changes: Unpack[KeySettings]
    ) -> ApiKey:
        """Change settings. Raises `KeyNotFoundError`, `ValueError`, and `ConflictError` for another version."""

    async def rotate_key(self, key_id: str, *, overlap_seconds: float) -> tuple[ApiKey, str]:
        """Give the key a new secret; the present one works for `overlap_seconds` more. Raises `KeyNotFoundError`."""

    async def find_key(self, secret: str) -> ApiKey | None:
        """The enabled, unexpired key with this secret."""

    async def find_key_and_configs(
        self, secret: str, names: Collection[str]
    ) -> tuple[ApiKey | None, dict[str, dict[str, Any]]]:
        """`find_key` and `get_configs` in one read."""

    async def get_keys(self, key_ids: Collection[str]) -> Mapping[str, ApiKey]:
        """Those of these keys that there are, by id, in two reads. At most 100 ids."""

    async def list_keys(self, *, limit: int = 50, cursor: str | None = None) -> Page[ApiKey]: ...

    async def revoke_key(self, key_id: str) -> bool:
        """Delete a key; `False` if there was none."""

    # Limits of keys.

    async def count_request(self, key: ApiKey, answers: int = 1) -> OverLimit | None:
        """Count the answers asked for, and reserve nothing. Returns how long to wait if that is over a limit."""

    async def reserve_budget(self, key: ApiKey, wanted: Reservation) -> Admission:
        """Count requests and reserve what they are about to consume, all or nothing, in one conditional write.

        What is reserved goes into the intentions of the leases, whose owners are named in `wanted`; their release
        replaces it by what was consumed. A reservation that never meets a lease ends after an hour at most.
        """

    async def cancel_reservation(self, key_id: str, owner: str) -> None:
        """Give back a reservation whose lease was not had."""

    async def key_use(self, key_id: str) -> KeyUse:
        """What a key with limits has consumed in the present minute, day and month, and when it was last used."""

    async def key_uses(self, key_ids: Collection[str]) -> Mapping[str, KeyUse]:
        """`key_use` of at most 100 keys, in one read."""

    async def repair_limits(self, key_id: str) -> int:
        """End the reservations whose holders were killed, by what their ledger entries say; returns how many."""

    # What administrators changed.

    async def record_audit(self, entry: AuditEntry) -> AuditEntry:
        """Add an entry to the audit trail, kept for 400 days; returns it with its id."""

    async def list_audit(
        self,
        *,
        since: float,
        until: float,
        actor_id: str | None = None,
        action: str | None = None,
        target: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """What was changed, newest first. A page may be short and still have a cursor. `ValueError` for a bad one."""

    # What owners are told of.

    async def list_alerts(self) -> Sequence[Alert]:
        """All alerts that are known, those that are over for a while as well."""

    async def put_alert(self, alert: Alert) -> Alert | None:
        """Keep an alert: one version on, or `None` if somebody else changed it meanwhile, or it is there already."""

    # Backups. What is there is never changed by restoring.

    async def backup_accounts(self, *, limit: int = 50, cursor: str | None = None) -> Page[AccountBackup]: ...

    async def backup_keys(self, *, limit: int = 50, cursor: str | None = None) -> Page[KeyBackup]: ...

    async def restore_account(self, backup: AccountBackup, credentials: Mapping[str, str] | None) -> Restored:
        """Add an account as it was. Without its credentials it counts as signed out until it is given new ones."""

    async def restore_key(self, backup: KeyBackup) -> Restored:
        """Add a key as it was, by its hash, with what it has consumed of its budget."""

    async def restore_entries(self, entries: Sequence[LedgerEntry]) -> list[Restored]:
        """Add ledger entries as they were, and have their hours summed up again. At most 100."""

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

    async def put_sealed_config(self, name: str, value: Mapping[str, Any]) -> None:
        """As `put_config`, encrypted like credentials. Raises `ValueError` for more than some kilobytes."""

    async def get_sealed_config(self, name: str) -> dict[str, Any] | None:
        """What `put_sealed_config` kept; `None` if there is none. Raises `SealBrokenError`."""

    async def delete_config(self, name: str) -> bool:
        """Delete what is kept by this name; `False` if there was nothing."""

    async def usage(self, *, day: str, limit: int = 1000) -> Sequence[Mapping[str, Any]]:
        """What one UTC day's (`YYYY-MM-DD`) entries add up to, per key and model."""

    def known_kinds(self) -> frozenset[AccountKind]:
        """Kinds of which there are accounts, as the last reading of a key or of documents has told; before one, all."""

    async def prepare(self) -> None:
        """Open the connections that the first lease of a process will want, and `remember_accounts`."""

    async def remember_accounts(self) -> None:
        """Read which accounts there are, so that leases of the next minute need not begin with it.

        Only for who is going to lease: it is paid for. No failure is told: the lease tells it.
        """

    async def aclose(self) -> None: ...
