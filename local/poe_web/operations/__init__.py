"""The 36 operations that web clients send (docs/reference/poe-web.md#operations), one module per subject."""

from local.poe_web.operations import account, bots, chats, creation, explore, knowledge, messages, sharing
from local.poe_web.operations.query import TABLE, Query, QueryFailed

__all__ = [
    "TABLE",
    "Query",
    "QueryFailed",
    "account",
    "bots",
    "chats",
    "creation",
    "explore",
    "knowledge",
    "messages",
    "sharing",
]
