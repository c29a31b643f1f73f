"""Frames of the realtime channel, parsed into typed updates. No I/O, no state.

A frame is a JSON object: a batch of events, each a JSON text inside a string, or a word about the channel itself
(docs/reference/poe-web.md#frames). Nothing in it is trusted: an element that makes no sense is skipped and the
rest of its frame is kept; only a frame that is no JSON object at all raises.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from dataclasses import field
from enum import StrEnum
from typing import Any

from lazy_dataclasses import dataclass
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.json_text import decode_json

MAX_FILES = 64
MAX_REPLIES = 16
_REFETCH = "refetchChannel"
_SKIMMED_CHARS = 4096


class Control(StrEnum):
    """What a frame asks of the connection."""

    PING = "ping"
    """The application's heartbeat: answer with a pong."""
    REFETCH = "refetch"
    """The server gave the channel up, or can't replay from our `min_seq`: fetch new settings and resynchronise."""


@dataclass(frozen=True, slots=True)
class File:
    """A file on a bot's message."""

    url: str
    content_type: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class MessageUpdate:
    """A message as it is now. `text` is whole, never a delta; `author` is empty in some captures."""

    chat_id: int
    message_id: int
    author: str
    text: str = field(repr=False)
    state: str
    state_text: str | None = field(default=None, repr=False)
    files: tuple[File, ...] = ()
    replies: tuple[str, ...] = field(default=(), repr=False)
    has_citations: bool = False

    @property
    def is_terminal(self) -> bool:
        """Nothing follows: the answer is complete, was stopped, or failed.

        Source: docs/reference/poe-web.md#message-states.
        """
        return self.state in ("complete", "cancelled") or self.state.startswith("error")

    @property
    def is_from_bot(self) -> bool:
        """A chat break is a message too, and the human's own message is echoed: neither belongs to an answer."""
        return self.author not in ("human", "chat_break")


@dataclass(frozen=True, slots=True)
class AnswerCancelled:
    """Somebody stopped the answer; `message_id` is `None` where the event does not say which."""

    chat_id: int
    message_id: int | None


@dataclass(frozen=True, slots=True)
class AnswerStopped:
    """This client stopped the answer; what Poe says about it need not be waited for. `None` leaves open which one."""

    chat_id: int | None
    message_id: int | None


@dataclass(frozen=True, slots=True)
class TitleChanged:
    """Poe named the chat."""

    chat_id: int
    title: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CostReported:
    """What the last turn of the chat cost."""

    chat_id: int
    points: int
    message_id: int | None


