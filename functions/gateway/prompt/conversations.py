"""What is remembered between a caller's requests: where a conversation stands, and what came along with tool calls.

`metadata.session_id` names a conversation of one API key. On a web account it continues one Poe chat, which is sent
only what it does not hold yet. The caller still sends its whole history, as OpenAI's API has it; if the beginning is
not what the chat holds (edited, answered again, another model), the chat is left and a new one begun. On an official
account it is the account that stays the same, because providers cache what an account sent before.
`prompt_cache_key` asks for the same account, too, and never for the same chat.

Calls are remembered for callers that send only their ids back, since most clients drop fields that they do not know.
Gemini 3 signs its thoughts in `extra_content` of a call and refuses the call's result without the signature
(docs/reference/poe-official.md#tool-calls). Claude seals its thinking, and goes on thinking after a call only if it
gets it back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, replace
from typing import Any

from accounts import AccountKind, AccountStore, AccountStoreError, ChatSession
from gateway.generation.answer import Answer, missing_links
from gateway.http.request_log import Journal
from gateway.prompt.model_json import decode
from lazy_dataclasses import dataclass
from reverse.chat import Attachment, ChatRef, Message, Thinking, ToolCall
from reverse.events import ChatStarted, Event, ReasoningDelta, ReasoningSigned, TextDelta, ToolCallDelta

SESSION_SECONDS = 30 * 86400.0
# Longer than any provider keeps a prompt in its cache.
CACHE_KEY_SECONDS = 86400.0
# The chat of an account that has none: only the account is remembered.
_NO_CHAT = 0


@dataclass(frozen=True, slots=True)
class Continuation:
    """A Poe chat to go on with, and what it does not hold yet."""

    chat: ChatRef
    turns: tuple[Message, ...] = field(repr=False)


class Conversation:
    """One request's view of the conversation it belongs to."""

    def __init__(
        self,
        *,
        key_id: str,
        name: str,
        model: str,
        turns: Sequence[Message],
        stored: ChatSession | None,
        keeps_chat: bool,
    ) -> None:
        self._key_id = key_id
        self._name = name
        self._model = model.lower()
        self._turns = tuple(turns)
        self._stored = stored
        self._keeps_chat = keeps_chat
        # Whether the stored chat was sent something, so that it holds more than what is stored of it.
        self._is_touched = False
        self._answer = Answer()
        self._chat: ChatStarted | None = None

    @property
    def account_id(self) -> str | None:
        """The account it was last with, if it was about the same model: another one may do better elsewhere."""
        return self._stored.account_id if self._stored and self._stored.model == self._model else None

    @property
    def chat_name(self) -> str | None:
        """Under which name the chat is stored, if it is to be gone on with."""
        return self._name if self._keeps_chat else None

    def continuation(self, account_id: str) -> Continuation | None:
        """How to go on in the chat that this account has; `None` where everything must be told anew."""
        stored = self._stored
        if not self._keeps_chat or stored is None or stored.chat_id == _NO_CHAT:
            return None
        # No turn beyond what the chat holds: the last answer is wanted again, which a chat can't take back.
        if (stored.account_id, stored.model) != (account_id, self._model) or stored.turns >= len(self._turns):
            return None
        # The caller has edited its history: the chat holds other words than the ones the answer should build on.
        if digest(self._turns[: stored.turns]) != stored.digest:
            return None
        last = self._turns[stored.turns - 1]
        # A tool's result means nothing without the call it answers, whose id the chat was never told.
        first = stored.turns - 1 if last.tool_calls else stored.turns
        # From here on the chat may hold a question that no answer followed.
        self._is_touched = True
        return Continuation(ChatRef(stored.chat_id, stored.chat_code), self._turns[first:])

    def observe(self, event: Event) -> None:
        """Remember what the answer will look like in the caller's history."""
        if isinstance(event, ChatStarted):
            self._chat = event
        elif type(event) is not TextDelta:  # the text comes at the end, as it was shown
            self._answer.add(event)

    async def save(self, store: AccountStore, account_id: str, kind: AccountKind, text: str) -> None:
        """Remember where the conversation stands after an answer that ended well. Raises what the store raises."""
        chat = self._chat if kind.traits.keeps_chats and self._keeps_chat else None
        if chat is None and self._stored is not None and self._stored.chat_id == _NO_CHAT:
            if (self._stored.account_id, self._stored.model) == (account_id, self._model):
                return  # nothing has changed
        calls = tuple(ToolCall(call.call_id or "", call.name, call.text) for call in self._answer.tool_calls)
        # As the caller will send it back: surfaces append the links of files to the text.
        answer = Message("assistant", text + missing_links(self._answer.files, text), tool_calls=calls)
        session = ChatSession(
            key_id=self._key_id,
            session_id=self._name,
            account_id=account_id,
            model=self._model,
            chat_id=chat.chat_id if chat else _NO_CHAT,
            chat_code=chat.chat_code if chat else None,
            turns=len(self._turns) + 1 if chat else 0,
            digest=digest([*self._turns, answer]) if chat else "",
        )
        await store.put_session(session, ttl_seconds=SESSION_SECONDS if self._keeps_chat else CACHE_KEY_SECONDS)

    async def abandon(self, store: AccountStore) -> None:
        """After an answer that broke off: the chat holds what nobody knows, so it is not gone on with."""
        if self._is_touched:
            await store.delete_session(self._key_id, self._name)


