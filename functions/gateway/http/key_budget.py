"""What a request reserves on the limits of its key, before each send.

The first send of a request reserves for all of its answers at once, all or nothing, together with the count against
the rate: one conditional write. A further send of an answer reserves for itself. The release of a send's lease replaces
what it reserved by what it consumed.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Callable
from contextlib import suppress

from accounts import (
    AccountStore,
    AccountStoreError,
    ApiKey,
    KeyUse,
    OverLimit,
    Reservation,
    Reserved,
    seconds_to_next_month,
)
from gateway.http.errors import QUOTA, RATE_LIMIT, GatewayError
from lazy_dataclasses import dataclass

# Tokens that an answer without a limit is expected to have, and at most if it has one: programs set it high to be safe.
EXPECTED_TOKENS = 1_000
MAX_EXPECTED_TOKENS = 4_000
_MINUTE_SECONDS = 60
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a send will probably cost. `None` means that nobody can tell."""

    usd: float | None = None
    """In dollars, for accounts that tell what their points are worth."""
    points: int | None = None
    """In points, for the others."""
    reserved: int | None = None
    """What is reserved on a budget, before it is known which account it will be."""


PriceOf = Callable[[int, int], Price]
"""The price of a send with so many tokens in the prompt, and at most in the answer."""
UNKNOWN_PRICE = Price()


@dataclass(frozen=True, slots=True)
class Ticket:
    """What one send may spend. `owner` names its lease."""

    owner: str
    price: Price
    reserved: Reserved | None


