"""What a request reserves on the limits of its key, before each send.

The first send of a request reserves for all of its answers at once, all or nothing, together with the count against
the rate: one conditional write. A further send of an answer reserves for itself. The release of a send's lease replaces
what it reserved by what it consumed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from accounts import AccountStore, AccountStoreError, ApiKey, KeyUse, OverLimit, Reservation, Reserved
from gateway.http.errors import QUOTA, RATE_LIMIT, GatewayError

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
        self._begun = asyncio.Lock()
        self._is_begun = False
        self._spare: list[str] = []
        self._reserved: Reserved | None = None
        self._use: KeyUse | None = None

    @property
    def _reserves(self) -> bool:
        return self.key.has_budget or self.key.max_concurrent is not None

    async def count(self) -> None:
        """Count the request, where nothing is reserved for its sends. Raises `GatewayError` (429)."""
        if not self._reserves and self.key.requests_per_minute is not None:
            await self._take(Reservation(owners=(), requests=self._answers))

    async def reserve(
        self, *, prompt_tokens: int, max_tokens: int | None, is_first: bool, price_of: PriceOf | None = None
    ) -> Ticket:
        """What a send may spend. `is_first` says that it is the first for its answer. Raises `GatewayError` (429).

        `price_of` is for a send to another model than the request was admitted for.
        """
        answer_tokens = EXPECTED_TOKENS if max_tokens is None else min(max_tokens, MAX_EXPECTED_TOKENS)
        price = (price_of or self._price)(prompt_tokens, answer_tokens)
        if not self._reserves:
            return Ticket(secrets.token_hex(16), price, None)
        points = self._unpriced_points if price.reserved is None else price.reserved
        async with self._begun:
            if is_first and not self._is_begun:
                await self._reserve(self._answers, points, prompt_tokens + answer_tokens, requests=self._answers)
                self._is_begun = True
            elif not is_first or not self._spare:
                await self._reserve(1, points, prompt_tokens + answer_tokens, requests=0)
            return Ticket(self._spare.pop(), price, self._reserved)

    async def give_back(self, ticket: Ticket) -> None:
        """End a reservation without a lease. One that can't be ended now ends by itself after an hour."""
        if ticket.reserved is not None:
            with suppress(AccountStoreError):
                await self._store.cancel_reservation(self.key.id, ticket.owner)

    async def close(self) -> None:
        """End what was reserved for answers that were never begun."""
        while self._spare:
            await self.give_back(Ticket(self._spare.pop(), UNKNOWN_PRICE, self._reserved))

    def headers(self) -> dict[str, str]:
        """`x-ratelimit-*`, as OpenAI has them; points are an extension. Empty until the key's use is known."""
        key, use = self.key, self._use
        if use is None:
            return {}
        rows = (
            ("requests", key.requests_per_minute, use.requests_this_minute, _MINUTE_SECONDS - use.at % _MINUTE_SECONDS),
            ("tokens", key.tokens_per_day, use.tokens_today, _DAY_SECONDS - use.at % _DAY_SECONDS),
            ("points", key.points_per_day, use.points_today, _DAY_SECONDS - use.at % _DAY_SECONDS),
        )
        headers: dict[str, str] = {}
        for name, most, used, seconds in rows:
            if most is not None:
                headers[f"x-ratelimit-limit-{name}"] = str(most)
                headers[f"x-ratelimit-remaining-{name}"] = str(max(0, most - used))
                headers[f"x-ratelimit-reset-{name}"] = f"{max(1, round(seconds))}s"
        return headers

    async def _reserve(self, count: int, points: int, tokens: int, *, requests: int) -> None:
        owners = [secrets.token_hex(16) for _ in range(count)]
        counted = requests if self.key.requests_per_minute is not None else 0
        wanted = Reservation(owners=owners, requests=counted, points=points, tokens=tokens)
        self._reserved = await self._take(wanted)
        self._spare += owners

    async def _take(self, wanted: Reservation) -> Reserved | None:
        admission = await self._store.reserve_budget(self.key, wanted)
        self._use = admission.use
        if admission.over is not None:
            raise over_limit(admission.over, points_left=points_left(self.key, admission.use), points=_points(wanted))
        return admission.reserved


def points_left(key: ApiKey, use: KeyUse) -> int:
    """What is left of the tighter budget of points; 0 if there is none."""
    rows = ((key.points_per_day, use.points_today), (key.points_per_month, use.points_this_month))
    return max(0, min((most - used for most, used in rows if most is not None), default=0))


def _points(wanted: Reservation) -> int:
    return wanted.points * len(wanted.owners)


def over_limit(over: OverLimit, *, points_left: int = 0, points: int = 0) -> GatewayError:
    """The refusal for a limit that was reached. `points` is what the request may cost."""
    match over.limit:
        case "rate":
            return GatewayError(RATE_LIMIT, retry_after_seconds=float(over))
        case "concurrency":
            message = "This API key has as many requests under way as it may have."
            return GatewayError(RATE_LIMIT, message, retry_after_seconds=float(over))
        case "tokens":
            return GatewayError(QUOTA, "This API key has used up its tokens.", retry_after_seconds=float(over))
        case "budget" if 0 < points_left < points:
            message = f"This API key has {points_left} points of its budget left; the request may cost up to {points}."
            return GatewayError(QUOTA, message, retry_after_seconds=float(over))
    return GatewayError(QUOTA, retry_after_seconds=float(over))
