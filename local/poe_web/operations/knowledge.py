"""The account's knowledge base."""

from __future__ import annotations

from pathlib import PurePosixPath

from local.poe_web.accounts import KnowledgeSource
from local.poe_web.operations.query import Data, Query, QueryFailed, operation
from local.poe_web.uploads import CONTENT_TYPES

_LARGEST = 50 * 1024 * 1024


def _refused(status: str) -> Data:
    return {"knowledgeSourceCreate": {"status": status, "source": None}}


@operation("Knowledge_CreateKnowledgeSourceMutation")
def create(query: Query) -> Data:
    """A new source, from a title and a text, or from the uploaded part `file`."""
    source_input = query.get("sourceInput", dict)
    if list(source_input) == ["text_input"]:
        given = source_input["text_input"]
        if not isinstance(given, dict) or not all(isinstance(given.get(key), str) for key in ("title", "content")):
            raise QueryFailed("text_input has a title and a content")
        return _created(query, given["title"], given["content"])
    if source_input == {"file_upload": {"attachment": "file"}}:
        label = "file"
    elif source_input == {"file_upload": {"attachment": None}}:
        label = "variables.sourceInput.file_upload.attachment"
    else:
        raise QueryFailed("sourceInput has either a text_input or a file_upload")
    file = query.files.get(label)
    if file is None:
        raise QueryFailed("the part 'file' is missing")
    if PurePosixPath(file.name).suffix.lower() not in CONTENT_TYPES:
        return _refused("unsupported_file_type")
    if file.size > _LARGEST:
        return _refused("file_too_large")
    stored = query.world.files[file.attachment_id]
    return _created(query, file.name, stored.data.decode("utf-8", "replace"))


def _created(query: Query, title: str, content: str) -> Data:
    source = KnowledgeSource(next(query.world.source_ids), title, content)
    query.account.knowledge[source.source_id] = source
    return {
        "knowledgeSourceCreate": {
            "status": "success",
            "source": {"title": source.title, "knowledgeSourceId": source.source_id},
        }
    }


@operation("Knowledge_EditKnowledgeSourceMutation")
def edit(query: Query) -> Data:
    """Change title or content of a source; null leaves it as it is."""
    source = query.account.knowledge.get(query.get("knowledgeSourceId", int))
    given = query.get("sourceInput", dict).get("text_input")
    if source is None or not isinstance(given, dict):
        raise QueryFailed("there is no such source, or no text_input")
    title, content = given.get("title"), given.get("content")
    source.title = title if isinstance(title, str) else source.title
    source.content = content if isinstance(content, str) else source.content
    return {"knowledgeSourceEdit": {"status": "success"}}


@operation("BotKnowledgeSourcesModalPaginationQuery")
def sources_of_bot(query: Query) -> Data:
    """A page of a bot's sources, for its creator. Cursors are positions, from 0; `after` is exclusive."""
    bot = query.world.bots.by_id(query.node("Bot"))
    if bot is None or bot.owner != query.account.p_b:
        raise QueryFailed("the account has created no such bot")
    after, first = query.get("after", str, "-1"), query.get("first", int)
    if not after.removeprefix("-").isdecimal():
        raise QueryFailed("this cursor was not given out")
    start = int(after) + 1
    known = [query.account.knowledge[n] for n in bot.knowledge_ids if n in query.account.knowledge]
    edges = [
        {"cursor": str(start + i), "node": {"title": s.title, "knowledgeSourceId": s.source_id}}
        for i, s in enumerate(known[start : start + first])
    ]
    info = {"hasNextPage": start + first < len(known), "endCursor": edges[-1]["cursor"] if edges else after}
    return {"node": {"id": bot.id, "knowledgeSourceConnection": {"edges": edges, "pageInfo": info}}}
