"""What a generation is to do: the task, and the question that is asked of an account, once per send."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from accounts import AccountKind, Lease
from gateway.generation.rules import Change
from gateway.generation.shaping import AnswerLimits
from gateway.http.key_budget import PriceOf
from lazy_dataclasses import dataclass
from reverse.chat import ChatRequest, PoeClient
from reverse.errors import PoeError
from reverse.events import Event

Ask = Callable[[PoeClient, Lease], AsyncGenerator[Event, None]]
"""Asks a leased account's client once. Closing the generator stops the upstream."""


class AnswerRejectedError(Exception):
    """An answer was complete, and is not what was asked for. `message` and `code` are what callers are told.

    `is_correctable` says whether the model can be told what was wrong with it.
    """

    def __init__(self, message: str, code: str, *, is_correctable: bool) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.is_correctable = is_correctable


class Question(Protocol):
    """One question, sent as often as the plan says. Remembers what it was asked like; one per generation."""

    def ask(self, client: PoeClient, lease: Lease, change: Change | None) -> AsyncGenerator[Event, None]:
        """Send it once; its events as the caller shall see them.

        `change` is made in addition to earlier ones that concern the question itself. Raises `PoeError`,
        `AnswerRejectedError`, `GatewayError`.
        """

    def changes(self, error: PoeError) -> frozenset[Change]:
        """The changes that would answer this failure of the last send."""


class PlainQuestion:
    """One request as `build` makes it for a kind of account. There is no change but the bot protocol."""

    def __init__(self, build: Callable[[AccountKind], ChatRequest]) -> None:
        self._build = build

    def ask(self, client: PoeClient, lease: Lease, change: Change | None) -> AsyncGenerator[Event, None]:
        request = self._build(lease.account.kind)
        # Other changes are never offered by `changes`, so they can't come here.
        return client.stream(replace(request, in_bot_protocol=True) if change is Change.BOT_PROTOCOL else request)

    def changes(self, error: PoeError) -> frozenset[Change]:
        return bot_protocol_change(error)


class OneCall:
    """A call of the client that is no chat: `ask` makes it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def ask(
        self,
        client: PoeClient,
        lease: Lease,
        change: Change | None,  # noqa: ARG002 - there is none
    ) -> AsyncGenerator[Event, None]:
        return self._ask(client, lease)

    def changes(self, error: PoeError) -> frozenset[Change]:  # noqa: ARG002 - there is none
        return frozenset()


def bot_protocol_change(error: PoeError) -> frozenset[Change]:
    """The bot protocol, where the client says that it may know the bot."""
    return frozenset({Change.BOT_PROTOCOL}) if error.may_be_bot_only else frozenset()


class AnswerSoFar(Protocol):
    """What is known of an answer, while it is made and at its end."""

    @property
    def text(self) -> str: ...

    @property
    def account_id(self) -> str | None: ...

    @property
    def kind(self) -> AccountKind | None: ...

    @property
    def has_begun(self) -> bool: ...


class OtherTasks(Protocol):
    """The same request to the models that the owner allows in the asked one's place, one after the other."""

    @property
    def left(self) -> int:
        """How many were not asked yet."""

    async def next(self) -> GenerationTask | None:
        """The task for the next one, `None` where none is left that can do what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationTask:
    """What to generate, whichever account does it."""

    key_id: str
    model: str
    """The bot's name as Poe knows it."""
    build: Callable[[AccountKind], ChatRequest] | None = None
    """Makes the request for an account of this kind. May raise `GatewayError`."""
    ask: Ask | None = None
    """A call of the client that is no chat; takes the place of `build`."""
    question: Question | None = None
    """More than one request, or an answer read in a special way; takes the place of both. For one generation."""
    on_end: Callable[[AnswerSoFar, bool], Awaitable[None]] | None = None
    """Called once an account has begun to answer and the answer is over: well (`True`), or not. What it writes is
    written before the last byte leaves."""
    prompt_tokens: int
    """Estimate, used where the upstream does not say."""
    max_tokens: int | None = None
    """How long the answer may be, for the estimate of its cost."""
    limits: Callable[[AccountKind], AnswerLimits] = lambda _: AnswerLimits()
    """Limits that the gateway itself must keep, by kind: the official API keeps some on its own."""
    kinds: tuple[AccountKind, ...] = tuple(AccountKind)
    """Acceptable kinds, best first."""
    is_streamed: bool = True
    """Whether the consumer can't take back what it was given: decides how replaced text is told."""
    sticky_account_id: str | None = None
    price: PriceOf | None = None
    """What a send costs, where that is not what the request was admitted for."""
    others: OtherTasks | None = None
    """The same with the models that may answer in this one's place."""
    conversation: str | None = None
    """Under which name `on_end` may store the chat that was begun, to go on in it."""

    def new_question(self) -> Question:
        """What is asked. Raises `ValueError` for a task without a question."""
        if self.question is not None:
            return self.question
        if self.ask is not None:
            return OneCall(self.ask)
        if self.build is None:
            raise ValueError("a generation needs 'build', 'ask' or 'question'")
        return PlainQuestion(self.build)
