"""Data that a client has derived from Poe (form key, channel settings, bots), kept across clients as JSON.

Every value has a time or a rule by which it stops being believed; stale data costs a round trip, never an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from lazy_dataclasses import dataclass
from reverse.credentials import WebCredentials
from reverse.web._bundle import ChannelSettings, parse_channel_settings
from reverse.web._protocol import mapping

_VERSION = 1
_MAX_BOTS = 64
# A bot's price and limits change rarely, whether it is down more often.
BOT_MAX_AGE_SECONDS = 3600.0
# What is kept of a bot; longer texts are left out, because the session is stored with the account.
_BOT_KEYS = (
    "id",
    "botId",
    "handle",
    "displayName",
    "model",
    "description",
    "supportsFileUpload",
    "allowsImageAttachments",
    "uploadFileSizeLimit",
    "messagePointLimit",
    "botPricing",
    "canUserAccessBot",
    "isDown",
    "isOfficialBot",
    "viewerIsCreator",
    "customUIDefinition",
)
_MAX_TEXT = 4000


@dataclass(slots=True)
class Session:
    """The mutable state shared by the parts of one client; only its event loop touches it."""

    credentials: WebCredentials
    form_key: str | None = field(default=None, repr=False)
    channel: ChannelSettings | None = field(default=None, repr=False)
    channel_fetched_at: float = 0.0
    min_seq: int = 0
    """The last event known to have been read; where a new connection goes on."""
    bots: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What Poe said about bots, by handle in small letters, each with `fetched_at`."""

    @classmethod
    def load(cls, credentials: WebCredentials, data: Mapping[str, Any] | None) -> Session:
        """Start from what an earlier client left. Data of another account or of another form is ignored.

        Raises `ValueError`, naming no value, where a credential can't be sent in a header.
        """
        for value in (credentials.form_key, credentials.revision):
            if value and not _is_header_value(value):
                raise ValueError("a form key or revision has characters that can't be sent")
        session = cls(credentials, form_key=credentials.form_key or None)
        if not data or data.get("version") != _VERSION or data.get("account") != _fingerprint(credentials.p_b):
            return session
        form_key, replaced = data.get("form_key"), data.get("form_key_replaces")
        # A derived key outlives the user's only as long as the user has not supplied a new one.
        if isinstance(form_key, str) and _is_header_value(form_key) and replaced == _fingerprint(credentials.form_key):
            session.form_key = form_key
        stored = mapping(data.get("channel"))
        settings, fetched_at = parse_channel_settings(stored), stored.get("fetched_at")
        if settings is not None and isinstance(fetched_at, int | float):
            session.remember_channel(settings, float(fetched_at))
        bots = mapping(data.get("bots"))
        session.bots = {handle: bot for handle, bot in bots.items() if isinstance(bot, dict)}
        return session

    def dump(self) -> dict[str, Any]:
        """The session as JSON values; holds secrets. Empty when nothing was derived."""
        derived: dict[str, Any] = {}
        if self.form_key is not None and self.form_key != self.credentials.form_key:
            derived |= {"form_key": self.form_key, "form_key_replaces": _fingerprint(self.credentials.form_key)}
        if self.channel is not None:
            derived["channel"] = {
                **_wire(self.channel),
                "minSeq": str(self.min_seq),
                "fetched_at": self.channel_fetched_at,
            }
        if self.bots:
            derived["bots"] = self.bots
        if not derived:
            return {}
        return {"version": _VERSION, "account": _fingerprint(self.credentials.p_b), **derived}

    def remember_channel(self, settings: ChannelSettings, now: float) -> None:
        """Take over settings that Poe just gave."""
        # The count begins anew with new settings.
        self.channel, self.channel_fetched_at, self.min_seq = settings, now, settings.min_seq

    def remember_bot(self, handle: str, node: dict[str, Any], now: float) -> None:
        """Keep a bot's description; the oldest goes when there are too many."""
        # Taken out first, so that it moves to the end of the order in which they are dropped.
        self.forget_bot(handle)
        kept = {key: node[key] for key in _BOT_KEYS if key in node and len(str(node[key])) <= _MAX_TEXT}
        self.bots[handle.lower()] = {**kept, "fetched_at": now}
        while len(self.bots) > _MAX_BOTS:
            del self.bots[next(iter(self.bots))]

    def forget_bot(self, handle: str) -> None:
        """Believe nothing about a bot any more."""
        self.bots.pop(handle.lower(), None)

    def known_bot(self, handle: str, now: float) -> dict[str, Any] | None:
        """The bot's description, unless it is too old to be believed."""
        node = self.bots.get(handle.lower())
        fetched_at = node.get("fetched_at") if node else None
        if not isinstance(fetched_at, int | float) or now - fetched_at > BOT_MAX_AGE_SECONDS:
            return None
        return node


def _wire(settings: ChannelSettings) -> dict[str, str]:
    return {
        "channel": settings.channel,
        "channelHash": settings.channel_hash,
        "boxName": settings.box_name,
        "baseHost": settings.base_host,
    }


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.isprintable() and bool(text.strip())


def _fingerprint(secret: str | None) -> str | None:
    # Compared, never sent; the cookie itself must not be in stored data.
    return hashlib.sha256(secret.encode()).hexdigest()[:16] if secret else None
