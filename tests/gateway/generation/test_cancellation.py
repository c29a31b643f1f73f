"""Requests that end at any moment: leases come back, nothing is left running, and the next request is answered."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from accounts import AccountKind, Lease, LeaseRequest, Outcome, RequestRecord, SendRecord
from gateway.settings import Settings
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta, ToolCallDelta, UsageReported
from tests.gateway.scripted import ADMIN_KEY, House, RecordingStore, ask


class SlowStore(RecordingStore):
    """Lets others run before and after each step, as a store does that is asked over a network."""

    def __init__(self) -> None:
        super().__init__()
        self.leased = 0

    async def lease(self, request: LeaseRequest) -> Lease:
        await _steps(2)
        lease = await super().lease(request)
        self.leased += 1
        return lease

    async def release(
        self,
        lease: Lease,
        outcome: Outcome,
        *,
        usage: SendRecord | None = None,
        request: RequestRecord | None = None,
        session_data: Mapping[str, Any] | None = None,
    ) -> None:
        await _steps(3)
        await super().release(lease, outcome, usage=usage, request=request, session_data=session_data)
        await _steps(2)


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr("tests.gateway.scripted.RecordingStore", SlowStore)
    house = House(
        Settings.from_env(
            {"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY, "GATEWAY_ACCOUNT_WAIT_SECONDS": "0.2"}
        )
    )
    await house.add_key()
    yield house
    await house.services.aclose()


LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
BODIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/v1/chat/completions", ask(stream=True)),
    ("/v1/chat/completions", ask()),
    ("/v1/chat/completions", ask(n=2, stream=True)),
    ("/v1/chat/completions", ask(n=3)),
    ("/v1/chat/completions", ask(stream=True, response_format={"type": "json_object"})),
    ("/v1/chat/completions", ask(stream=True, tools=[LOOK], metadata={"session_id": "s"})),
    ("/v1/responses", {"model": "GPT-5", "input": "Hi", "stream": True}),
    (
        "/v1/messages",
        {"model": "GPT-5", "max_tokens": 99, "stream": True, "messages": [{"role": "user", "content": "Hi"}]},
    ),
)


def _script(rng: random.Random) -> list[Any]:
    said: list[Any] = [TextDelta('{"a": 1}'), *(TextDelta(" ") for _ in range(rng.randrange(6)))]
    if rng.random() < 0.3:
        said.append(ToolCallDelta(0, "{}", "call_1", "look"))
    if rng.random() < 0.25:
        return [*said[: rng.randrange(len(said))], poe_error(ErrorCode.UPSTREAM_FAILED)]
    return [*said, UsageReported(3, 4), Finished()]


@pytest.mark.parametrize("seed", range(8))
async def test_whenever_callers_leave_all_is_given_back(house: House, seed: int) -> None:
    """Callers leave, or are cancelled by the server, after any number of turns of the loop, some of them twice."""
    rng = random.Random(seed)
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    for number in range(2):
        await house.add_account(f"key-{number}", kind=AccountKind.OFFICIAL, max_concurrency=2)
    await house.add_account("cookie", kind=AccountKind.WEB, max_concurrency=1)
    before = asyncio.all_tasks()

    async def leave(running: asyncio.Task[Any], gone: asyncio.Event) -> None:
        for _ in range(rng.choice((1, 1, 2))):
            await _steps(rng.randrange(60))
            if rng.random() < 0.6:
                gone.set()
            else:
                running.cancel()
        await asyncio.wait({running})

    for _ in range(60):
        leaving = []
        for _ in range(rng.randrange(1, 4)):
            path, body = rng.choice(BODIES)
            for _ in range(3):
                house.poe.enqueue(*_script(rng))
            gone = asyncio.Event()
            running = asyncio.create_task(house.call(path, body, disconnect=gone))
            leaving.append(leave(running, gone))
        await asyncio.gather(*leaving)
        house.poe.scripts.clear()
        assert not house.store.held
        assert house.poe.active == 0
        assert asyncio.all_tasks() == before
    gc.collect()
    await asyncio.sleep(0)
    assert not complaints
    assert len(house.store.released) == house.store.leased, "each try was booked, and once"
    assert (await house.call(body=ask())).status == 200
