"""Poe accounts and the API keys of the gateway: who may be used, by whom, and what it cost."""

from typing import TYPE_CHECKING, Any

from accounts._account_model import (
    Account,
    AccountKind,
    AccountState,
    BalanceReading,
    BotLimit,
    Claim,
    DayBalance,
    Outcome,
    Points,
    Wait,
)
from accounts._alerts import Alert
from accounts._at_once import at_once, settled
from accounts._audit_model import AuditEntry
from accounts._backup import CREDENTIALS_MISSING, AccountBackup, KeyBackup, Restored
from accounts._classes import percentile as first_token_percentile
from accounts._exceptions import (
    AccountNotFoundError,
    AccountStoreError,
    ConflictError,
    KeyNotFoundError,
    NoAccountError,
    NoAccountReason,
    SealBrokenError,
    StoreUnavailableError,
)
from accounts._factory import open_store
from accounts._key_model import Admission, ApiKey, KeyRole, KeySettings, KeyUse, OverLimit, Reservation, Reserved
from accounts._lease_model import Intention, Lease, LeaseRequest
from accounts._ledger import in_points, seconds_to_next_month
from accounts._ledger_model import (
    LedgerEntry,
    RequestCount,
    RequestRecord,
    Selection,
    SendRecord,
    SettledBy,
    Settlement,
    SettlementState,
    Sums,
)
from accounts._page import Page
from accounts._selection import why_none
from accounts._session_model import ChatSession
from accounts._store import AccountStore
from accounts._transitions import DEFAULT_POLICY, Policy, lacks_points

if TYPE_CHECKING:
    from accounts._memory import InMemoryAccountStore

__all__ = [
    "CREDENTIALS_MISSING",
    "DEFAULT_POLICY",
    "Account",
    "AccountBackup",
    "AccountKind",
    "AccountNotFoundError",
    "AccountState",
    "AccountStore",
    "AccountStoreError",
    "Admission",
    "Alert",
    "ApiKey",
    "AuditEntry",
    "BalanceReading",
    "BotLimit",
    "ChatSession",
    "Claim",
    "ConflictError",
    "DayBalance",
    "InMemoryAccountStore",
    "Intention",
    "KeyBackup",
    "KeyNotFoundError",
    "KeyRole",
    "KeySettings",
    "KeyUse",
    "Lease",
    "LeaseRequest",
    "LedgerEntry",
    "NoAccountError",
    "NoAccountReason",
    "Outcome",
    "OverLimit",
    "Page",
    "Points",
    "Policy",
    "RequestCount",
    "RequestRecord",
    "Reservation",
    "Reserved",
    "Restored",
    "SealBrokenError",
    "Selection",
    "SendRecord",
    "SettledBy",
    "Settlement",
    "SettlementState",
    "StoreUnavailableError",
    "Sums",
    "Wait",
    "at_once",
    "first_token_percentile",
    "in_points",
    "lacks_points",
    "open_store",
    "seconds_to_next_month",
    "settled",
    "why_none",
]


def __getattr__(name: str) -> Any:
    """The store in memory, which is an engine of its own that no deployment loads."""
    if name == "InMemoryAccountStore":
        from accounts._memory import InMemoryAccountStore

        return InMemoryAccountStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
