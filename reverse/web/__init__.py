"""Poe's web side, as a browser session sees it. Unofficial: it can break any day, and says so with typed errors."""

from reverse.web._bots import BotDraft, Bots
from reverse.web._chats import Chats
from reverse.web._groups import Group, GroupDelta, GroupMember, choose_speaker, count_mentions
from reverse.web._knowledge import Knowledge
from reverse.web._models import (
    AccountSettings,
    BotInfo,
    ChatSummary,
    Citation,
    CreationModels,
    KnowledgeSource,
    StoredMessage,
    Subscription,
)
from reverse.web._paging import Page
from reverse.web._plumbing import Plumbing
from reverse.web._upload import attachment_from_path
from reverse.web.client import PoeWebClient

__all__ = [
    "AccountSettings",
    "BotDraft",
    "BotInfo",
    "Bots",
    "ChatSummary",
    "Chats",
    "Citation",
    "CreationModels",
    "Group",
    "GroupDelta",
    "GroupMember",
    "Knowledge",
    "KnowledgeSource",
    "Page",
    "Plumbing",
    "PoeWebClient",
    "StoredMessage",
    "Subscription",
    "attachment_from_path",
    "choose_speaker",
    "count_mentions",
]
