"""What is asked of an account, once per send; how the answer is read is the question's own business."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import Protocol

from accounts import AccountKind, Lease
from gateway.generation.rules import Change
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
