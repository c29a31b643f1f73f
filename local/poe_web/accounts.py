"""Simulated accounts with their chats and messages, as plain data."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from local.poe_web.answers import Attachment, Snapshot
from local.poe_web.channel import Channel, Json
from local.poe_web.relay import relay_id

DAY_MICROSECONDS = 86_400_000_000


@dataclass(slots=True)
class Message:
    """One message.

    `author` is `human`, `chat_break` or a bot's name on the wire; `created` is in microseconds since 1970.
    """

    message_id: int
    chat_id: int
    author: str
    text: str
    created: int
    state: str = "complete"
    state_text: str | None = None
    attachments: tuple[Attachment, ...] = ()
    replies: tuple[str, ...] = ()
    citations: tuple[dict[str, str], ...] = ()
    client_nonce: str | None = None
    parameters: str | None = None
    cancelled_at: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether the bot is still writing it."""
        return self.state == "incomplete"

    def apply(self, snapshot: Snapshot) -> None:
        """Take over what the bot has said so far."""
        self.text, self.state, self.state_text = snapshot.text, snapshot.state, snapshot.state_text
        self.attachments, self.replies = snapshot.attachments, snapshot.replies

    def wire(self) -> dict[str, Json]:
        """The message as queries and `messageAdded` events show it (docs/reference/poe-web.md#message-events)."""
        return {
            "__typename": "Message",
            "id": relay_id("Message", self.message_id),
            "messageId": self.message_id,
            "creationTime": self.created,
            "author": self.author,
            "text": self.text,
            "state": self.state,
            "contentType": "text_markdown",
            "messageStateText": self.state_text,
            "attachments": [attachment.wire() for attachment in self.attachments],
            "followupActions": [
                {"id": relay_id("FollowupAction", i), "bodyText": text} for i, text in enumerate(self.replies)
            ],
            "clientNonce": self.client_nonce,
            "sourceType": "chat_input",
            "hasCitations": bool(self.citations),
            "textLengthOnCancellation": self.cancelled_at,
        }


@dataclass(slots=True)
class Chat:
    """One chat of an account. `bot` is the handle of the bot that it was begun with."""

    chat_id: int
    code: str
    bot: str
    created: int
    title: str | None = None
    messages: list[Message] = field(default_factory=list)
    optimizes_context: bool = True

    @property
    def id(self) -> str:
        """The global id."""
        return relay_id("Chat", self.chat_id)

    @property
    def latest(self) -> int:
        """Sorts chats by their last message; unique among an account's chats."""
        return self.messages[-1].message_id if self.messages else self.chat_id

    def wire(self) -> dict[str, Json]:
        """The chat as lists show it."""
        return {"__typename": "Chat", "id": self.id, "chatId": self.chat_id, "chatCode": self.code, "title": self.title}


@dataclass(slots=True)
class KnowledgeSource:
    """One document of an account's knowledge base."""

    source_id: int
    title: str
    content: str


@dataclass(slots=True)
class Charge:
    """Points that an account paid at `at`, for an answer (`message_id`) or elsewhere. Exact, and never taken back."""

    charge_id: int
    at: int
    bot: str
    bot_id: int
    points: int
    chat_id: int | None = None
    message_id: int | None = None
    question: str = ""
    """The message that it paid for; empty for what was spent elsewhere."""


@dataclass(slots=True)
class SimulatedAccount:
    """One account. Everything may be changed while the simulator runs; times are microseconds since 1970.

    `points` is what is left of the allotment, `addon_points` what was bought on top and is spent last. `signed_out`
    makes the cookie invalid, as when it has expired. `peak_concurrency` is the largest number of answers that ran at
    once.
    """

    p_b: str
    points: int = 3000
    subscribed: bool = True
    allotment: int = 3000
    addon_points: int = 0
    next_grant: int = 0
    handle: str | None = None
    form_key: str = field(default_factory=lambda: secrets.token_hex(16))
    signed_out: bool = False
    chats: dict[int, Chat] = field(default_factory=dict)
    knowledge: dict[int, KnowledgeSource] = field(default_factory=dict)
    hidden_bots: set[int] = field(default_factory=set)
    uploads: dict[str, Attachment] = field(default_factory=dict)
    channel: Channel = field(default_factory=Channel)
    charges: list[Charge] = field(default_factory=list)
    running: int = 0
    peak_concurrency: int = 0

    @property
    def spent(self) -> int:
        """Points of all charges."""
        return sum(charge.points for charge in self.charges)

    @property
    def messages(self) -> list[Message]:
        """All messages of all chats, in the order in which they were made."""
        return sorted((m for chat in self.chats.values() for m in chat.messages), key=lambda m: m.message_id)

    def find_message(self, message_id: int) -> tuple[Chat, Message] | None:
        """A message and its chat."""
        return next(((c, m) for c, m in self._all() if m.message_id == message_id), None)

    def _all(self) -> Iterator[tuple[Chat, Message]]:
        return ((chat, message) for chat in self.chats.values() for message in chat.messages)

    def grant_if_due(self, now: int) -> None:
        """Refill the allotment each time its grant time has passed, a day apart."""
        if now >= self.next_grant:
            self.points = self.allotment
            missed_days = (now - self.next_grant) // DAY_MICROSECONDS
            self.next_grant += (missed_days + 1) * DAY_MICROSECONDS

    def spend(self, cost: int) -> bool:
        """Take `cost` points, or nothing and False if there are not so many."""
        if self.points + self.addon_points < cost:
            return False
        from_allotment = min(self.points, cost)
        self.points -= from_allotment
        self.addon_points -= cost - from_allotment
        return True
