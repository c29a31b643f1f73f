"""Conversations that callers name: which account they stay with, and which Poe chat already holds their beginning.

`metadata.session_id` names a conversation of one API key. On a web account it continues one Poe chat, which is sent
only what it does not hold yet. The caller still sends its whole history, as OpenAI's API has it; if the beginning is
not what the chat holds (edited, answered again, another model), the chat is left and a new one begun. On an official
account it is the account that stays the same, because providers cache what an account sent before.
`prompt_cache_key` asks for the same account, too, and never for the same chat.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import field
from typing import Any

from accounts import AccountKind, AccountStore, AccountStoreError, ChatSession
from gateway.generation.answer import Answer, missing_links
from gateway.http.request_log import Journal
from gateway.prompt.model_json import decode
from lazy_dataclasses import dataclass
from reverse.chat import Attachment, ChatRef, Message, ToolCall
from reverse.events import ChatStarted, Event, TextDelta

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
