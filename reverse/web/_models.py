"""Typed values that the web client returns besides events, and how they are read from Poe's JSON.

Readers take untrusted JSON and give a value or `None`; they never raise. Times are epoch seconds.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any

from lazy_dataclasses import dataclass
from reverse.chat import ChatRef, PointsReading, PointsSpent
from reverse.errors import PoeError
from reverse.web._protocol import File, clean, integer, load_object, mapping, number_of, parse_files, sequence

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """The account's plan, as far as Poe says."""

    is_active: bool
    plan: str | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Points and plan of an account. `subscription_points` and `addon_points` are the newer split of the balance."""

    points: PointsReading
    subscription: Subscription | None = None
    subscription_points: int | None = None
    addon_points: int | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)
    """`subscription` and `messagePointInfo` as Poe sent them."""


@dataclass(frozen=True, slots=True)
class BotInfo:
    """A bot, as this account sees it. `None` where Poe does not say."""

    handle: str
    id: str | None = None
    bot_id: int | None = None
    display_name: str | None = None
    model: str | None = None
    description: str | None = field(default=None, repr=False)
    accepts_files: bool | None = None
    accepts_images: bool | None = None
    max_file_bytes: int | None = None
    price_points: int | None = None
    """Points per message, where the bot has a fixed price."""
    can_access: bool | None = None
    is_down: bool | None = None
    is_official: bool | None = None
    is_own: bool | None = None
    """Whether this account created it."""
    controls: dict[str, Any] | None = field(default=None, repr=False)
    """The options that the bot offers (`parameters` of a request), as its own definition describes them."""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ChatSummary:
    """A chat in a list; `bot` is the display name of its bot, where the list says."""

    chat_id: int
    chat_code: str | None = None
    title: str | None = field(default=None, repr=False)
    bot: str | None = None
    id: str | None = None

    @property
    def ref(self) -> ChatRef:
        """What a `ChatRequest` needs to continue the chat."""
        return ChatRef(self.chat_id, self.chat_code)


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message in a chat's history. `author` is "human", "chat_break" or the bot's name."""

    message_id: int
    author: str
    text: str = field(repr=False)
    state: str = "complete"
    content_type: str = "text_markdown"
    created_at: float | None = None
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True)
class KnowledgeSource:
    """A document that bots can draw on."""

    source_id: int
    title: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A source that an answer names."""

    title: str | None
    url: str | None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class CreationModels:
    """The models on which this account can build bots."""

    text: tuple[str, ...] = ()
    image: tuple[str, ...] = ()
    video: tuple[str, ...] = ()


def read_points_spent(node: dict[str, Any]) -> PointsSpent:
    """Read an entry of the points history. Source: docs/reference/poe-web.md#bots-and-account."""
    return PointsSpent(
        query_id=text_or_none(node.get("id")) or "",
        spent_at=epoch_seconds(node.get("creationTime")),
        bot=text_or_none(mapping(node.get("bot")).get("displayName")) or "",
        points=integer(node.get("pointCost")),
    )


def read_settings(viewer: dict[str, Any]) -> AccountSettings:
    """Read `data.viewer` of `SettingsPageQuery`; both generations of its keys.

    Source: docs/reference/poe-web.md#bots-and-account.
    """
    info, plan = mapping(viewer.get("messagePointInfo")), mapping(viewer.get("subscription"))
    granted, added = integer(info.get("subscriptionPointBalance")), integer(info.get("addonPointBalance"))
    balance = integer(info.get("messagePointBalance"))
    # The newer split counts where it is there (docs/reference/poe-web.md#bots-and-account).
    if granted is not None or added is not None:
        balance = (granted or 0) + (added or 0)
    next_grant = epoch_seconds(info.get("computePointNextGrantTime"))
    if next_grant is None:
        # The older generation's name.
        next_grant = epoch_seconds(info.get("messagePointResetTime"))
    # Without a plan Poe sends null: that is an answer. A viewer without the key says nothing.
    is_active = plan.get("isActive") is True
    points = PointsReading(
        balance=balance,
        subscribed=is_active if "subscription" in viewer else None,
        allotment=integer(info.get("totalMessagePointAllotment")),
        addon=added,
        next_grant_at=next_grant,
    )
    kind = text_or_none(plan.get("planType"))
    subscription = Subscription(is_active, kind, epoch_seconds(plan.get("expiresTime"))) if plan else None
    raw = {"subscription": viewer.get("subscription"), "messagePointInfo": viewer.get("messagePointInfo")}
    return AccountSettings(points, subscription, granted, added, raw)


