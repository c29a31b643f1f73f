"""Poe accounts and the API keys of the gateway: who may be used, by whom, and what it cost."""

from accounts._api_keys import OverLimit
from accounts._exceptions import (
    AccountNotFoundError,
    AccountStoreError,
    ConflictError,
    NoAccountError,
    NoAccountReason,
    SealBrokenError,
    StoreUnavailableError,
)
from accounts._factory import open_store
from accounts._memory import InMemoryAccountStore
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
    Points,
    Reading,
    Usage,
)
from accounts._store import AccountStore
from accounts._transitions import DEFAULT_POLICY, Policy, lacks_points

__all__ = [
    "DEFAULT_POLICY",
    "Account",
    "AccountKind",
    "AccountNotFoundError",
    "AccountState",
    "AccountStore",
    "AccountStoreError",
    "ApiKey",
    "ChatSession",
    "Claim",
    "ConflictError",
    "InMemoryAccountStore",
    "Lease",
    "LeaseRequest",
    "NoAccountError",
    "NoAccountReason",
    "Outcome",
    "OverLimit",
    "Page",
    "Points",
    "Policy",
    "Reading",
    "SealBrokenError",
    "StoreUnavailableError",
    "Usage",
    "lacks_points",
    "open_store",
]
