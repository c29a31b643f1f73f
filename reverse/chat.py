"""Chat requests as callers make them, and the values that clients return besides events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Protocol, Self

from lazy_dataclasses import dataclass
from reverse.events import Event
from reverse.videos import VideoJobs

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message: its bytes, or an https address to fetch it from."""

    name: str
    content_type: str
    data: bytes | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the assistant made earlier; `arguments` is JSON text.

    `extra_content` is what came with it (see `ToolCallDelta`): without it some providers refuse the result.
    """

    id: str
    name: str
    arguments: str = field(repr=False)
    extra_content: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning of an earlier answer with the provider's seal (see `ReasoningSigned`).

    Of redacted reasoning there is only the seal.
    """

    text: str = field(repr=False)
    signature: str = field(repr=False)
    is_redacted: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. `thinking` came before the rest of it."""

    role: Role
    text: str = field(repr=False)
    attachments: tuple[Attachment, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    thinking: tuple[Thinking, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRef:
    """An existing Poe chat to continue (web only)."""

    chat_id: int
    chat_code: str | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One question to one bot.

    The web client takes exactly one message (Poe itself keeps the history of a chat), the official client any number.
    `in_bot_protocol` asks an official account in the bot protocol (see `PoeError.may_be_bot_only`).
    `parameters` are the bot's own options (docs/reference/poe-web.md#sending-a-message; official: fields of the request
    body such as `temperature`). `tools`, `tool_choice` and `response_format` have OpenAI's shapes and reach official
    accounts only.
    """

    bot: str
    messages: Sequence[Message]
    chat: ChatRef | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tools: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    tool_choice: Any = field(default=None, repr=False)
    response_format: Mapping[str, Any] | None = field(default=None, repr=False)
    max_tokens: int | None = None
    stop: Sequence[str] = field(default=(), repr=False)
    suggest_replies: bool = False
    in_bot_protocol: bool = False


@dataclass(frozen=True, slots=True)
class PointsReading:
    """Points as the upstream reports them; `None` means that it did not say. Times are epoch seconds."""

    balance: int | None
    subscribed: bool | None = None
    allotment: int | None = None
    next_grant_at: float | None = None
    usd_per_point: float | None = None
    """What a point is worth, where the upstream tells the balance in dollars as well (official only)."""
    addon: int | None = None
    """How many points of the balance were bought besides the plan."""


@dataclass(frozen=True, slots=True)
class PointsSpent:
    """One entry of an account's points history. `spent_at` is epoch seconds.

    `points` may read 0 for a moment before the cost lands. What follows it is known of official accounts only.
    """

    query_id: str
    spent_at: float | None
    bot: str
    points: int | None
    usage_type: str | None = None
    cost_usd: str | None = None
    breakdown: Mapping[str, str] = field(default_factory=dict)
    api_key_name: str | None = None
    chat_name: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a message left behind when its answer was over, or was not waited for any longer."""

    chat_id: int | None = None
    """The chat that was begun for it (web only): Poe keeps it until somebody deletes it."""
    late_points: asyncio.Future[int] | None = field(default=None, compare=False)
    """Gets what the answer cost, if Poe says so yet; cancelled when nothing can come any more (web only)."""


NOTHING_LEFT = Aftermath()


class PoeClient(Protocol):
    """What the web and the official client have in common, so that callers need not care which it is.

    Entering does no network call: it connects on first use. `aclose` closes sockets and does no network call either.
    """

    @property
    def videos(self) -> VideoJobs | None:
        """Videos as jobs; `None` where the API has no such jobs (web)."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def aclose(self) -> None:
        """Release sockets and tasks. Safe to call twice, from any state."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """Ask, and yield what happens until the answer ends.

        Use it under `contextlib.aclosing`: closing the generator early, or cancelling the task, stops the answer
        upstream with one bounded call. The message is sent once, whatever happens; whether it may be sent again says
        the `delivery` of the `PoeError` that is raised.
        """

    async def points(self) -> PointsReading:
        """Read the account's balance. Raises `PoeError`."""

    def aftermath(self) -> Aftermath:
        """What the last message left behind, told once. Also after a failure, and where its answer was not awaited."""

    def session_data(self) -> dict[str, Any]:
        """Derived data worth keeping for the next client of this account (form key, channel, bot ids): JSON values.

        Holds secrets: store it as carefully as the credentials. Empty when there is nothing to keep.
        """
