"""Poe accounts and the API keys of the gateway: who may be used, by whom, and what it cost."""

from accounts._api_keys import OverLimit
from accounts._exceptions import (
    AccountNotFoundError,
    AccountStoreError,
    ConflictError,
    NoAccountError,
    NoAccountReason,
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
    Lease,
    LeaseRequest,
    Outcome,
    Page,
    Points,
    Reading,
    Usage,
)
from accounts._store import AccountStore
from accounts._transitions import DEFAULT_POLICY, Policy

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
    "StoreUnavailableError",
    "Usage",
    "open_store",
]
