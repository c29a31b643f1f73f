"""Sessions as plain values."""

from __future__ import annotations

from lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSession:
    """A caller's conversation that continues one Poe chat on one account."""

    key_id: str
    session_id: str
    account_id: str
    model: str
    chat_id: int
    chat_code: str | None
    turns: int
    """How many of the caller's messages the Poe chat already holds."""
    digest: str
    """Hash over those messages: if the caller's history no longer matches, the chat is rebuilt."""
    updated_at: float = 0.0
