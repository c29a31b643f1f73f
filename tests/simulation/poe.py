"""Poe, in virtual time: accounts that are charged, refuse, and list what they charged late.

The truth is kept apart from what is told: every charge with the message that it was for, who was asked while they had
said to wait, and how many were asked at once.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

from accounts import AccountKind
from reverse.chat import NOTHING_LEFT, Aftermath, ChatRequest, PointsReading, PointsSpent
from reverse.errors import Delivery, ErrorCode, poe_error
from reverse.events import Event, Finished, TextDelta, UsageReported

OUR_NAME, OTHER_NAME = "gateway", "another program"
PRICES = {"cheap": 7, "fair": 20, "dear": 150}


class Process(Protocol):
    """Who asks. `gate` holds up whatever a killed or frozen process does."""

    is_dead: bool

    async def gate(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge as it really was."""

    at: float
    points: int
    bot: str
    name: str
    message: str
    """What the charge was for; empty for others' charges."""
    listed_at: float
    landed_at: float
    number: int


@dataclass(slots=True, eq=False)
class _OpenRequest:
    """One request under way, and whether its process is gone."""

    is_dead: Callable[[], bool]


@dataclass(slots=True)
class PoeAccount:
    """One account at Poe."""

    kind: AccountKind
    balance: int
    slots: int
    charges: list[Charge] = field(default_factory=list)
    secret: str = ""
    open_requests: set[_OpenRequest] = field(default_factory=set)
    most_at_once: int = 0
    asked_too_early: int = 0
    has_history: bool = True
    chats: set[int] = field(default_factory=set)
    """Begun for messages, and not deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoeFaults:
    """Probabilities per send."""

    refused: float = 0.0
    """429 with a time to wait."""
    not_sent: float = 0.0
    """No connection: Poe never saw the message."""
    vanished: float = 0.0
    """The connection is lost after the message was sent: it was charged or not, and nobody is told."""
    cut: float = 0.0
    """The answer breaks off in the middle, and is charged."""
    unreported: float = 0.0
    """Web: the answer does not say what it cost."""
    reported_late: float = 0.0
    """Web, of those: Poe says it up to a minute after the answer."""
    not_deleted: float = 0.0
    """Web: a chat is not deleted when that is asked for, or the answer to it is lost."""


class SimulatedPoe:
    """All accounts, by their secret."""

    def __init__(
        self, rng: random.Random, faults: PoeFaults, now: Callable[[], float], must_wait: Callable[[str], bool]
    ) -> None:
        self.rng = rng
        self.other_rng = random.Random(rng.getstate()[1][0])
        self.must_wait = must_wait
        self.faults = faults
        self.now = now
        self.accounts: dict[str, PoeAccount] = {}
        self.delivered: Counter[str] = Counter()
        self.numbers = itertools.count()

    def charge(self, account: PoeAccount, bot: str, message: str, name: str = OUR_NAME) -> int:
        points = PRICES[bot]
        at = self.now()
        account.balance -= points
        account.charges.append(
            Charge(
                at=at,
                points=points,
                bot=bot,
                name=name,
                message=message,
                listed_at=at + self.rng.uniform(1, 240),
                landed_at=at + self.rng.uniform(1, 400),
                number=next(self.numbers),
            )
        )
        if message:
            self.delivered[message] += 1
        return points

    def client(self, secret: str, process: Process) -> SimulatedClient:
        return SimulatedClient(self, self.accounts[secret], process)


class SimulatedClient:
    """Keeps the contract of `PoeClient` for one account."""

    videos = None

    def __init__(self, poe: SimulatedPoe, account: PoeAccount, process: Process) -> None:
        self._poe = poe
        self._account = account
        self._gate = process.gate
        self._is_dead = lambda: process.is_dead
        self._left = NOTHING_LEFT

    @property
    def chats(self) -> Self:
        return self

    async def delete(self, chat_id: int) -> None:
        """Delete a chat, or fail before or after that."""
        await self._gate()
        await asyncio.sleep(0.1)
        await self._gate()
        rng = self._poe.other_rng
        is_failing = rng.random() < self._poe.faults.not_deleted
        if is_failing and rng.random() < 0.5:
            raise poe_error(ErrorCode.CONNECTION_FAILED)
        if chat_id not in self._account.chats:
            raise poe_error(ErrorCode.UPSTREAM_FAILED, status=200, upstream_text="Server Error")
        self._account.chats.discard(chat_id)
        if is_failing:
            raise poe_error(ErrorCode.CONNECTION_FAILED)

    async def exists(self, chat_id: int) -> bool:
        await self._gate()
        return chat_id in self._account.chats

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is open."""

    def aftermath(self) -> Aftermath:
        left, self._left = self._left, NOTHING_LEFT
        return left

    def _report_late(self, points: int) -> None:
        loop = asyncio.get_running_loop()
        late: asyncio.Future[int] = loop.create_future()
        self._left = replace(self._left, late_points=late)
        loop.call_later(self._poe.other_rng.uniform(0, 15), lambda: late.done() or late.set_result(points))

    def session_data(self) -> dict[str, Any]:
        return {}

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        poe, account, rng, faults = self._poe, self._account, self._poe.rng, self._poe.faults
        message = request.messages[-1].text
        self._left = NOTHING_LEFT
        await self._gate()
        if rng.random() < faults.not_sent:
            raise poe_error(ErrorCode.CONNECTION_FAILED, delivery=Delivery.NOT_SENT)
        await asyncio.sleep(rng.expovariate(1 / 0.05))
        # A killed sandbox sends nothing any more.
        await self._gate()
        if poe.must_wait(account.secret):
            account.asked_too_early += 1
        # What a killed process had asked ends with its connection.
        account.open_requests = {one for one in account.open_requests if not one.is_dead()}
        opened = _OpenRequest(self._is_dead)
        account.open_requests.add(opened)
        account.most_at_once = max(account.most_at_once, len(account.open_requests))
        try:
            async for event in self._answer(request.bot, message):
                await self._gate()
                yield event
        finally:
            account.open_requests.discard(opened)

    async def _answer(self, bot: str, message: str) -> AsyncGenerator[Event, None]:
        poe, account, rng, faults = self._poe, self._account, self._poe.rng, self._poe.faults
        chance = rng.random()
        if chance < faults.refused:
            wait = rng.uniform(1, 240)
            raise poe_error(ErrorCode.RATE_LIMITED, retry_after_seconds=wait, delivery=Delivery.REFUSED)
        if account.balance < PRICES[bot]:
            raise poe_error(ErrorCode.INSUFFICIENT_POINTS, delivery=Delivery.REFUSED)
        if chance < faults.refused + faults.vanished:
            if rng.random() < 0.5:
                poe.charge(account, bot, message)
            await asyncio.sleep(rng.uniform(0, 5))
            raise poe_error(ErrorCode.CONNECTION_FAILED, delivery=Delivery.UNKNOWN)
        points = poe.charge(account, bot, message)
        if account.kind is AccountKind.WEB:
            chat_id = next(poe.numbers)
            account.chats.add(chat_id)
            self._left = Aftermath(chat_id)
        await asyncio.sleep(rng.expovariate(1 / 0.8))
        yield TextDelta("first ")
        await asyncio.sleep(rng.expovariate(1 / 4.0))
        if rng.random() < faults.cut:
            raise poe_error(ErrorCode.CONNECTION_FAILED, delivery=Delivery.PARTIAL)
        yield TextDelta("and last")
        if account.kind is AccountKind.WEB:
            if rng.random() >= faults.unreported:
                yield UsageReported(points=points)
            elif poe.other_rng.random() < faults.reported_late:
                self._report_late(points)
        yield Finished()

    async def points(self) -> PointsReading:
        await self._gate()
        await asyncio.sleep(0.1)
        await self._gate()
        return PointsReading(balance=max(0, self._account.balance))

    async def points_history(self) -> AsyncGenerator[PointsSpent, None]:
        await self._gate()
        await asyncio.sleep(0.1)
        await self._gate()
        now = self._poe.now()
        if not self._account.has_history:
            raise poe_error(ErrorCode.STALE_OPERATION)
        for charge in sorted(self._account.charges, key=lambda charge: -charge.at):
            if charge.listed_at <= now:
                is_official = self._account.kind is AccountKind.OFFICIAL
                yield PointsSpent(
                    query_id=f"q{charge.number}",
                    spent_at=charge.at,
                    bot=charge.bot,
                    points=charge.points if charge.landed_at <= now else 0,
                    usage_type="API" if is_official else None,
                    api_key_name=charge.name if is_official else None,
                )


def make_client(
    poe: SimulatedPoe, process: Process
) -> Callable[[AccountKind, Mapping[str, str], Mapping[str, Any] | None], SimulatedClient]:
    """A client factory, as the pool has it."""

    def make(kind: AccountKind, credentials: Mapping[str, str], session: Mapping[str, Any] | None) -> SimulatedClient:
        del kind, session
        return poe.client(credentials["api_key"], process)

    return make
