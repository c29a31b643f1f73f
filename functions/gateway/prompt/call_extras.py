"""What came with tool calls, remembered for callers that send only the calls' ids back.

Gemini 3 signs its thoughts in `extra_content` of a call and refuses the call's result without the signature
(docs/reference/poe-official.md#tool-calls). Most clients drop fields that they do not know.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from accounts import AccountStore, AccountStoreError
from gateway.http.request_log import Journal
from reverse.chat import Message, ToolCall
from reverse.events import Event, ToolCallDelta

KIND = "call_extra"
KEPT_SECONDS = 30 * 86400.0
# Only these models are known to want anything back.
_FAMILY = "gemini"
# The provider checks the calls since the user's last words; more of them in one turn are left to it.
MAX_CALLS = 32


class CallExtras:
    """What came with the calls of one answer."""

    def __init__(self) -> None:
        self.found: dict[str, Mapping[str, Any]] = {}
        """By the call's id."""
        self._ids: dict[int, str] = {}

    def note(self, event: Event) -> None:
        """Take in an event of the answer."""
        if not isinstance(event, ToolCallDelta):
            return
        if event.id is not None:
            self._ids[event.index] = event.id
        call_id = self._ids.get(event.index)
        if event.extra_content and call_id is not None:
            self.found[call_id] = event.extra_content

    async def save(self, store: AccountStore, key_id: str) -> None:
        """Remember them. Raises what the store raises."""
        await asyncio.gather(
            *(
                store.put_document(
                    KIND, key_id, _document_id(call_id), {"extra_content": dict(extra)}, ttl_seconds=KEPT_SECONDS
                )
                for call_id, extra in self.found.items()
            )
        )


async def with_extras(
    turns: Sequence[Message], *, bot: str, key_id: str, store: AccountStore, journal: Journal
) -> tuple[Message, ...]:
    """The turns with what came with their calls, where the model may want it and the caller left it out.

    What the store can't say is left to the provider.
    """
    wanted = _wanted(turns) if _FAMILY in bot.lower() else []
    if not wanted:
        return tuple(turns)
    try:
        documents = await asyncio.gather(
            *(store.get_document(KIND, key_id, _document_id(call_id)) for call_id in wanted)
        )
    except AccountStoreError as error:
        journal.event("call_extra.read_failed", code=type(error).__name__)
        return tuple(turns)
    found = {
        call_id: document["extra_content"]
        for call_id, document in zip(wanted, documents, strict=True)
        if document is not None
    }
    return tuple(_restored(turn, found) for turn in turns) if found else tuple(turns)


def _wanted(turns: Sequence[Message]) -> list[str]:
    """Ids of the calls since the user's last words that came without anything."""
    ids: dict[str, None] = {}
    for turn in reversed(turns):
        if turn.role == "user":
            break
        ids |= {call.id: None for call in turn.tool_calls if not call.extra_content}
    return [*ids][:MAX_CALLS]


def _restored(turn: Message, found: Mapping[str, Mapping[str, Any]]) -> Message:
    if not any(call.id in found and not call.extra_content for call in turn.tool_calls):
        return turn

    def restored(call: ToolCall) -> ToolCall:
        return call if call.extra_content else replace(call, extra_content=found.get(call.id))

    return replace(turn, tool_calls=tuple(restored(call) for call in turn.tool_calls))


def _document_id(call_id: str) -> str:
    """Ids are the callers' words: of any form and length."""
    return hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()
