"""Turns the updates of a chat into the events of one answer. No I/O, no clock.

Poe sends the whole text every time it grows. Deltas come from comparing it with what was passed on, so a snapshot
that is repeated, batched, late or missing changes nothing in the end: the last snapshot has it all
(docs/reference/poe-web.md#message-events, docs/reference/poe-web.md#message-states,
docs/reference/poe-web.md#text-growth).
"""

from __future__ import annotations

from collections import deque

from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    ChatStarted,
    ChatTitled,
    Event,
    FileAttached,
    FinishReason,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    UsageReported,
)
from reverse.kept_thinking import ThinkingFilter
from reverse.web._protocol import (
    MAX_FILES,
    MAX_REPLIES,
    AnswerCancelled,
    AnswerStopped,
    CostReported,
    MessageUpdate,
    TitleChanged,
    Update,
)
from reverse.web._refusals import refusal

# Progress notes are short and few; this bounds what a bot that rewrites itself all the time can make us remember.
_REMEMBERED_TEXTS = 8
_REMEMBERED_CHARS = 4096


class WebAnswerDecoder:
    """The answer to `question`, in one chat.

    `after_message_id` is the newest message known to precede the answer: the human's own, where Poe named it.
    `regenerated` is the message that a new attempt replaces, under the same id or a larger one. `splits_thinking`: what
    the bot keeps of its thinking in the text becomes reasoning.
    """

    def __init__(
        self,
        chat: ChatStarted,
        question: str,
        *,
        after_message_id: int | None = None,
        regenerated: MessageUpdate | None = None,
        suggest_replies: bool = False,
        splits_thinking: bool = True,
        max_chars: int = 4_000_000,
    ) -> None:
        self.text = ""
        """Everything passed on so far."""
        self.reason: FinishReason | None = None
        """Set by the update that ends the answer; events may still follow (cost, suggested replies)."""
        self.has_failed = False
        """Set when the bot ended with an error: there is nothing left to stop."""
        self.has_citations = False
        """Whether Poe says that the answer names sources, which it tells when asked."""
        self.cost_known = False
        self.replies_known = False
        self._chat = chat
        self._question = question
        self._regenerated = regenerated
        # The new attempt may have the old one's id.
        self._after = regenerated.message_id - 1 if regenerated else after_message_id
        # Only a guess of which message is the answer needs correcting when the human's own message turns up later.
        self._is_guess = self._after is None
        # The id of the message that is the answer: set by the first update that qualifies.
        self._message_id: int | None = None
        self._started = False
        self._is_announced = False
        self._thinking = ThinkingFilter() if splits_thinking else None
        self._suggest_replies = suggest_replies
        self._max_chars = max_chars
        self._file_urls: set[str] = set()
        self._replies: set[str] = set()
        # What was replaced, newest last: a late repeat of one of these must not replace the answer.
        self._superseded: deque[str] = deque(maxlen=_REMEMBERED_TEXTS)

    @property
    def chat_id(self) -> int:
        """The chat that the answer belongs to."""
        return self._chat.chat_id

    @property
    def message_id(self) -> int | None:
        """The id of the bot's message, once known."""
        return self._message_id

    @property
    def has_started(self) -> bool:
        """Whether an update of this answer has been seen."""
        return self._started

    @property
    def is_over(self) -> bool:
        """Whether the bot has ended, well or not."""
        return self.reason is not None or self.has_failed

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was said or attached."""
        return not self.text and not self._file_urls

    def feed(self, update: Update) -> list[Event]:
        """Take one update in, in whatever order they come. Raises `PoeError` where the bot refused or failed."""
        match update:
            case MessageUpdate():
                return self._on_message(update)
            case AnswerCancelled():
                if self.reason is None and self._is_of_this_turn(update):
                    self.reason = FinishReason.CANCELLED
            case AnswerStopped():
                if update.chat_id is not None or update.message_id == self._message_id:
                    self.reason = self.reason or FinishReason.CANCELLED
            case CostReported():
                return self._on_cost(update)
            case TitleChanged(title=title) if title != self._chat.title:
                self._chat = _retitled(self._chat, title)
                return [ChatTitled(title)] if self._is_announced else []
        return []

    def _is_of_this_turn(self, update: AnswerCancelled) -> bool:
        """Whether a cancellation ends this answer and not one before it.

        Poe may name the answer, another message of the turn, or none: then it is taken for this turn once anything of
        it has been seen.
        """
        if update.message_id is None or self._after is None:
            return self._started
        return update.message_id >= self._after

    def _on_message(self, update: MessageUpdate) -> list[Event]:
        # One recent capture has no authors: then the human's message is known by its text, where not by its id.
        if update.author == "human" or (not update.author and update.text == self._question):
            self._on_human(update)
            return []
        if not update.is_from_bot or not self._is_answer(update):
            return []
        if self.reason is not None:
            return self._on_late(update)
        if update.state.startswith("error"):
            self.has_failed = True
            # Poe refuses for lack of points here as well, after it has accepted the message
            # (docs/reference/poe-web.md#sending-a-message).
            raise refusal(update.state, upstream_text=update.state_text or update.text)
        self._started = True
        events = self._compare(update.text, final=update.is_terminal)
        if self._thinking is not None:
            events = self._thinking.events(events) + (self._thinking.end() if update.is_terminal else [])
        events += self._files(update)
        self.has_citations = self.has_citations or update.has_citations
        if update.is_terminal:
            self.reason = FinishReason.CANCELLED if update.state == "cancelled" else FinishReason.STOP
            events += self._suggestions(update)
        return self._announced(events)

    def _announced(self, events: list[Event]) -> list[Event]:
        """Put `ChatStarted` before the first content: until then a failed answer may still be asked for elsewhere."""
        if not events or self._is_announced:
            return events
        self._is_announced = True
        return [ChatStarted(self._chat.chat_id, self._chat.chat_code, self._chat.title, self._message_id), *events]

    def _on_human(self, update: MessageUpdate) -> None:
        if self._is_guess and self.reason is None and update.text == self._question:
            self._is_guess = False
            self._after = update.message_id
            # What was taken for the answer came before the question: it was an earlier turn's.
            if self._message_id is not None and self._message_id < update.message_id:
                self._message_id = None

    def _is_answer(self, update: MessageUpdate) -> bool:
        if self._message_id is None:
            old = self._regenerated
            # The old attempt, repeated: the new one has not begun yet.
            if old and update.message_id == old.message_id and update.is_terminal and update.text == old.text:
                return False
            if self._after is not None and update.message_id <= self._after:
                return False
            self._message_id = update.message_id
        return update.message_id == self._message_id

    def _compare(self, text: str, *, final: bool) -> list[Event]:
        if len(text) > self._max_chars:
            raise poe_error(ErrorCode.PROTOCOL, f"the answer is longer than {self._max_chars} characters")
        shown = self.text
        if text == shown:
            return []
        if text.startswith(shown):
            self.text = text
            return [TextDelta(text[len(shown) :])]
        # While the answer grows, an older text that comes again is a late snapshot; at the end the text is the truth.
        if not final and (shown.startswith(text) or any(old.startswith(text) for old in self._superseded)):
            return []
        self._superseded.append(shown[:_REMEMBERED_CHARS])
        self.text = text
        return [TextReplaced(text)]

    def _files(self, update: MessageUpdate) -> list[Event]:
        events: list[Event] = []
        for file in update.files:
            if file.url not in self._file_urls and len(self._file_urls) < MAX_FILES:
                self._file_urls.add(file.url)
                events.append(FileAttached(file.url, file.content_type, file.name))
        return events

    def _on_late(self, update: MessageUpdate) -> list[Event]:
        """After the end only additions count: files and suggested replies, which Poe may add one by one."""
        if update.state != "complete":
            return []
        # A text behind the end counts only where there was none: otherwise the end was seen already.
        events = self._compare(update.text, final=True) if self.is_empty else []
        return [*self._announced([*events, *self._files(update)]), *self._suggestions(update)]

    def _suggestions(self, update: MessageUpdate) -> list[Event]:
        events: list[Event] = []
        for reply in update.replies if self._suggest_replies else ():
            if reply not in self._replies and len(self._replies) < MAX_REPLIES:
                self._replies.add(reply)
                events.append(SuggestedReply(reply))
        self.replies_known = bool(self._replies)
        return events

    def is_its_cost(self, update: CostReported) -> bool:
        """Whether a cost is of this answer.

        That of the turn before may come late: it names another message, or comes before this answer began.
        """
        return self._started and update.message_id in (None, self._message_id, self._after)

    def _on_cost(self, update: CostReported) -> list[Event]:
        if not self.is_its_cost(update):
            return []
        self.cost_known = True
        return self._announced([UsageReported(points=update.points)])


def _retitled(chat: ChatStarted, title: str) -> ChatStarted:
    return ChatStarted(chat.chat_id, chat.chat_code, title, chat.message_id)
