"""What a request reserves, and what it is told when that does not fit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from accounts import InMemoryAccountStore
from gateway.http.errors import GatewayError
from gateway.http.key_budget import KeyBudget, Price

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC).timestamp()
HALF_A_DAY, REST_OF_THE_MONTH = 43_200, 15 * 86_400 + 43_200


async def budget_of(limits: dict[str, int], *, at: float = NOON, answers: int = 1) -> KeyBudget:
    store = InMemoryAccountStore(clock=lambda: at)
    key, _ = await store.create_key(name="k", **limits)  # type: ignore[arg-type]
    return KeyBudget(store, key, answers=answers, price=lambda *_: Price(reserved=100))


async def reserve(budget: KeyBudget, *, is_first: bool = True) -> None:
    await budget.reserve(prompt_tokens=10, max_tokens=90, is_first=is_first)


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ({"points_per_day": 150}, HALF_A_DAY),
        ({"points_per_month": 150}, REST_OF_THE_MONTH),
        ({"tokens_per_day": 150}, HALF_A_DAY),
        ({"tokens_per_month": 150}, REST_OF_THE_MONTH),
        # Both keep it out: waiting for the day would not help.
        ({"points_per_day": 150, "points_per_month": 150}, REST_OF_THE_MONTH),
        ({"points_per_day": 150, "points_per_month": 5_000}, HALF_A_DAY),
        ({"points_per_day": 150, "tokens_per_month": 150}, REST_OF_THE_MONTH),
    ],
)
async def test_the_wait_ends_with_the_window_and_so_do_the_headers(limits: dict[str, int], seconds: int) -> None:
    budget = await budget_of(limits)
    await reserve(budget)
    with pytest.raises(GatewayError) as refused:
        await reserve(budget, is_first=False)
    assert (refused.value.status, refused.value.code) == (429, "insufficient_quota")
    assert refused.value.retry_after_seconds == seconds
    assert f"{seconds}s" in budget.headers().values()


async def test_nobody_is_told_to_come_back_a_moment_too_early() -> None:
    budget = await budget_of({"points_per_day": 150}, at=NOON + 0.4)
    await reserve(budget)
    assert budget.headers()["x-ratelimit-reset-points"] == f"{HALF_A_DAY}s"


async def test_a_further_send_of_an_answer_reserves_for_itself() -> None:
    budget = await budget_of({"points_per_day": 250})
    await reserve(budget)
    await reserve(budget, is_first=False)
    assert budget.headers()["x-ratelimit-remaining-points"] == "50"
    with pytest.raises(GatewayError, match="50 points of its budget left; the request may cost up to 100"):
        await reserve(budget, is_first=False)


async def test_answers_reserve_together_with_the_first_send() -> None:
    budget = await budget_of({"points_per_day": 300, "requests_per_minute": 3}, answers=3)
    for _ in range(3):
        await reserve(budget)
    headers = budget.headers()
    assert headers["x-ratelimit-remaining-points"] == headers["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.parametrize(("limits", "unit"), [({"points_per_day": 99}, "points"), ({"tokens_per_day": 99}, "tokens")])
async def test_what_no_waiting_helps_says_that_the_whole_budget_is_too_small(limits: dict[str, int], unit: str) -> None:
    with pytest.raises(GatewayError, match=rf"up to 100 {unit}, more than this API key's whole budget of 99"):
        await reserve(await budget_of(limits))
