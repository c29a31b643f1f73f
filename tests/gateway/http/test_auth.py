"""API keys and the admin key."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import Headers

from accounts import AccountKind, ApiKey, InMemoryAccountStore
from gateway.http.auth import Authenticator, may_use, read_token
from gateway.http.errors import GatewayError
from reverse.events import Finished, TextDelta, UsageReported
from tests.gateway.scripted import API_KEY, House, ask


def bearer(token: str) -> Headers:
    return Headers({"authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "Basic abc"},
        {"x-api-key": " "},
    ],
)
def test_without_a_token_it_is_said_how_to_send_one(headers: dict[str, str]) -> None:
    with pytest.raises(GatewayError) as caught:
        read_token(Headers(headers))
    assert caught.value.status == 401
    assert caught.value.headers()["www-authenticate"] == "Bearer"


def test_the_scheme_is_read_without_regard_to_case() -> None:
    assert read_token(Headers({"authorization": "bEaReR  abc "})) == "abc"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_known_key_is_not_looked_up_again_for_a_minute() -> None:
    clock = Clock()
    store = InMemoryAccountStore(clock=clock)
    key, secret = await store.create_key(name="a")
    authenticator = Authenticator(store, clock=clock, wall_clock=clock)
    assert (await authenticator.authenticate(bearer(secret))).id == key.id
    await store.revoke_key(key.id)
    clock.now += 59
    assert (await authenticator.authenticate(bearer(secret))).id == key.id
    clock.now += 2
    with pytest.raises(GatewayError):
        await authenticator.authenticate(bearer(secret))


async def test_an_unknown_key_is_known_as_soon_as_it_exists() -> None:
    store = InMemoryAccountStore()
    authenticator = Authenticator(store)
    with pytest.raises(GatewayError):
        await authenticator.authenticate(bearer(API_KEY))
    await store.create_key(name="a", secret=API_KEY)
    assert (await authenticator.authenticate(bearer(API_KEY))).name == "a"


async def test_a_remembered_key_expires_on_time() -> None:
    clock = Clock()
    store = InMemoryAccountStore(clock=clock)
    _, secret = await store.create_key(name="a", expires_at=1030)
    authenticator = Authenticator(store, clock=clock, wall_clock=clock)
    await authenticator.authenticate(bearer(secret))
    clock.now = 1031
    with pytest.raises(GatewayError):
        await authenticator.authenticate(bearer(secret))


async def test_what_is_remembered_is_bounded_and_holds_no_secret() -> None:
    store = InMemoryAccountStore()
    authenticator = Authenticator(store)
    for number in range(1100):
        secret = f"{API_KEY}-{number}"
        await store.create_key(name="a", secret=secret)
        await authenticator.authenticate(bearer(secret))
    assert len(authenticator._known) == 1024
    assert API_KEY not in repr(authenticator._known)


@pytest.mark.parametrize(
    ("models", "name", "expected"),
    [((), "GPT-5", True), (("gpt-5",), "GPT-5", True), (("gpt-*",), "GPT-5", True), (("claude*",), "GPT-5", False)],
)
def test_a_keys_list_of_models(models: tuple[str, ...], name: str, expected: bool) -> None:
    assert may_use(ApiKey(id="1", name="a", hash="h", models=models), (name,)) is expected


async def test_a_model_off_the_list_is_403_and_asks_nobody(house: House) -> None:
    await house.add_account()
    await house.store.create_key(name="narrow", secret=API_KEY + "n", models=["claude*"])
    answer = await house.call(body=ask(), key=API_KEY + "n")
    assert (answer.status, answer.error["code"], answer.error["type"]) == (403, "model_not_allowed", "permission_error")
    assert not house.poe.requests


async def test_a_key_over_its_rate_is_told_when_to_come_back(house: House) -> None:
    await house.add_account()
    await house.store.create_key(name="slow", secret=API_KEY + "s", requests_per_minute=1)
    assert (await house.call(body=ask(), key=API_KEY + "s")).status == 200
    answer = await house.call(body=ask(), key=API_KEY + "s")
    assert (answer.status, answer.error["code"], answer.error["type"]) == (
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
    )
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "x-should-retry" not in answer.headers


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", ask(n=3)),
        ("/v1/completions", {"model": "gpt-4o", "prompt": ["a", "b", "c"]}),
        ("/v1/completions", {"model": "gpt-4o", "prompt": "a", "n": 3}),
        ("/v1/images/generations", {"model": "gpt-image-1", "prompt": "a", "n": 3}),
    ],
    ids=["n", "several prompts", "n of a completion", "several images"],
)
async def test_each_answer_counts_as_a_request(house: House, path: str, body: dict[str, Any]) -> None:
    await house.store.create_key(name="slow", secret=API_KEY + "s", requests_per_minute=2)
    refused = await house.call(path, body, key=API_KEY + "s")
    assert (refused.status, refused.error["param"], refused.error["code"]) == (400, "n", "out_of_range")
    await house.store.create_key(name="faster", secret=API_KEY + "f", requests_per_minute=5)
    # Without an account nobody answers, but the request has been counted.
    assert (await house.call(path, body, key=API_KEY + "f")).error["code"] != "rate_limit_exceeded"
    refused = await house.call(path, body, key=API_KEY + "f")
    assert (refused.status, refused.error["code"]) == (429, "rate_limit_exceeded")


async def test_a_key_over_its_budget_is_told_not_to_try(house: House) -> None:
    await house.store.create_key(name="poor", secret=API_KEY + "p", points_per_day=0)
    answer = await house.call(body=ask(), key=API_KEY + "p")
    assert (answer.status, answer.error["code"]) == (429, "insufficient_quota")
    assert answer.headers["x-should-retry"] == "false"
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_budget_that_is_too_small_for_the_request_says_so(house: House) -> None:
    await house.add_account()
    await house.store.create_key(name="small", secret=API_KEY + "s", points_per_day=50)
    answer = await house.call(body=ask(), key=API_KEY + "s")
    assert (answer.status, answer.error["code"]) == (429, "insufficient_quota")
    assert "may cost up to 100 points, more than this API key's whole budget of 50" in answer.error["message"]


async def test_a_budget_with_too_little_left_says_how_much(house: House) -> None:
    await house.add_account(kind=AccountKind.WEB)
    await house.store.create_key(name="small", secret=API_KEY + "s", points_per_day=150)
    house.poe.enqueue(TextDelta("Hi"), UsageReported(points=80), Finished())
    assert (await house.call(body=ask(), key=API_KEY + "s")).status == 200
    answer = await house.call(body=ask(), key=API_KEY + "s")
    assert "70 points of its budget left; the request may cost up to 100" in answer.error["message"]


async def test_tokens_that_do_not_suffice_are_told_like_points(house: House) -> None:
    await house.store.create_key(name="small", secret=API_KEY + "s", tokens_per_day=500)
    answer = await house.call(body=ask(), key=API_KEY + "s")
    assert (answer.status, answer.error["code"]) == (429, "insufficient_quota")
    assert "more than this API key's whole budget of 500" in answer.error["message"]


@pytest.mark.parametrize(
    ("limits", "shown"),
    [
        ({"points_per_month": 300}, ("300", "200")),
        ({"points_per_day": 1_000, "points_per_month": 300}, ("300", "200")),
        ({"points_per_day": 300, "points_per_month": 1_000}, ("300", "200")),
        ({"points_per_day": 300, "points_per_month": 300}, ("300", "200")),
    ],
)
async def test_headers_show_the_budget_that_ends_first(
    house: House, limits: dict[str, int], shown: tuple[str, str]
) -> None:
    await house.add_account()
    await house.store.create_key(name="limited", secret=API_KEY + "l", **limits)
    headers = (await house.call(body=ask(), key=API_KEY + "l")).headers
    assert (headers["x-ratelimit-limit-points"], headers["x-ratelimit-remaining-points"]) == shown


async def test_several_prompts_and_answers_reserve_together_or_not_at_all(house: House) -> None:
    await house.add_account(max_concurrency=9)
    key, _ = await house.store.create_key(name="limited", secret=API_KEY + "l", points_per_day=299)
    prompts = {"model": "GPT-5", "prompt": ["a", "b", "c"]}
    assert (await house.call("/v1/completions", prompts, key=API_KEY + "l")).status == 429
    assert (await house.call("/v1/completions", prompts | {"prompt": ["a"], "n": 3}, key=API_KEY + "l")).status == 429
    assert (await house.store.key_use(key.id)).points_today == 0, "nothing of it stays reserved"
    assert house.poe.requests == []
    assert (await house.call("/v1/completions", prompts | {"prompt": ["a", "b"]}, key=API_KEY + "l")).status == 200
    assert (await house.store.key_use(key.id)).points_today == 200
