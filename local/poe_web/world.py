"""The simulated service's data and the rules that change it. No network."""

from __future__ import annotations

import asyncio
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from local.poe_web.accounts import DAY_MICROSECONDS, Charge, Chat, Message, SimulatedAccount
from local.poe_web.answers import Attachment
from local.poe_web.bots import Bot, BotDirectory, standard_bots


def epoch_microseconds() -> int:
    """Now, as the service writes times."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Counter:
    """Numbers in ascending order, by `next`; `following` is the one that comes next."""

    following: int

    def __next__(self) -> int:
        """Take a number."""
        self.following += 1
        return self.following - 1


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that the service hands out."""

    name: str
    mime_type: str
    data: bytes


@dataclass(slots=True)
class Job:
    """A bot at work on one message. The runner of the job ends it when `cancelled` is set."""

    job_id: int
    account: SimulatedAccount
    chat: Chat
    bot: Bot
    question: Message
    message: Message
    repeated: bool = False  # the question has been asked before
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class World:
    """Accounts, bots, files, shares and running jobs of one simulator.

    `public_url` is the address under which it is reached.
    """

    public_url: str = ""
    now: Callable[[], int] = epoch_microseconds
    accounts: dict[str, SimulatedAccount] = field(default_factory=dict)
    bots: BotDirectory = field(default_factory=lambda: BotDirectory(standard_bots()))
    files: dict[int, StoredFile] = field(default_factory=dict)
    shares: dict[str, list[Message]] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    chat_ids: Counter = field(default_factory=lambda: Counter(1000))
    message_ids: Counter = field(default_factory=lambda: Counter(500_000))
    job_ids: Counter = field(default_factory=lambda: Counter(1))
    file_ids: Counter = field(default_factory=lambda: Counter(1))
    source_ids: Counter = field(default_factory=lambda: Counter(86_000))
    charge_ids: Counter = field(default_factory=lambda: Counter(7000))

    def account_for(self, p_b: str | None) -> SimulatedAccount | None:
        """The signed-in account that has this cookie."""
        account = self.accounts.get(p_b) if p_b else None
        if account is None or account.signed_out:
            return None
        account.grant_if_due(self.now())
        return account

    def add_account(self, account: SimulatedAccount) -> SimulatedAccount:
        """Put an account in, in place of one with the same cookie."""
        if not account.next_grant:
            account.next_grant = self.now() + DAY_MICROSECONDS
        self.accounts[account.p_b] = account
        return account

    def store_file(self, name: str, mime_type: str, data: bytes) -> Attachment:
        """Keep a file; the attachment tells where it can be fetched."""
        file_id = next(self.file_ids)
        self.files[file_id] = StoredFile(name, mime_type, data)
        return Attachment(
            attachment_id=file_id,
            name=name,
            mime_type=mime_type,
            url=f"{self.public_url}/_sim/files/{file_id}/{quote(name)}",
            size=len(data),
        )

    def new_chat(self, account: SimulatedAccount, bot: Bot) -> Chat:
        """Begin a chat."""
        alphabet = string.ascii_lowercase + string.digits
        code = "".join(secrets.choice(alphabet) for _ in range(19))
        chat = Chat(next(self.chat_ids), code, bot.handle, self.now())
        account.chats[chat.chat_id] = chat
        return chat

    def new_message(self, chat: Chat, author: str, text: str, state: str = "complete") -> Message:
        """Append a message to a chat."""
        message = Message(next(self.message_ids), chat.chat_id, author, text, self.now(), state)
        chat.messages.append(message)
        return message

    def begin_job(
        self, account: SimulatedAccount, chat: Chat, bot: Bot, question: Message, *, repeated: bool = False
    ) -> Job:
        """Let a bot begin to answer; the answer is empty until the job runs."""
        message = self.new_message(chat, bot.author, "", "incomplete")
        job = Job(next(self.job_ids), account, chat, bot, question, message, repeated)
        if bot.cites:
            message.citations = ({"title": "An example source", "url": "https://example.invalid/source"},)
        self.jobs[job.job_id] = job
        account.running += 1
        account.peak_concurrency = max(account.peak_concurrency, account.running)
        return job

    def pay(self, job: Job) -> bool:
        """Charge a job in full, or nothing and False if the account has not so many points."""
        if not job.account.spend(job.bot.cost):
            return False
        self._book(job.account, job.bot, job.bot.cost, job)
        return True

    def spend_elsewhere(self, account: SimulatedAccount, bot: Bot, points: int) -> bool:
        """Charge what another program spent, or nothing and False if there are not so many points."""
        if not account.spend(points):
            return False
        self._book(account, bot, points)
        return True

    def deplete(self, account: SimulatedAccount) -> None:
        """Let somebody else spend all that is left."""
        bot = next(iter(self.bots))
        self.spend_elsewhere(account, bot, account.points + account.addon_points)

    def _book(self, account: SimulatedAccount, bot: Bot, points: int, job: Job | None = None) -> None:
        charge = Charge(next(self.charge_ids), self.now(), bot.display_name, bot.bot_id, points)
        if job is not None:
            charge.chat_id, charge.message_id = job.chat.chat_id, job.message.message_id
            charge.question = job.question.text
        account.charges.append(charge)

    def end_job(self, job: Job) -> None:
        """Take a job off the list, however it ended."""
        if self.jobs.pop(job.job_id, None) is not None:
            job.account.running -= 1

    def cancel_jobs(
        self, account: SimulatedAccount, *, message_id: int | None = None, chat_id: int | None = None
    ) -> None:
        """Mark an account's jobs of a message or of a chat as cancelled; their runners see it."""
        for job in self.jobs.values():
            if job.account is account and (
                job.message.message_id == message_id or (chat_id is not None and job.chat.chat_id == chat_id)
            ):
                job.cancelled.set()