def read_bot(node: dict[str, Any]) -> BotInfo | None:
    """Read a bot object; `None` where it has no handle."""
    handle = text_or_none(node.get("handle"))
    if handle is None:
        return None
    price = integer(mapping(node.get("messagePointLimit")).get("displayMessagePointPrice"))
    if price is None:
        # Elsewhere in some answers.
        price = integer(mapping(node.get("botPricing")).get("standardMessagePrice"))
    bot_id = integer(node.get("botId"))
    return BotInfo(
        handle,
        text_or_none(node.get("id")),
        # Some answers have the relay-style id only.
        bot_id if bot_id is not None else number_of(node.get("id")),
        text_or_none(node.get("displayName")),
        text_or_none(node.get("model")),
        text_or_none(node.get("description")),
        _flag(node.get("supportsFileUpload")),
        _flag(node.get("allowsImageAttachments")),
        integer(node.get("uploadFileSizeLimit")),
        price,
        _flag(node.get("canUserAccessBot")),
        _flag(node.get("isDown")),
        _flag(node.get("isOfficialBot")),
        _flag(node.get("viewerIsCreator")),
        _object_in_text(node.get("customUIDefinition")),
        node,
    )


def read_chat(node: dict[str, Any]) -> ChatSummary | None:
    """Read a chat of a list or page; `None` where it has no id."""
    chat_id = integer(node.get("chatId"))
    chat_id = chat_id if chat_id is not None else number_of(node.get("id"))
    if chat_id is None:
        return None
    bot = text_or_none(mapping(node.get("defaultBotObject")).get("displayName"))
    code, title = text_or_none(node.get("chatCode")), text_or_none(node.get("title"))
    return ChatSummary(chat_id, code, title, bot, text_or_none(node.get("id")))


def read_stored_message(node: dict[str, Any]) -> StoredMessage | None:
    """Read a message of a history; `None` where it has no id."""
    message_id = integer(node.get("messageId"))
    if message_id is None:
        return None
    return StoredMessage(
        message_id,
        text_or_none(node.get("author")) or "",
        text_or_none(node.get("text")) or "",
        text_or_none(node.get("state")) or "complete",
        text_or_none(node.get("contentType")) or "text_markdown",
        epoch_seconds(node.get("creationTime")),
        parse_files(node.get("attachments")),
    )


def read_knowledge_source(node: dict[str, Any]) -> KnowledgeSource | None:
    """Read a knowledge source; `None` where it has no id."""
    source_id = integer(node.get("knowledgeSourceId"))
    return None if source_id is None else KnowledgeSource(source_id, text_or_none(node.get("title")) or "")


def read_citation(node: dict[str, Any]) -> Citation:
    """Read one citation; its shape is known from one sample only, so the raw object stays with it."""
    return Citation(text_or_none(node.get("title")), text_or_none(node.get("url")), node)


def read_creation_models(viewer: dict[str, Any]) -> CreationModels:
    """Read the models on which bots can be built: what makes neither images nor videos makes text.

    Source: docs/reference/poe-web.md#bot-editing.
    """
    found: dict[str, list[str]] = {"text": [], "image": [], "video": []}
    for node in map(mapping, sequence(viewer.get("botsAllowedForUserCreation"))):
        kind = "image" if node.get("isImageGen") is True else "video" if node.get("isVideoGen") is True else "text"
        if (model := text_or_none(node.get("model"))) is not None:
            found[kind].append(model)
    return CreationModels(**{kind: tuple(models) for kind, models in found.items()})


def epoch_seconds(value: object) -> float | None:
    """A time in Poe's microseconds since the epoch."""
    microseconds = integer(value)
    # A number that no clock will show is no time; dividing it could overflow.
    return microseconds / _MICROSECONDS if microseconds and 0 < microseconds < 1 << 63 else None


def text_or_none(value: object) -> str | None:
    """The value if it is text, in a form that can be encoded."""
    return clean(value) if isinstance(value, str) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _object_in_text(value: object) -> dict[str, Any] | None:
    """A JSON object that Poe sends as text inside a string."""
    try:
        return load_object(value) if isinstance(value, str) else None
    except PoeError:
        return None
