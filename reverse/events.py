"""The events that both Poe clients yield while a bot answers.

Events describe changes to one answer. A consumer that appends every `TextDelta` and starts over at every
`TextReplaced` always holds the whole text so far. The last event of an answer that ended well is `Finished`;
an answer that ended badly raises a `PoeError` instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from lazy_dataclasses import dataclass


class FinishReason(StrEnum):
    """Why an answer ended, where it ended without an error."""

    STOP = "stop"
    """The bot said all it had to say."""
    LENGTH = "length"
    """The upstream cut the answer at its token limit."""
    TOOL_CALLS = "tool_calls"
    """The bot asks for tool results before it goes on."""
    CONTENT_FILTER = "content_filter"
    """The upstream withheld the rest."""
    CANCELLED = "cancelled"
    """Somebody stopped the answer: this client, or the same account elsewhere."""


@dataclass(frozen=True, slots=True)
class ChatStarted:
    """The answer belongs to this Poe chat. Web only; at most once per answer, before any text.

    `message_id` is the id of the bot's message, once known. Pass `chat_id` and `chat_code` back in a `ChatRef` to
    continue the chat.
    """

    chat_id: int
    chat_code: str | None = None
    title: str | None = None
    message_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChatTitled:
    """Poe gave the chat a title, or another one. Web only; after `ChatStarted`, at any time."""

    title: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text to append. Never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class RefusalDelta(TextDelta):
    """Text in which the model declines to answer. Official only; whoever knows nothing of refusals shows it as text."""


@dataclass(frozen=True, slots=True)
class TextReplaced:
    """The whole text so far, replacing everything before it (a progress note gave way to the answer)."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Text of the model's visible reasoning, to append to the reasoning so far. Never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningSigned:
    """The provider's seal of the reasoning since the last one, which it wants back with that reasoning, word for word.

    `is_redacted`: it stands for reasoning that is not shown at all. Official only.
    """

    signature: str = field(repr=False)
    is_redacted: bool = False


@dataclass(frozen=True, slots=True)
class UrlCited:
    """A page that the answer cites. `start` and `end` are places in the text of the whole answer, where they are known.

    Each page and place once per answer.
    """

    url: str
    title: str | None = field(default=None, repr=False)
    start: int | None = None
    end: int | None = None
    quote: str | None = field(default=None, repr=False)
    """What of the page is cited."""


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of the tool call number `index`: the first piece has `id` and `name`, later ones only arguments.

    `extra_content` is what the provider wants back with the call, word for word, when its result is sent: Gemini's
    `{"google": {"thought_signature": …}}`. It is on one piece of the call, usually the first.
    """

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None
    extra_content: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class FileAttached:
    """A file that the bot produced; each file once per answer."""

    url: str
    content_type: str | None = None
    name: str | None = None
    inline_ref: str | None = None


@dataclass(frozen=True, slots=True)
class VideoJobStarted:
    """Poe has begun a video, which goes on after the answer. Official only; see `VideoJobs`."""

    job_id: str


@dataclass(frozen=True, slots=True)
class SuggestedReply:
    """A follow-up question that Poe proposes."""

    text: str


@dataclass(frozen=True, slots=True)
class UsageReported:
    """What the answer cost, as the upstream says; `None` where it says nothing. A later report replaces an earlier."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    points: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete. Always the last event."""

    reason: FinishReason = FinishReason.STOP


Event = (
    ChatStarted
    | ChatTitled
    | TextDelta
    | RefusalDelta
    | TextReplaced
    | ReasoningDelta
    | ReasoningSigned
    | UrlCited
    | ToolCallDelta
    | FileAttached
    | VideoJobStarted
    | SuggestedReply
    | UsageReported
    | Finished
)