WireUpdate = MessageUpdate | AnswerCancelled | TitleChanged | CostReported
Update = WireUpdate | AnswerStopped


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, understood."""

    updates: tuple[WireUpdate, ...] = ()
    control: Control | None = None
    min_seq: int | None = None


def parse_frame(text: str | bytes, chat_ids: Collection[int] | None = None) -> Frame:
    """Parse one frame. Raises `PoeError` (`PROTOCOL`) if it is no JSON object; unknown forms give an empty frame.

    With `chat_ids`, updates of other chats may be left out: short ones are, before their JSON is looked into.
    """
    frame = load_object(text)
    if frame.get("type") == "ping":
        return Frame(control=Control.PING)
    # The only documented value is "missed_messages"; whatever else is wrong with the channel, a new one is the cure.
    control = Control.REFETCH if isinstance(frame.get("error"), str) else None
    updates: list[WireUpdate] = []
    elements = frame.get("messages")
    wanted = None if chat_ids is None else [str(chat_id) for chat_id in chat_ids]
    for element in elements if isinstance(elements, list) else ():
        if not isinstance(element, str) or (wanted is not None and _is_of_others(element, wanted)):
            continue
        try:
            event = load_object(element)
        except PoeError:
            continue
        # It stands among the events, though it is about the channel.
        if event.get("message_type") == _REFETCH:
            control = Control.REFETCH
        elif (update := _parse_event(event)) is not None:
            updates.append(update)
    return Frame(tuple(updates), control, integer(frame.get("min_seq")))


def _is_of_others(element: str, wanted: list[str]) -> bool:
    """Whether an event certainly concerns none of these chats, nor the channel itself.

    Only certain where the text has no escaped ASCII character: then the id of its chat stands in it as it is. Long
    texts are read sooner than searched.
    """
    if len(element) > _SKIMMED_CHARS:
        return False
    return not (any(chat_id in element for chat_id in wanted) or _REFETCH in element or "\\u00" in element)


def load_object(text: str | bytes) -> dict[str, Any]:
    """Decode a JSON object. Raises `PoeError` (`PROTOCOL`), without a word of the text, for everything else."""
    try:
        value = decode_json(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise poe_error(ErrorCode.PROTOCOL, "Poe sent something that is no JSON object")
    return value


def _parse_event(event: dict[str, Any]) -> WireUpdate | None:
    payload = mapping(event.get("payload"))
    name = payload.get("subscription_name")
    data = mapping(payload.get("data"))
    body = mapping(data.get(name)) if isinstance(name, str) else {}
    # Other subscriptions, and forms that are not known, are passed over.
    if not body:
        return None
    chat_id = _chat_of(payload.get("unique_id"), str(name))
    # Before the chat is asked for: this event names its chat inside of itself.
    if name == "jobCostUpdated":
        return _parse_cost(chat_id, body)
    if chat_id is None:
        return None
    if name == "messageAdded":
        return parse_message(chat_id, body)
    if name == "messageCancelled":
        return AnswerCancelled(chat_id, integer(body.get("messageId")))
    title = body.get("title")
    if name == "chatTitleUpdated" and isinstance(title, str):
        return TitleChanged(chat_id, clean(title))
    return None


def parse_message(chat_id: int, node: dict[str, Any], *, default_state: str = "incomplete") -> MessageUpdate | None:
    """Read a message as events and histories describe it; `None` where its id or text is missing.

    `default_state` is for histories, which may leave the state out (docs/reference/poe-web.md#operations).
    """
    message_id, text = integer(node.get("messageId")), node.get("text")
    if message_id is None or not isinstance(text, str):
        return None
    author, state, state_text = node.get("author"), node.get("state"), node.get("messageStateText")
    # Bounded before they are looked at: the list is whatever the other end sends.
    replies = (mapping(item).get("bodyText") for item in sequence(node.get("followupActions"))[:MAX_REPLIES])
    return MessageUpdate(
        chat_id,
        message_id,
        # Without an author it is taken for a bot's: some captures have none.
        author if isinstance(author, str) else "",
        clean(text),
        state if isinstance(state, str) else default_state,
        state_text if isinstance(state_text, str) else None,
        parse_files(node.get("attachments")),
        tuple(clean(reply) for reply in replies if isinstance(reply, str) and reply.strip()),
        node.get("hasCitations") is True,
    )


def parse_files(value: object) -> tuple[File, ...]:
    """Read a message's attachments; those without an address are left out."""
    files = (_parse_file(mapping(item)) for item in sequence(value)[:MAX_FILES])
    return tuple(file for file in files if file is not None)


def _parse_file(node: dict[str, Any]) -> File | None:
    stored = mapping(node.get("file"))
    url, kind, name = stored.get("url") or node.get("url"), stored.get("mimeType"), node.get("name")
    # Callers may show it as a link: nothing else may become one.
    if not isinstance(url, str) or not url.startswith(("https://", "http://")):
        return None
    return File(clean(url), kind if isinstance(kind, str) else None, clean(name) if isinstance(name, str) else None)


def _parse_cost(chat_id: int | None, body: dict[str, Any]) -> CostReported | None:
    message = mapping(mapping(body.get("trigger")).get("message"))
    named = integer(mapping(message.get("chat")).get("chatId"))
    chat_id = named if named is not None else chat_id
    points = integer(body.get("totalCostPoints"))
    # A cost below zero would be a gain in the books.
    if chat_id is None or points is None or points < 0:
        return None
    return CostReported(chat_id, points, integer(message.get("messageId")))


def _chat_of(unique_id: object, name: str) -> int | None:
    prefix, _, suffix = unique_id.rpartition(":") if isinstance(unique_id, str) else ("", "", "")
    # The name is checked as well: ids of other subscriptions have the same form.
    return int(suffix) if prefix == name and _DIGITS.fullmatch(suffix) else None


_DIGITS = re.compile(r"[0-9]{1,18}")
_SURROGATE = r"[\ud800-\udfff]"


def clean(text: str) -> str:
    """Make JSON text encodable: JSON can carry half of a surrogate pair.

    One at the end is held back, because the server cuts by UTF-16 units and the next snapshot has the other half.
    """
    if text.isascii():
        return text
    # Encoding is many times faster than searching, and this runs over the whole text of every snapshot.
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        return text
    whole = text[:-1] if "\ud800" <= text[-1] <= "\udbff" else text
    return re.sub(_SURROGATE, "\N{REPLACEMENT CHARACTER}", whole)


def integer(value: object) -> int | None:
    """An id or amount: a JSON integer, or one written as a decimal string."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: object) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def sequence(value: object) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def global_id(kind: str, number: int) -> str:
    """The relay-style id of an object: base64 of `Type:number`."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def number_of(text: object) -> int | None:
    """The number inside a relay-style id; `None` where it is none."""
    try:
        _, _, number = (
            base64.b64decode(text, validate=True).decode().partition(":") if isinstance(text, str) else ("", "", "")
        )
    except (binascii.Error, ValueError):
        return None
    return integer(number)
