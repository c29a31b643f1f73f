"""Knowledge sources of the account's own bots: adding, editing and listing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from reverse.chat import Attachment
from reverse.errors import ErrorCode, poe_error
from reverse.web._bots import Bots
from reverse.web._graphql import GraphQL
from reverse.web._models import KnowledgeSource, read_knowledge_source, text_or_none
from reverse.web._paging import Cursor, Page, each, next_cursor, nodes_of
from reverse.web._protocol import mapping
from reverse.web._refusals import refusal
from reverse.web._transport import Part
from reverse.web._upload import Sources

_CREATE = "Knowledge_CreateKnowledgeSourceMutation"
_EDIT = "Knowledge_EditKnowledgeSourceMutation"


class Knowledge:
    """The account's knowledge sources; `client.knowledge`. Every method raises `PoeError`."""

    def __init__(self, graphql: GraphQL, bots: Bots, sources: Sources) -> None:
        self._graphql = graphql
        self._bots = bots
        self._sources = sources

    async def add_text(self, title: str, content: str) -> KnowledgeSource:
        """Add a text."""
        return await self._create({"text_input": {"title": title, "content": content}}, ())

    async def add_file(self, attachment: Attachment) -> KnowledgeSource:
        """Add a file."""
        file = await self._sources.read(attachment)
        # The name of the part is fixed, also when the call is repeated (docs/reference/poe-web.md#multipart-calls).
        part = Part("file", file.data, file.name, file.content_type)
        return await self._create({"file_upload": {"attachment": "file"}}, (part,))

    async def _create(self, source_input: dict[str, Any], parts: tuple[Part, ...]) -> KnowledgeSource:
        data = await self._graphql.mutate(_CREATE, {"sourceInput": source_input}, parts=parts)
        result = mapping(data.get("knowledgeSourceCreate"))
        if result.get("status") != "success":
            raise refusal(text_or_none(result.get("status")) or "unknown", operation=_CREATE)
        source = read_knowledge_source(mapping(result.get("source")))
        if source is None:
            raise poe_error(ErrorCode.PROTOCOL, "Poe named no source", operation=_CREATE)
        return source

    async def edit(self, source_id: int, *, title: str | None = None, content: str | None = None) -> None:
        """Change a source's title or content; `None` leaves it as it is."""
        source_input = {"text_input": {"title": title, "content": content}}
        data = await self._graphql.mutate(_EDIT, {"knowledgeSourceId": source_id, "sourceInput": source_input})
        result = mapping(data.get("knowledgeSourceEdit"))
        if result.get("status") != "success":
            raise refusal(text_or_none(result.get("status")) or "unknown", operation=_EDIT)

    async def of_bot(self, handle: str, *, page_size: int = 50) -> AsyncGenerator[KnowledgeSource, None]:
        """The sources of a bot that this account created, from the first on."""
        # Fresh, because whose bot it is decides, and what is kept may be an hour old.
        bot = await self._bots.info(handle, fresh=True)
        if not bot.is_own or bot.id is None:
            raise poe_error(ErrorCode.BOT_ACCESS_DENIED, "the account did not create this bot")

        async def fetch(cursor: Cursor | None) -> Page[KnowledgeSource]:
            variables = {"after": cursor, "first": page_size, "id": bot.id}
            data = await self._graphql.query("BotKnowledgeSourcesModalPaginationQuery", variables)
            connection = mapping(data.get("node")).get("knowledgeSourceConnection")
            found = (read_knowledge_source(node) for node in nodes_of(connection))
            return Page(tuple(source for source in found if source), next_cursor(connection))

        async for source in each(fetch):
            yield source
