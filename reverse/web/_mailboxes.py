"""Who listens to which chat of an account: the mailboxes of the answers awaited, and events that come too early."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from reverse.errors import PoeError
from reverse.web._mailbox import Mailbox
from reverse.web._protocol import AnswerStopped, CostReported, WireUpdate

# Unknown chats whose events are kept while a new chat is being created.
_MAX_EARLY_CHATS = 64
# Answers whose cost is still awaited.
_MAX_EXPECTED_COSTS = 16


class Mailboxes:
    """The mailboxes of one channel. True while an answer is awaited."""

    def __init__(self) -> None:
        self._listening: set[Mailbox] = set()
        # Events of chats that nobody listens to, while a new chat is being created whose id is not known yet.
        self._early: dict[int, Mailbox] = {}
        self._early_was_full = False
        # Costs of answers that are over, by chat: which one is meant, and who waits for it.
        self._costs: dict[int, tuple[Callable[[CostReported], bool], asyncio.Future[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._listening)

    def listen(self, chat_id: int | None) -> Mailbox:
        """Start keeping the chat's events; `None` stands for a chat that is about to be created. Before sending."""
        if chat_id is not None:
            # From now on a cost may be that of the next turn.
            self._drop_cost(chat_id)
        mailbox = Mailbox(chat_id)
        self._listening.add(mailbox)
        return mailbox

    def bind(self, mailbox: Mailbox, chat_id: int) -> None:
        """Say which chat was created; its early events are delivered."""
        if mailbox.chat_id is not None:
            return
        mailbox.chat_id = chat_id
        # Poe's events may be faster than its answer to the mutation.
        early = self._early.pop(chat_id, None)
        if early is not None:
            mailbox.take_over(early)
        # Some of its events may not have been kept: the reader looks the answer up.
        elif self._early_was_full:
            mailbox.resync()
        self._forget_early()

    def forget(self, mailbox: Mailbox) -> None:
        """Stop keeping events for this mailbox. Safe to call twice."""
        self._listening.discard(mailbox)
        self._forget_early()

    def expect_cost(self, chat_id: int, is_meant: Callable[[CostReported], bool]) -> asyncio.Future[int]:
        """A future for the cost of an answer that is over; the next message in its chat cancels it, and so does a loss.

        No answer is awaited because of it, so the connection is not kept open.
        """
        expected: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._drop_cost(chat_id)
        while len(self._costs) >= _MAX_EXPECTED_COSTS:
            self._drop_cost(next(iter(self._costs)))
        self._costs[chat_id] = is_meant, expected
        return expected

    def clear(self) -> None:
        """Forget all mailboxes."""
        self._listening.clear()
        self._forget_early()
        self._drop_costs()

    def chat_ids(self) -> list[int] | None:
        """The chats whose events anybody awaits; `None` while a new chat's id is not known, and all are of interest."""
        found = [mailbox.chat_id for mailbox in self._listening if mailbox.chat_id is not None]
        return [*found, *self._costs] if len(found) == len(self._listening) else None

    def deliver(self, updates: Iterable[WireUpdate]) -> None:
        """Put each update into the mailboxes of its chat."""
        for update in updates:
            if isinstance(update, CostReported):
                self._deliver_cost(update)
            listeners = [mailbox for mailbox in self._listening if mailbox.chat_id == update.chat_id]
            for mailbox in listeners or self._early_mailboxes(update.chat_id):
                mailbox.put(update)

    def note_stopped(self, chat_id: int | None, message_id: int | None) -> None:
        """Tell the readers of an answer that it was stopped from here."""
        for mailbox in self._listening:
            if mailbox.chat_id is not None and chat_id in (None, mailbox.chat_id):
                mailbox.put(AnswerStopped(chat_id, message_id))

    def resync(self) -> None:
        """Tell all readers that updates may be missing."""
        for mailbox in self._listening:
            mailbox.resync()

    def fail(self, error: PoeError) -> None:
        """Tell all readers that nothing will come any more."""
        for mailbox in self._listening:
            mailbox.fail(error)
        self._drop_costs()

    def _deliver_cost(self, update: CostReported) -> None:
        is_meant, expected = self._costs.get(update.chat_id, (None, None))
        if is_meant is not None and expected is not None and is_meant(update):
            del self._costs[update.chat_id]
            # Whoever waited may have given up.
            if not expected.done():
                expected.set_result(update.points)

    def _drop_cost(self, chat_id: int) -> None:
        _, expected = self._costs.pop(chat_id, (None, None))
        if expected is not None:
            expected.cancel()

    def _drop_costs(self) -> None:
        for chat_id in list(self._costs):
            self._drop_cost(chat_id)

    def _early_mailboxes(self, chat_id: int) -> list[Mailbox]:
        if self.chat_ids() is not None:
            return []
        if chat_id not in self._early and len(self._early) >= _MAX_EARLY_CHATS:
            self._early_was_full = True
            return []
        return [self._early.setdefault(chat_id, Mailbox(chat_id))]

    def _forget_early(self) -> None:
        if self.chat_ids() is not None:
            self._early.clear()
            self._early_was_full = False
