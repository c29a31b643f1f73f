"""What an operation gets and may do, and the table of operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.poe_web.accounts import Chat, SimulatedAccount
from local.poe_web.answers import Attachment
from local.poe_web.bots import Bot
from local.poe_web.catalogue import OPERATIONS
from local.poe_web.delivery import Broadcaster
from local.poe_web.relay import number_of
from local.poe_web.world import Job, World


class QueryFailed(Exception):
    """A query that cannot be answered. The wire says `message`; the journal says `note`, which is the reason."""

    def __init__(self, note: str, message: str = "Server Error") -> None:
        super().__init__(note)
        self.note, self.message = note, message


_MISSING: Any = object()


@dataclass(slots=True)
class Query:
    """One GraphQL call. `files` are the uploaded parts by label; `job` is set by operations that make a bot write.

    `history_delay_seconds` is how late the points history is.
    """

    world: World
    out: Broadcaster
    account: SimulatedAccount
    name: str
    variables: dict[str, Any]
    channel: str | None = None
    files: dict[str, Attachment] = field(default_factory=dict)
    job: Job | None = None
    history_delay_seconds: float = 0.0

    def get(self, name: str, kind: type | tuple[type, ...], default: Any = _MISSING) -> Any:
        """A variable of this type. With a `default` it may be absent or null. Raises `QueryFailed`."""
        value = self.variables.get(name)
        if value is None and default is not _MISSING:
            return default
        wrong_bool = isinstance(value, bool) and bool not in (kind if isinstance(kind, tuple) else (kind,))
        if not isinstance(value, kind) or wrong_bool:
            raise QueryFailed(f"variable {name!r} is missing or has the wrong type")
        return value

    def numbers(self, name: str) -> list[int]:
        """A variable that is a list of integers."""
        values = self.get(name, list)
        if not all(type(value) is int for value in values):
            raise QueryFailed(f"variable {name!r} has to be a list of integers")
        return list(values)

    def bot(self, name: str) -> Bot:
        """The bot that a client calls so, or `QueryFailed`."""
        bot = self.world.bots.named(name, self.account.p_b)
        if bot is None:
            raise QueryFailed(f"no bot is called {name!r}", "Bot not found")
        return bot

    def chat(self, chat_id: int) -> Chat:
        """The account's chat with this number, or `QueryFailed`."""
        chat = self.account.chats.get(chat_id)
        if chat is None:
            raise QueryFailed(f"the account has no chat {chat_id}")
        return chat

    def node(self, kind: str) -> int:
        """The number in the variable `id`, which is a global id of this kind."""
        number = number_of(kind, self.get("id", str))
        if number is None:
            raise QueryFailed(f"'id' is no global id of a {kind}")
        return number


Data = dict[str, Any]
Operation = Callable[[Query], Data]
TABLE: dict[str, Operation] = {}
"""Query name, as in the catalogue, to what answers it."""


def operation(name: str) -> Callable[[Operation], Operation]:
    """Enter a function into the table under a query name of the catalogue."""
    if name not in OPERATIONS:
        raise LookupError(name)

    def enter(function: Operation) -> Operation:
        TABLE[name] = function
        return function

    return enter
