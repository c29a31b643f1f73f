"""Runs answers: puts the events of a plan on the account's channel, at the bot's pace."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass

from local.poe_web.accounts import Message, SimulatedAccount
from local.poe_web.answers import Snapshot
from local.poe_web.channel import Json, event
from local.poe_web.journal import Journal, SentRecord
from local.poe_web.plan import (
    Action,
    ChatBreak,
    Cut,
    Deplete,
    Events,
    Missed,
    Plan,
    Raw,
    Refetch,
    Stall,
    Title,
    Update,
    Wait,
)
from local.poe_web.relay import relay_id
from local.poe_web.stream_faults import INSUFFICIENT, INSUFFICIENT_TEXT
from local.poe_web.world import Job, World


@dataclass(slots=True)
class Broadcaster:
    """Puts events on channels, for who subscribed to them, and enters them in the journal."""

    journal: Journal

    def send(
        self, account: SimulatedAccount, name: str, chat_id: int, data: Json, about: Message | None = None
    ) -> None:
        """Publish one event in a frame of its own."""
        self.send_together(account, name, chat_id, [(data, about)])

    def send_together(
        self, account: SimulatedAccount, name: str, chat_id: int, items: list[tuple[Json, Message | None]]
    ) -> None:
        """Publish events of one name in one frame."""
        channel = account.channel
        if name not in channel.subscriptions:
            return
        sequence = channel.publish([event(name, chat_id, data) for data, _ in items])
        now, listeners = time.monotonic(), sum(not socket.deaf for socket in channel.sockets)
        for _, message in items:
            length, state = (len(message.text), message.state) if message else (0, None)
            self.journal.add_sent(SentRecord(now, account.p_b, chat_id, name, length, state, sequence, listeners))


class Delivery:
    """One answer on its way. `pace_seconds` is the time between events."""

    def __init__(
        self,
        world: World,
        broadcaster: Broadcaster,
        job: Job,
        plan: Plan,
        pace_seconds: float,
        *,
        cost_delay_seconds: float = 0.0,
    ) -> None:
        self._world, self._out, self._job, self._plan = world, broadcaster, job, plan
        self._cost_delay = cost_delay_seconds if plan.cost_delay_seconds is None else plan.cost_delay_seconds
        self._pace = pace_seconds * job.bot.pace if plan.pace_seconds is None else plan.pace_seconds
        self._left = 0  # updates that left
        self.early_done = asyncio.Event()  # set when the mutation may be answered
        if plan.early == 0:
            self.early_done.set()

    async def run(self, answered: asyncio.Event, delay_seconds: float) -> None:
        """Send everything. Unless events are to be early, wait for `answered` and `delay_seconds` first.

        Cancellation ends it where it is; the job is taken off the list in any case.
        """
        try:
            if self._plan.early == 0:
                await answered.wait()
                await asyncio.sleep(delay_seconds)
            self._begin()
            await self._perform(answered)
            self._finish()
        finally:
            self.early_done.set()
            self._world.end_job(self._job)
        await self._tell_cost()

    def _begin(self) -> None:
        job = self._job
        chat_id = job.chat.chat_id
        if not job.repeated:
            self._out.send(job.account, "messageAdded", chat_id, job.question.wire(), job.question)
        self._out.send(job.account, "jobStarted", chat_id, self._job_wire("started"))

    async def _perform(self, answered: asyncio.Event) -> None:
        for action in self._plan.actions:
            if isinstance(action, Stall):
                self.early_done.set()
                await self._job.cancelled.wait()
            elif isinstance(action, Wait):
                await self._pause(action.seconds)
            elif self._left and isinstance(action, Update):
                await self._pause(self._pace)
            if self._job.cancelled.is_set():
                return self._cancel()
            self._do(action)
            if self._left == self._plan.early:
                self.early_done.set()
                await answered.wait()

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until the job is cancelled."""
        if seconds <= 0:
            return await asyncio.sleep(0)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._job.cancelled.wait(), seconds)

    def _do(self, action: Action) -> None:
        job, channel = self._job, self._job.account.channel
        match action:
            case Update():
                self._update(action)
            case Title():
                self._title()
            case ChatBreak():
                message = self._world.new_message(job.chat, "chat_break", "")
                self._out.send(job.account, "messageAdded", job.chat.chat_id, message.wire(), message)
            case Events(texts):
                channel.publish(list(texts))
            case Raw(frame):
                channel.push(frame)
            case Cut(how, refuse):
                channel.cut(how, refuse)
            case Refetch():
                channel.refetch()
            case Missed():
                channel.lose_history()
            case Deplete():
                self._world.deplete(job.account)

    def _update(self, update: Update) -> None:
        job = self._job
        self._left += 1
        items: list[tuple[Json, Message | None]] = []
        for snapshot in update.snapshots:
            shown = self._shown(snapshot)
            items.append((shown.wire(), shown))
        if update.copies == 0:
            job.account.channel.skip()
        for _ in range(update.copies):
            self._out.send_together(job.account, "messageAdded", job.chat.chat_id, items)

    def _shown(self, snapshot: Snapshot) -> Message:
        """The message as this event shows it. What is kept never goes back, even if events are sent out of order."""
        kept = self._job.message
        if kept.is_open or snapshot.state != "incomplete":
            kept.apply(snapshot)
        shown = Message(
            kept.message_id, kept.chat_id, kept.author, "", kept.created, citations=kept.citations, client_nonce=None
        )
        shown.apply(snapshot)
        return shown

    def _title(self) -> None:
        chat = self._job.chat
        chat.title = " ".join(self._job.question.text.split()[:5])[:60] or "New chat"
        data: Json = {"id": chat.id, "title": chat.title}
        self._out.send(self._job.account, "chatTitleUpdated", chat.chat_id, data)

    def _cancel(self) -> None:
        message = self._job.message
        message.state, message.cancelled_at = "cancelled", len(message.text)
        named = self._job.question if self._plan.cancel_names == "question" else message
        data: dict[str, Json] = {"textLengthOnCancellation": message.cancelled_at}
        if self._plan.cancel_names != "nothing":
            data |= {"id": relay_id("Message", named.message_id), "messageId": named.message_id}
        if self._plan.cancel_names == "lost":
            return
        self._out.send(self._job.account, "messageCancelled", message.chat_id, data, message)

    def _finish(self) -> None:
        job = self._job
        state = "completed" if job.message.state == "complete" else job.message.state
        self._out.send(job.account, "jobUpdated", job.chat.chat_id, self._job_wire(state))

    async def _tell_cost(self) -> None:
        """The cost, if there is one, and the title, which comes last where the chat has none yet."""
        job = self._job
        chat_id = job.chat.chat_id
        await asyncio.sleep(self._cost_delay)
        if job.message.state != INSUFFICIENT:
            cost: Json = {
                "id": relay_id("Job", job.job_id),
                "totalCostPoints": job.bot.cost,
                "trigger": {"message": {"chat": {"chatId": chat_id}}},
            }
            self._out.send(job.account, "jobCostUpdated", chat_id, cost)
        if job.chat.title is None and not self._plan.titled:
            self._title()

    def _job_wire(self, state: str) -> Json:
        return {"id": relay_id("Job", self._job.job_id), "jobId": self._job.job_id, "state": state}


def refusal_plan() -> Plan:
    """What a bot answers to an account without enough points: nothing but a state.

    Source: docs/reference/poe-web.md#sending-a-message, docs/reference/poe-web.md#message-states.
    """
    return Plan.of([Snapshot("", 0, INSUFFICIENT, INSUFFICIENT_TEXT)])
