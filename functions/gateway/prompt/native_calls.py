"""What came along with the tool calls of an answer, remembered for callers that send only the calls' ids back.

Gemini 3 signs its thoughts in `extra_content` of a call and refuses the call's result without the signature
(docs/reference/poe-official.md#tool-calls). Claude seals its thinking, and goes on thinking after a call only if it
gets it back. Most clients drop fields that they do not know.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from accounts import AccountKind, AccountStore, AccountStoreError
from gateway.http.request_log import Journal
from reverse.chat import Message, Thinking, ToolCall
from reverse.events import Event, ReasoningDelta, ReasoningSigned, ToolCallDelta

KIND = "call_extra"
KEPT_SECONDS = 30 * 86400.0
# Only these models are known to want something back with each call.
_SIGNING_FAMILY = "gemini"
# These refuse calls that have none.
_SIGNING = "gemini-3"
# Only these models seal their thinking and take it back, while they go on with calls.
_THINKING_FAMILY = "claude"
# The newest calls of a conversation; what is older is left to the provider, which asks for those of the last step only.
MAX_CALLS = 32
# More does not fit an item of the table.
_MAX_CHARS = 200_000


class CallExtras:
    """What came with the calls of one answer."""

    def __init__(self) -> None:
        self.found: dict[str, Mapping[str, Any]] = {}
        """`extra_content` by the call's id."""
        self.thinking: list[Thinking] = []
        """What was thought before the calls, where it is sealed."""
        self._ids: dict[int, str] = {}
        self._thought: list[str] = []

    def note(self, event: Event) -> None:
        """Take in an event of the answer."""
        match event:
            case ReasoningDelta(text):
                self._thought.append(text)
            case ReasoningSigned(signature, is_redacted):
                # A redacted block has no text; what was thought so far belongs to the next seal.
                text = "" if is_redacted else "".join(self._thought)
                self.thinking.append(Thinking(text, signature, is_redacted))
                self._thought = self._thought if is_redacted else []
            case ToolCallDelta(index, extra_content=extra):
                # Only the first piece of a call has its id; the signature may come with a later one.
                if event.id is not None:
                    self._ids[index] = event.id
                call_id = self._ids.get(index)
                if extra and call_id is not None:
                    self.found[call_id] = extra

    async def save(self, store: AccountStore, key_id: str) -> None:
        """Remember them. Raises what the store raises."""
        documents: dict[str, dict[str, Any]] = {
            call_id: {"extra_content": dict(extra)} for call_id, extra in self.found.items()
        }
        # Without its thinking the step goes on without thinking, which is better than no answer.
        chars = sum(len(one.text) + len(one.signature) for one in self.thinking)
        if self._ids and self.thinking and chars <= _MAX_CHARS:
            # Thinking is of the whole answer: it is kept once, with the first call.
            first = documents.setdefault(self._ids[min(self._ids)], {})
            first["thinking"] = [asdict(one) for one in self.thinking]
        await asyncio.gather(
            *(
                store.put_document(KIND, key_id, _document_id(call_id), document, ttl_seconds=KEPT_SECONDS)
                for call_id, document in documents.items()
            )
        )


async def with_extras(
    turns: Sequence[Message], *, bot: str, thinks: bool, key_id: str, store: AccountStore, journal: Journal
) -> tuple[Message, ...]:
    """The turns with what came with their calls, where the model may want it and the caller left it out.

    `thinks` says that the model is asked to think. What the store can't say is left to the provider.
    """
    bot = bot.lower()
    wanted = _wanted(turns, bot, thinks=thinks)
    found = await _read(wanted, key_id, store, journal) if wanted else {}
    restored = tuple(_restored(turn, found) for turn in turns) if found else tuple(turns)
    return _without_unsigned(restored) if _SIGNING in bot else restored


async def _read(wanted: Sequence[str], key_id: str, store: AccountStore, journal: Journal) -> dict[str, Any]:
    try:
        documents = await asyncio.gather(
            *(store.get_document(KIND, key_id, _document_id(call_id)) for call_id in wanted)
        )
    except AccountStoreError as error:
        # The provider may still accept the calls, and says so itself if not.
        journal.event("call_extra.read_failed", code=type(error).__name__)
        return {}
    return {call_id: document for call_id, document in zip(wanted, documents, strict=True) if document is not None}


def _wanted(turns: Sequence[Message], bot: str, *, thinks: bool) -> list[str]:
    """Ids of the newest calls that came without anything."""
    ids: dict[str, None] = {}
    if _SIGNING_FAMILY in bot:
        calls = (call for turn in reversed(turns) for call in reversed(turn.tool_calls))
        ids = {call.id: None for call in calls if not call.extra_content}
    elif _THINKING_FAMILY in bot and thinks:
        for turn in reversed(turns):
            if turn.role == "user":
                break  # thinking before the user's last words is not read again
            ids |= {call.id: None for call in turn.tool_calls[:1] if not turn.thinking}
    return [*ids][:MAX_CALLS]


def _restored(turn: Message, found: Mapping[str, Mapping[str, Any]]) -> Message:
    documents = [found[call.id] for call in turn.tool_calls if call.id in found]
    if not documents:
        return turn

    def restored(call: ToolCall) -> ToolCall:
        # What the caller sent back itself is the truth; the table only fills gaps.
        return call if call.extra_content else replace(call, extra_content=found.get(call.id, {}).get("extra_content"))

    blocks: list[Any] = next((document["thinking"] for document in documents if "thinking" in document), [])
    thoughts = turn.thinking or tuple(Thinking(**block) for block in blocks)
    return replace(turn, tool_calls=tuple(restored(call) for call in turn.tool_calls), thinking=thoughts)


def _without_unsigned(turns: Sequence[Message]) -> tuple[Message, ...]:
    """Calls since the user's last words that have no signature, and their results, as text.

    They are of another model, or too old: the provider would refuse the request for good.
    """
    told: list[Message] = []
    unsigned: set[str] = set()
    begin = max((at for at, turn in enumerate(turns) if turn.role == "user"), default=-1)
    for at, turn in enumerate(turns):
        # Only the first call of a turn is signed, and only those since the user's last words are checked
        # (docs/reference/poe-official.md#tool-calls).
        if turn.tool_calls and at > begin and not turn.tool_calls[0].extra_content:
            unsigned |= {call.id for call in turn.tool_calls}
            calls = [f"(Called {call.name} with {call.arguments})" for call in turn.tool_calls]
            told.append(replace(turn, text="\n".join([turn.text, *calls]).lstrip("\n"), tool_calls=()))
        elif turn.role == "tool" and turn.tool_call_id in unsigned:
            text = f"Result of a tool: {turn.text}"
            # A result without its call would be refused, so it follows as words.
            told.append(replace(turn, role="user", text=text, tool_call_id=None, name=None))
        else:
            told.append(turn)
    return tuple(told)


def is_given_back(turns: Sequence[Message], *, bot: str, kind: AccountKind) -> bool:
    """Whether sealed thinking reaches the provider: at its own endpoint, which answers where calls were made."""
    # Without calls the provider does not read earlier thinking, so that nothing is lost by leaving it out.
    return kind.traits.is_native and _THINKING_FAMILY in bot.lower() and any(turn.tool_calls for turn in turns)


def _document_id(call_id: str) -> str:
    """Ids are the callers' words: of any form and length."""
    return hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()
