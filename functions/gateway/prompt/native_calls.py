"""Tool calls of models that know tools natively: whether one came that had to, and what came along with them.

Not every endpoint of Poe's official API passes `tool_choice` on, and not every model keeps to it: a demanded call is
looked for.

Gemini 3 signs its thoughts in `extra_content` of a call and refuses the call's result without the signature
(docs/reference/poe-official.md#tool-calls). Most clients drop fields that they do not know: what came is remembered for
callers that send only the calls' ids back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from accounts import AccountStore, AccountStoreError
from gateway.http.request_log import Journal
from gateway.prompt.answer_readers import AnswerReader, Correction, Failure
from gateway.prompt.tool_specs import ToolSpecs
from reverse.chat import Message, ToolCall
from reverse.events import Event, FinishReason, RefusalDelta, TextDelta, TextReplaced, ToolCallDelta

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


_MISSING = Failure("The model did not call a tool as it had to.", "tool_call_missing")


class RequiredCallReader(AnswerReader):
    """Holds text back until a call comes that was asked for; calls of other tools than a named one are left out."""

    def __init__(self, specs: ToolSpecs) -> None:
        self._named: str | None = specs.choice["function"]["name"] if isinstance(specs.choice, Mapping) else None
        self._held: list[str] = []
        # Our numbers of the calls that are passed on, by the upstream's.
        self._renumbered: dict[int, int] = {}
        # A model that declines in so many words has answered.
        self._is_refused = False
        self._is_second = False

    def feed(self, event: Event) -> list[Event]:
        match event:
            case RefusalDelta():
                self._is_refused = True
            case ToolCallDelta():
                return self._call(event)
            case TextDelta(text) if not self._renumbered:
                self._held.append(text)
                return []
            case TextReplaced(text) if not self._renumbered:
                self._held = [text]
                return []
        return [event]

    def finish(self, reason: FinishReason) -> list[Event]:
        is_second, self._is_second = self._is_second, True
        self.correction = self.failure = None
        is_whole = reason in (FinishReason.STOP, FinishReason.TOOL_CALLS)
        if self._renumbered or self._is_refused or not is_whole:
            # Cut short: callers learn it from the finish reason, and get what there is.
            return self._release()
        if not is_second:
            self.correction = Correction(self._what_to_do(), answer="".join(self._held))
        self._held = []
        self.failure = _MISSING
        return []

    def reason(self, reason: FinishReason) -> FinishReason:
        return FinishReason.TOOL_CALLS if self._renumbered and reason is FinishReason.STOP else reason

    def _call(self, event: ToolCallDelta) -> list[Event]:
        if event.index not in self._renumbered:
            if self._named is not None and event.name != self._named:
                return []
            self._renumbered[event.index] = len(self._renumbered)
        return [*self._release(), replace(event, index=self._renumbered[event.index])]

    def _release(self) -> list[Event]:
        text, self._held = "".join(self._held), []
        return [TextDelta(text)] if text else []

    def _what_to_do(self) -> str:
        tool = f"the tool {self._named}" if self._named else "at least one of the tools"
        return f"Your answer can't be used: no tool was called as asked. Call {tool} now."
