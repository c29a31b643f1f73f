"""Methods for bots and knowledge, with the published package's names and parameters."""

from __future__ import annotations

import asyncio
import secrets
import string
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal, TypeVar

from reverse.chat import Attachment
from reverse.compat._connection import Connection
from reverse.file_sources import attachment_from
from reverse.web import BotDraft

T = TypeVar("T")
KnowledgeIds = Mapping[str, Iterable[int]] | None
_HANDLE_ALPHABET = string.ascii_letters + string.digits


class BotMethods(Connection):
    """Finding, making and feeding bots. Every method raises `PoeError`."""

    async def get_botInfo(self, handle: str) -> dict[str, Any]:
        """What Poe says about a bot, with its own names. Raises `BOT_NOT_FOUND`."""
        bot = await self.client.bots.info(handle, fresh=True)
        expected = ("handle", "model", "supportsFileUpload", "messageTimeoutSecs", "viewerIsCreator", "id")
        return {**dict.fromkeys(expected), **bot.raw, "controls": bot.controls}

    async def get_botData(self, handle: str) -> dict[str, Any]:
        """What the page beside a chat says about a bot, as Poe sends it."""
        return (await self.client.bots.details(handle)).raw

    async def get_available_bots(self, count: int = 25, get_all: bool = False) -> dict[str, dict[str, Any]]:
        """The bots in the account's own list: `{handle: {"bot": ...}}`."""
        bots = await _take(self.client.bots.available(), None if get_all else count)
        return {bot.handle: {"bot": bot.raw} for bot in bots}

    async def get_user_bots(self, user: str) -> list[str]:
        """The handles of the bots that a person created."""
        return list(await self.client.bots.of_user(user))

    async def get_available_categories(self) -> list[str]:
        """The categories in which bots can be explored."""
        return list(await self.client.bots.categories())

    async def explore(
        self,
        categoryName: str = "defaultCategory",
        search: str | None = None,
        entity_type: Literal["bot", "user"] = "bot",
        count: int = 50,
        explore_all: bool = False,
    ) -> list[str]:
        """The handles of a category's bots, or those of bots or people that match `search`."""
        found = self.client.bots.explore(categoryName)
        if search is not None:
            found = self.client.bots.search(search, kind=entity_type)
        return await _take(found, None if explore_all else count)

    async def get_available_creation_models(self) -> dict[str, list[str]]:
        """The models on which this account can build bots, by what they make."""
        models = await self.client.bots.creation_models()
        return {"text": list(models.text), "image": list(models.image), "video": list(models.video)}

    async def create_bot(  # noqa: PLR0917 - the original's signature
        self,
        handle: str,
        prompt: str,
        display_name: str | None = None,
        base_model: str = "chinchilla",
        botCategory: int | None = None,
        description: str = "",
        intro_message: str = "",
        api_key: str | None = None,
        api_bot: bool = False,
        api_url: str | None = None,
        prompt_public: bool = True,
        pfp_url: str | None = None,
        markdown_rendering: bool = True,
        suggested_replies: bool = False,
        private: bool = False,
        temperature: float | None = None,
        customMessageLimit: int | None = None,
        messagePriceCc: int | None = None,
        shouldCiteSources: bool = True,
        knowledgeSourceIds: KnowledgeIds = None,
        allowRelatedBotRecommendations: bool = True,
        inviteCodeReqHash: str | None = None,
    ) -> None:
        """Create a bot. An account without a public name needs `complete_profile` first."""
        draft = BotDraft(
            handle=handle,
            prompt=prompt,
            display_name=display_name,
            base_model=base_model,
            category=botCategory,
            description=description,
            introduction=intro_message,
            api_key=api_key,
            is_api_bot=api_bot,
            api_url=api_url,
            is_prompt_public=prompt_public,
            profile_picture_url=pfp_url,
            has_markdown=markdown_rendering,
            has_suggested_replies=suggested_replies,
            is_private=private,
            temperature=temperature,
            message_limit=customMessageLimit,
            message_price=messagePriceCc,
            cites_sources=shouldCiteSources,
            knowledge_source_ids=_flat(knowledgeSourceIds),
            allows_related_bots=allowRelatedBotRecommendations,
            invite_code=inviteCodeReqHash,
        )
        await self.client.bots.create(draft)

    async def edit_bot(  # noqa: PLR0917 - the original's signature
        self,
        handle: str,
        prompt: str,
        display_name: str | None = None,
        base_model: str = "chinchilla",
        botCategory: int | None = None,
        description: str = "",
        intro_message: str = "",
        api_key: str | None = None,
        api_url: str | None = None,
        prompt_public: bool = True,
        pfp_url: str | None = None,
        markdown_rendering: bool = True,
        suggested_replies: bool = False,
        private: bool = False,
        temperature: float | None = None,
        customMessageLimit: int | None = None,
        messagePriceCc: int | None = None,
        shouldCiteSources: bool = True,
        allowRelatedBotRecommendations: bool = True,
        new_handle: str | None = None,
        knowledgeSourceIdsToAdd: KnowledgeIds = None,
        knowledgeSourceIdsToRemove: KnowledgeIds = None,
    ) -> dict[str, Any]:
        """Replace everything about a bot of this account; returns `{"status", "botId", "handle"}`."""
        draft = BotDraft(
            handle=new_handle or handle,
            prompt=prompt,
            display_name=display_name,
            base_model=base_model,
            category=botCategory,
            description=description,
            introduction=intro_message,
            api_key=api_key,
            api_url=api_url,
            is_prompt_public=prompt_public,
            profile_picture_url=pfp_url,
            has_markdown=markdown_rendering,
            has_suggested_replies=suggested_replies,
            is_private=private,
            temperature=temperature,
            message_limit=customMessageLimit,
            message_price=messagePriceCc,
            cites_sources=shouldCiteSources,
            allows_related_bots=allowRelatedBotRecommendations,
            knowledge_source_ids=_flat(knowledgeSourceIdsToAdd),
            removed_knowledge_source_ids=_flat(knowledgeSourceIdsToRemove),
        )
        bot_id = await self.client.bots.edit(handle, draft)
        return {"status": "success", "botId": bot_id, "handle": draft.handle}

    async def delete_bot(self, handle: str) -> None:
        """Delete a bot of this account, or take somebody else's off its list."""
        await self.client.bots.delete(handle)

    async def complete_profile(self, handle: str | None = None) -> None:
        """Give the account its public name; a random one where none is given."""
        await self.client.bots.complete_profile(handle or "".join(secrets.choice(_HANDLE_ALPHABET) for _ in range(10)))

    async def upload_knowledge(
        self,
        file_path: Sequence[str | Path | Attachment] = (),
        text_knowledge: Sequence[Mapping[str, str]] = (),
    ) -> dict[str, list[int]]:
        """Add files and texts (`{"title", "content"}`) to the knowledge base; returns `{title: [ids]}`."""
        files = [await asyncio.to_thread(attachment_from, source) for source in file_path]
        added = [await self.client.knowledge.add_file(file) for file in files]
        added += [await self.client.knowledge.add_text(text["title"], text["content"]) for text in text_knowledge]
        return _by_title((source.title, source.source_id) for source in added)

    async def edit_knowledge(
        self, knowledgeSourceId: int, title: str | None = None, content: str | None = None
    ) -> None:
        """Change a source's title or content."""
        await self.client.knowledge.edit(knowledgeSourceId, title=title, content=content)

    async def get_available_knowledge(
        self, botName: str, count: int = 10, get_all: bool = False
    ) -> dict[str, list[int]]:
        """The sources of a bot of this account, from the first on: `{title: [ids]}`."""
        found = await _take(self.client.knowledge.of_bot(botName), None if get_all else count)
        return _by_title((source.title, source.source_id) for source in found)


async def _take(items: AsyncGenerator[T, None], count: int | None) -> list[T]:
    """The first `count` items, or all; no page is fetched that is not needed."""
    taken: list[T] = []
    async with aclosing(items):
        while count is None or len(taken) < count:
            try:
                taken.append(await anext(items))
            except StopAsyncIteration:
                break
    return taken


def _flat(ids: KnowledgeIds) -> list[int]:
    return [number for numbers in (ids or {}).values() for number in numbers]


def _by_title(sources: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for title, number in sources:
        found.setdefault(title, []).append(number)
    return found
