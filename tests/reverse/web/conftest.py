"""A simulator without pauses, clients of it, and a way to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from local.poe_web import PoeWebSimulator, SimulatedAccount
from reverse.chat import ChatRef, ChatRequest, Message
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.events import ChatStarted, Event, Finished, FinishReason, TextDelta, TextReplaced, UsageReported
from reverse.web import PoeWebClient

COOKIE = "cookie-of-the-test-account"

Connect = Callable[..., PoeWebClient]
Ask = Callable[..., Awaitable["Answered"]]


@dataclass
class Answered:
    """An answer as a consumer has it in the end."""

    events: list[Event]

    @property
    def text(self) -> str:
        """What the deltas and replacements add up to."""
        text = ""
        for event in self.events:
            match event:
                case TextDelta(more):
                    text += more
                case TextReplaced(whole):
                    text = whole
        return text

    @property
    def chat(self) -> ChatRef:
        """The chat that the answer belongs to."""
        (started,) = [event for event in self.events if isinstance(event, ChatStarted)]
        return ChatRef(started.chat_id, started.chat_code)

    @property
    def reason(self) -> FinishReason:
        """Why it ended; an answer has one end, and it is the last event."""
        (finished,) = [event for event in self.events if isinstance(event, Finished)]
        assert self.events[-1] is finished
        return finished.reason

    @property
    def points(self) -> int | None:
        """The cost, where it came in time."""
        costs = [event.points for event in self.events if isinstance(event, UsageReported)]
        return costs[-1] if costs else None


@pytest.fixture
async def simulator() -> AsyncIterator[PoeWebSimulator]:
    """A simulator that answers at once, with one account."""
    async with PoeWebSimulator(pace_seconds=0.0, answer_delay_seconds=0.0) as running:
        running.add_account(COOKIE)
        yield running


@pytest.fixture
def account(simulator: PoeWebSimulator) -> SimulatedAccount:
    """The simulated account."""
    return simulator.account(COOKIE)


@pytest.fixture
def connect(simulator: PoeWebSimulator, account: SimulatedAccount) -> Connect:
    """Make a client of the simulator; keyword arguments are those of `PoeConfig` and `PoeWebClient`."""
    own = ("signer", "uploader", "fetch", "wall_clock", "rng")

    def make(
        *, credentials: WebCredentials | None = None, session_data: dict[str, Any] | None = None, **fields: Any
    ) -> PoeWebClient:
        arguments = {name: fields.pop(name) for name in own if name in fields}
        config = PoeConfig(**{"web_base_url": simulator.base_url, "channel_url": simulator.channel_url, **fields})
        known = credentials or WebCredentials(COOKIE, form_key=account.form_key)
        return PoeWebClient(known, config, session_data, **arguments)

    return make


@pytest.fixture
def chat_request() -> Callable[..., ChatRequest]:
    """Make a request of one user message."""
    return lambda text, bot="Echo", **fields: ChatRequest(bot, [Message("user", text)], **fields)


@pytest.fixture
def ask(chat_request: Callable[..., ChatRequest]) -> Ask:
    """Ask, and wait for the whole answer."""

    async def whole(client: PoeWebClient, text: str, bot: str = "Echo", **fields: Any) -> Answered:
        async with aclosing(client.stream(chat_request(text, bot, **fields))) as events:
            return Answered([event async for event in events])

    return whole
