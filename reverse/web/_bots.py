"""Bots: what Poe says about them, finding them, and those that the account makes itself."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import field
from http import HTTPStatus
from typing import Any, Literal

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.web._envelope import GENERIC_FAILURE
from reverse.web._graphql import GraphQL
from reverse.web._models import BotInfo, CreationModels, read_bot, read_creation_models, text_or_none
from reverse.web._operations import available_bots_variables
from reverse.web._paging import Cursor, Page, each, next_cursor, nodes_of
from reverse.web._protocol import integer, mapping, sequence
from reverse.web._refusals import refusal
from reverse.web._session import Session

_SEARCH_PAGE = 50
_EXPLORE_PAGE = 50
_HANDLE = re.compile(r"[A-Za-z0-9_.-]{4,20}")
# The relay connection from which a bot is taken when it is hidden from the account's list
# (docs/reference/poe-web.md#operations).
_LIST_CONNECTION = "client:Vmlld2VyOjA=:__HomeBotSelector_viewer_availableBotsConnection_connection"
_CATEGORIES = {"text": 1, "image": 2, "video": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class BotDraft:
    """A bot to create, or the new state of one to edit. Editing replaces everything.

    Source: docs/reference/poe-web.md#bot-editing.
    """

    handle: str
    """4 to 20 letters, digits, `_`, `.` or `-`."""
    prompt: str = field(default="", repr=False)
    base_model: str = "chinchilla"
    display_name: str | None = None
    category: int | None = None
    """1 prompt, 2 image, 3 video, 4 role play; `None` follows from the base model."""
    introduction: str = ""
    description: str = ""
    is_prompt_public: bool = True
    is_private: bool = False
    profile_picture_url: str | None = None
    api_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    is_api_bot: bool = False
    has_markdown: bool = True
    has_suggested_replies: bool = False
    temperature: float | None = None
    message_limit: int | None = None
    message_price: int | None = None
    cites_sources: bool = True
    allows_related_bots: bool = True
    knowledge_source_ids: Sequence[int] = ()
    """When creating: its sources. When editing: sources to add."""
    removed_knowledge_source_ids: Sequence[int] = ()
    """When editing: sources to take away."""
    invite_code: str | None = field(default=None, repr=False)


class Bots:
    """Bots on Poe; `client.bots`. Every method raises `PoeError`."""

    def __init__(
        self, config: PoeConfig, graphql: GraphQL, session: Session, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._config = config
        self._graphql = graphql
        self._session = session
        self._wall_clock = wall_clock

    async def info(self, handle: str, *, fresh: bool = False) -> BotInfo:
        """What Poe says about a bot; up to an hour old unless `fresh`. Raises `BOT_NOT_FOUND`."""
        now = self._wall_clock()
        # Kept with the account's session, which outlives this client.
        known = None if fresh else self._session.known_bot(handle, now)
        node = known or await self._lookup("HandleBotLandingPageQuery", {"botHandle": handle})
        bot = read_bot(node)
        if bot is None:
            raise poe_error(ErrorCode.BOT_NOT_FOUND)
        if known is None:
            self._session.remember_bot(handle, node, now)
        return bot

    async def details(self, handle: str) -> BotInfo:
        """What the page beside a chat says about a bot; `raw` has all of it. Raises `BOT_NOT_FOUND`."""
        variables = {
            "useChat": False,
            "useBotName": True,
            "useBotId": False,
            "useShareCode": False,
            "usePostId": False,
            "chatCode": 0,
            "botName": handle,
            "botId": 0,
            "shareCode": "",
            "postId": 0,
        }
        node = await self._lookup("LayoutRightSidebarQuery", variables)
        # This query may answer without the handle.
        bot = read_bot({"handle": handle, **node})
        if bot is None:
            raise poe_error(ErrorCode.BOT_NOT_FOUND)
        return bot

    async def _lookup(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            data = await self._graphql.query(name, variables)
        except PoeError as error:
            # Poe answers for an unknown bot with an error of GraphQL; "Server Error" is what it says to a stale hash.
            if error.code is ErrorCode.UPSTREAM_FAILED and error.upstream_text not in (None, GENERIC_FAILURE):
                raise poe_error(ErrorCode.BOT_NOT_FOUND, operation=name) from error
            raise
        node = data.get("bot")
        if not isinstance(node, dict):
            raise poe_error(ErrorCode.BOT_NOT_FOUND, operation=name)
        return node

    def available(self, *, page_size: int = 10) -> AsyncGenerator[BotInfo, None]:
        """The bots in the account's own list."""

        async def fetch(cursor: Cursor | None) -> Page[BotInfo]:
            variables = available_bots_variables(self._config, cursor, page_size)
            data = await self._graphql.query("AvailableBotsSelectorModalPaginationQuery", variables)
            connection = mapping(data.get("viewer")).get("availableBotsConnection")
            # Deleted bots are listed, too, and marked.
            nodes = [node for node in nodes_of(connection) if node.get("deletionState", "not_deleted") == "not_deleted"]
            return Page(tuple(bot for node in nodes if (bot := read_bot(node))), next_cursor(connection))

        return each(fetch)

    async def categories(self) -> tuple[str, ...]:
        """The names of the categories in which bots can be explored."""
        data = await self._graphql.query("ExploreBotsIndexPageQuery", {"categoryName": "defaultCategory"})
        found = sequence(data.get("exploreBotsCategoryObjects"))
        return tuple(name for node in found if (name := text_or_none(mapping(node).get("categoryName"))))

    def explore(
        self, category: str = "defaultCategory", *, page_size: int = _EXPLORE_PAGE
    ) -> AsyncGenerator[str, None]:
        """The handles of a category's bots."""

        async def fetch(cursor: Cursor | None) -> Page[str]:
            variables: dict[str, Any] = {"categoryName": category, "count": page_size}
            if cursor is not None:
                variables["cursor"] = cursor
            data = await self._graphql.query("ExploreBotsListPaginationQuery", variables)
            edges = [mapping(edge) for edge in sequence(mapping(data.get("exploreBotsConnection")).get("edges"))]
            handles = (text_or_none(mapping(edge.get("node")).get("handle")) for edge in edges)
            # The page ends with its last edge's cursor; an empty page ends the list.
            last = edges[-1].get("cursor") if edges else None
            return Page(tuple(filter(None, handles)), last if isinstance(last, str) else None)

        return each(fetch)

    def search(self, text: str, *, kind: Literal["bot", "user"] = "bot") -> AsyncGenerator[str, None]:
        """The handles of bots, or of people, that match a text."""
        key = "handle" if kind == "bot" else "nullableHandle"

        async def fetch(cursor: Cursor | None) -> Page[str]:
            variables: dict[str, Any] = {"query": text, "entityType": kind, "count": _SEARCH_PAGE}
            if cursor is not None:
                variables["cursor"] = cursor
            data = await self._graphql.query("SearchResultsListPaginationQuery", variables)
            nodes = nodes_of(data.get("searchEntityConnection"))
            handles = (text_or_none(node.get(key)) for node in nodes)
            # The cursor is a position: the next page begins behind what has been seen.
            return Page(tuple(filter(None, handles)), int(cursor or 0) + len(nodes) if nodes else None)

        return each(fetch)

    async def of_user(self, handle: str) -> tuple[str, ...]:
        """The handles of the bots that a person created."""
        data = await self._graphql.query("HandleProfilePageQuery", {"handle": handle})
        user = data.get("user")
        if not isinstance(user, dict):
            raise poe_error(ErrorCode.INVALID_REQUEST, "there is no such user", operation="HandleProfilePageQuery")
        created = sequence(user.get("createdBots"))
        return tuple(name for node in created if (name := text_or_none(mapping(node).get("handle"))))

    async def creation_models(self) -> CreationModels:
        """The models on which this account can build bots."""
        data = await self._graphql.query("CreateBotIndexPageQuery", {"messageId": None})
        return read_creation_models(mapping(data.get("viewer")))

    async def complete_profile(self, handle: str) -> None:
        """Give the account its public name, which Poe wants before it lets the account create bots."""
        await self._graphql.mutate("NuxInitialModal_poeSetHandle_Mutation", {"handle": handle})
        await self._graphql.mutate("MarkMultiplayerNuxCompleted", {})

    async def create(self, draft: BotDraft) -> None:
        """Create a bot. An account without a public name must call `complete_profile` first: none is made up here."""
        # Before the mutation: what Poe refuses comes back as a sentence for people.
        category = await self._category(draft)
        await self._check_public_name()
        variables = {
            **_variables(draft, category),
            "model": draft.base_model,
            "isApiBot": draft.is_api_bot,
            "knowledgeSourceIds": list(draft.knowledge_source_ids),
            "inviteCodeReqHash": draft.invite_code,
        }
        data = await self._graphql.mutate("PoeBotCreate", variables)
        _check_status(data.get("poeBotCreate"), "PoeBotCreate")

    async def edit(self, handle: str, draft: BotDraft) -> int:
        """Replace everything about a bot of this account, its handle included; returns the bot's id."""
        category = await self._category(draft)
        bot_id = await self._own_bot(handle)
        variables = {
            **_variables(draft, category),
            "baseBot": draft.base_model,
            "botId": bot_id,
            "knowledgeSourceIdsToAdd": list(draft.knowledge_source_ids),
            "knowledgeSourceIdsToRemove": list(draft.removed_knowledge_source_ids),
        }
        data = await self._graphql.mutate("PoeBotEdit", variables)
        _check_status(data.get("poeBotEdit"), "PoeBotEdit")
        self._session.forget_bot(handle)
        return bot_id

    async def delete(self, handle: str) -> None:
        """Delete a bot of this account, or take somebody else's off the account's list."""
        bot = await self.details(handle)
        if bot.bot_id is None:
            raise poe_error(ErrorCode.PROTOCOL, "Poe gave no id for the bot")
        if bot.is_own:
            await self._graphql.mutate("BotInfoCardActionBar_poeBotDelete_Mutation", {"botId": bot.bot_id})
        else:
            # Somebody else's bot can only be hidden.
            variables = {"connections": [_LIST_CONNECTION], "botId": bot.bot_id}
            await self._graphql.mutate("BotInfoCardActionBar_poeRemoveBotFromUserList_Mutation", variables)
        self._session.forget_bot(handle)

    async def _check_public_name(self) -> None:
        """Tell Poe that the account knows what a public name is, which fails where it has none."""
        operation = "MarkMultiplayerNuxCompleted"
        try:
            await self._graphql.mutate(operation, {})
        except PoeError as error:
            is_answer = error.status == HTTPStatus.OK and error.code is ErrorCode.UPSTREAM_FAILED
            if not is_answer:
                raise
            raise poe_error(
                ErrorCode.INVALID_REQUEST,
                "the account seems to have no public name: call complete_profile first (if it has one, the operation's "
                "hash may be out of date)",
                operation=operation,
                status=error.status,
                upstream_text=error.upstream_text,
            ) from error

    async def _category(self, draft: BotDraft) -> int:
        """Check what Poe would only refuse in words, and find the category that belongs to the model."""
        if not _HANDLE.fullmatch(draft.handle):
            raise poe_error(ErrorCode.INVALID_REQUEST, "a bot's handle has 4 to 20 letters, digits, '_', '.' or '-'")
        models = await self.creation_models()
        for kind, category in _CATEGORIES.items():
            if draft.base_model in getattr(models, kind):
                return draft.category or category
        raise poe_error(ErrorCode.INVALID_REQUEST, "bots can't be built on this model")

    async def _own_bot(self, handle: str) -> int:
        bot = await self.details(handle)
        bot_id = integer(bot.bot_id)
        if not bot.is_own or bot_id is None:
            raise poe_error(ErrorCode.BOT_ACCESS_DENIED, "the account did not create this bot")
        return bot_id


def _variables(draft: BotDraft, category: int) -> dict[str, Any]:
    """What creating and editing have in common."""
    return {
        "botCategory": category,
        "displayName": draft.display_name,
        "handle": draft.handle,
        "prompt": draft.prompt,
        "isPromptPublic": draft.is_prompt_public,
        "introduction": draft.introduction,
        "description": draft.description,
        "profilePictureUrl": draft.profile_picture_url,
        "apiUrl": draft.api_url,
        "apiKey": draft.api_key,
        "hasMarkdownRendering": draft.has_markdown,
        "hasSuggestedReplies": draft.has_suggested_replies,
        "isPrivateBot": draft.is_private,
        "temperature": draft.temperature,
        "customMessageLimit": draft.message_limit,
        "messagePriceCc": draft.message_price,
        "shouldCiteSources": draft.cites_sources,
        "allowRelatedBotRecommendations": draft.allows_related_bots,
    }


def _check_status(result: object, operation: str) -> None:
    status = text_or_none(mapping(result).get("status"))
    if status != "success":
        raise refusal(status or "unknown", operation=operation)