class KeyBudget:
    """The limits of one request's key. `unpriced_points` are reserved for a send whose price is unknown."""

    def __init__(
        self,
        store: AccountStore,
        key: ApiKey,
        *,
        answers: int = 1,
        price: PriceOf = lambda *_: UNKNOWN_PRICE,
        unpriced_points: int = 100,
    ) -> None:
        self.key = key
        self._store = store
        self._answers = answers
        self._price = price
        self._unpriced_points = unpriced_points
        # Answers to one request begin together. One of them reserves for all, the others wait for it here.
        self._begun = asyncio.Lock()
        self._is_begun = False
        # Names of reservations that no answer has taken yet.
        self._spare: list[str] = []
        self._reserved: Reserved | None = None
        self._use: KeyUse | None = None

    @property
    def _reserves(self) -> bool:
        return self.key.has_budget or self.key.max_concurrent is not None

    async def count(self) -> None:
        """Count the request, where nothing is reserved for its sends. Raises `GatewayError` (429)."""
        # A key with a budget is counted with its first reservation, in the same write.
        if not self._reserves and self.key.requests_per_minute is not None:
            await self._take(Reservation(owners=(), requests=self._answers))

    async def reserve(
        self, *, prompt_tokens: int, max_tokens: int | None, is_first: bool, price_of: PriceOf | None = None
    ) -> Ticket:
        """What a send may spend. `is_first` says that it is the first for its answer. Raises `GatewayError` (429).

        `price_of` is for a send to another model than the request was admitted for.
        """
        # An estimate on the high side; the release of the lease corrects it.
        answer_tokens = EXPECTED_TOKENS if max_tokens is None else min(max_tokens, MAX_EXPECTED_TOKENS)
        price = (price_of or self._price)(prompt_tokens, answer_tokens)
        if not self._reserves:
            return Ticket(secrets.token_hex(16), price, None)
        # A send of unknown price must not be free for the budget.
        points = self._unpriced_points if price.reserved is None else price.reserved
        async with self._begun:
            # All or nothing: a request for four answers must not pay for two and then be refused.
            if is_first and not self._is_begun:
                await self._reserve(self._answers, points, prompt_tokens + answer_tokens, requests=self._answers)
                self._is_begun = True
            # Repetitions reserve for themselves, and are no further requests against the rate.
            elif not is_first or not self._spare:
                await self._reserve(1, points, prompt_tokens + answer_tokens, requests=0)
            return Ticket(self._spare.pop(), price, self._reserved)

    async def give_back(self, ticket: Ticket) -> None:
        """End a reservation without a lease. One that can't be ended now ends by itself after an hour."""
        if ticket.reserved is not None:
            # The caller has its answer or its error by now.
            with suppress(AccountStoreError):
                await self._store.cancel_reservation(self.key.id, ticket.owner)

    async def close(self) -> None:
        """End what was reserved for answers that were never begun."""
        while self._spare:
            await self.give_back(Ticket(self._spare.pop(), UNKNOWN_PRICE, self._reserved))

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*`, as OpenAI has them; points are an extension. Empty until the key's use is known."""
        key, use = self.key, self._use
        # Nothing was read from the table for this request, so nothing is known.
        if use is None:
            return {}
        windows = {"requests": [_Window(key.requests_per_minute, use.requests_this_minute, _minute_left(use.at))]}
        windows |= {unit: _windows(key, use, unit) for unit in ("tokens", "points")}
        headers: dict[str, str] = {}
        for unit, found in windows.items():
            if (tightest := min((w for w in found if w.most is not None), key=_Window.rank, default=None)) is not None:
                headers[f"x-ratelimit-limit-{unit}"] = str(tightest.most)
                headers[f"x-ratelimit-remaining-{unit}"] = str(tightest.left)
                headers[f"x-ratelimit-reset-{unit}"] = f"{max(1, math.ceil(tightest.seconds))}s"
        return headers

    async def _reserve(self, count: int, points: int, tokens: int, *, requests: int) -> None:
        owners = [secrets.token_hex(16) for _ in range(count)]
        counted = requests if self.key.requests_per_minute is not None else 0
        wanted = Reservation(owners=owners, requests=counted, points=points, tokens=tokens)
        self._reserved = await self._take(wanted)
        self._spare += owners

    async def _take(self, wanted: Reservation) -> Reserved | None:
        admission = await self._store.reserve_budget(self.key, wanted)
        # Kept for a refusal, too: its headers tell what is left.
        self._use = admission.use
        if admission.over is not None:
            raise over_limit(admission.over, self.key, admission.use, wanted)
        return admission.reserved


@dataclass(frozen=True, slots=True)
class _Window:
    """One limit of a key, what is used of it, and in how many seconds it begins anew."""

    most: int | None
    used: int
    seconds: float

    @property
    def left(self) -> int:
        return max(0, (self.most or 0) - self.used)

    def rank(self) -> tuple[int, float]:
        """The window that keeps more out comes first: it has less left, or lasts longer."""
        return self.left, -self.seconds


def _windows(key: ApiKey, use: KeyUse, unit: str) -> list[_Window]:
    """The day's and the month's limit of points or tokens."""
    day, month = _DAY_SECONDS - use.at % _DAY_SECONDS, seconds_to_next_month(use.at)
    if unit == "points":
        return [
            _Window(key.points_per_day, use.points_today, day),
            _Window(key.points_per_month, use.points_this_month, month),
        ]
    return [
        _Window(key.tokens_per_day, use.tokens_today, day),
        _Window(key.tokens_per_month, use.tokens_this_month, month),
    ]


def _minute_left(at: float) -> float:
    return _MINUTE_SECONDS - at % _MINUTE_SECONDS


def over_limit(over: OverLimit, key: ApiKey, use: KeyUse, wanted: Reservation) -> GatewayError:
    """The refusal for a limit that was reached, with what is left and what the request may take."""
    seconds = float(over)
    match over.limit:
        case "rate":
            return GatewayError(RATE_LIMIT, retry_after_seconds=seconds)
        case "concurrency":
            message = "This API key has as many requests under way as it may have."
            return GatewayError(RATE_LIMIT, message, retry_after_seconds=seconds)
    unit, verb = ("tokens", "take") if over.limit == "tokens" else ("points", "cost")
    each = wanted.tokens if unit == "tokens" else wanted.points
    needed = each * len(wanted.owners)
    limits = [window for window in _windows(key, use, unit) if window.most is not None]
    left = min((window.left for window in limits), default=0)
    whole = min((window.most or 0 for window in limits), default=0)
    # Waiting does not help here, unlike below.
    if 0 < whole < needed:
        message = f"The request may {verb} up to {needed} {unit}, more than this API key's whole budget of {whole}."
        return GatewayError(QUOTA, message, retry_after_seconds=seconds)
    if 0 < left < needed:
        told = f"This API key has {left} {unit} of its budget left; the request may {verb} up to {needed}."
        return GatewayError(QUOTA, told, retry_after_seconds=seconds)
    text = "This API key has used up its tokens." if unit == "tokens" else None
    return (
        GatewayError(QUOTA, text, retry_after_seconds=seconds)
        if text
        else GatewayError(QUOTA, retry_after_seconds=seconds)
    )