async def find_conversation(
    store: AccountStore,
    journal: Journal,
    *,
    key_id: str,
    model: str,
    turns: Sequence[Message],
    session_id: str | None,
    cache_key: str | None,
) -> Conversation | None:
    """The conversation that the caller names, if any. When the store can't say, it begins anew."""
    if session_id is None and cache_key is None:
        return None
    # Two name spaces in one: a cache key must never lead into a chat.
    name = f"chat:{session_id}" if session_id is not None else f"cache:{cache_key}"
    try:
        stored = await store.get_session(key_id, name)
    except AccountStoreError as error:
        journal.event("session.read_failed", code=type(error).__name__)
        # A conversation that can't be found costs a longer message; failing the request would cost the answer.
        stored = None
    return Conversation(
        key_id=key_id, name=name, model=model, turns=turns, stored=stored, keeps_chat=session_id is not None
    )


def digest(turns: Sequence[Message]) -> str:
    """A hash over turns, the same for what clients change without meaning anything by it: white space at the ends."""
    hashed = hashlib.sha256()
    for turn in turns:
        calls = [[call.id, call.name, _canonical(call.arguments)] for call in turn.tool_calls]
        files = [_file_digest(file) for file in turn.attachments]
        # By content, never by address alone: the bytes of a file that was fetched again are the same, its signed
        # address is not.
        parts = [turn.role, turn.text.strip(), turn.tool_call_id, turn.name, calls, files]
        hashed.update(json.dumps(parts).encode() + b"\n")
    return hashed.hexdigest()


def _file_digest(file: Attachment) -> str:
    if file.data is not None:
        return hashlib.sha256(file.data).hexdigest()
    return file.url or ""


def _canonical(arguments: str) -> Any:
    try:
        # Clients parse the arguments and write them anew, with other spaces and order.
        return json.dumps(decode(arguments), sort_keys=True)
    except ValueError:
        return arguments


_CALL_KIND = "call_extra"
CALL_SECONDS = 30 * 86400.0
# Only these models are known to want something back with each call.
_SIGNING_FAMILY = "gemini"
# These refuse calls that have none.
_SIGNING = "gemini-3"
# Only these models seal their thinking and take it back, while they go on with calls.
_THINKING_FAMILY = "claude"
# The newest calls of a conversation; what is older is left to the provider, which asks for those of the last step only.
MAX_REMEMBERED_CALLS = 32
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
                store.put_document(_CALL_KIND, key_id, _document_id(call_id), document, ttl_seconds=CALL_SECONDS)
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
            *(store.get_document(_CALL_KIND, key_id, _document_id(call_id)) for call_id in wanted)
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
    return [*ids][:MAX_REMEMBERED_CALLS]


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
