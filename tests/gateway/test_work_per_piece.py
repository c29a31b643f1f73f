"""What a piece of an official answer costs in the whole gateway, in counts that do not depend on the machine."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from types import FrameType
from typing import Any

import pytest

from accounts import AccountKind
from gateway.bootstrap import build_services
from gateway.settings import Settings
from reverse.chat import PoeClient
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.official import PoeOfficialClient
from streaming_runtime.failures import Failure
from streaming_runtime.http_cycle import HttpCycle
from streaming_runtime.response_head import ResponseHead
from tests.gateway.scripted import API_KEY, House, ask
from tests.reverse.official.test_work_per_piece import PIECES, SKIPPED, pieces_one_by_one

_OURS = frozenset({"gateway", "reverse", "http_connections", "streaming_runtime"})


class Sink:
    """The reader of the response, who wants each piece when the one before has come."""

    is_full = False

    def __init__(self, wanted: asyncio.Event) -> None:
        self.calls = 0
        self.parts = 0
        self._wanted = wanted

    async def open(self, head: ResponseHead, first: bytes) -> None:
        assert head.status == 200
        self.write(first)

    def write(self, data: bytes) -> None:
        assert b"word" in data
        self.parts += 1
        if self.parts == SKIPPED:
            sys.setprofile(self._on_call)
        if self.parts == PIECES - SKIPPED:
            sys.setprofile(None)
        self._wanted.set()

    async def drain(self) -> None: ...

    def finish(self, data: bytes) -> None:
        assert data.endswith(b"data: [DONE]\n\n")
        self._wanted.set()

    def fail(self, last_words: bytes, failure: Failure) -> None:
        raise AssertionError((last_words, failure))

    def _on_call(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_globals["__name__"].partition(".")[0] in _OURS:
            self.calls += 1


@pytest.fixture
def wanted() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def house(environment: dict[str, str], wanted: asyncio.Event) -> AsyncIterator[House]:
    """A gateway whose account is asked at a server of one answer."""
    async with await asyncio.start_server(lambda r, w: pieces_one_by_one(r, w, wanted), "127.0.0.1", 0) as listening:
        config = PoeConfig(official_base_url=f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")

        def make(_kind: AccountKind, credentials: Mapping[str, str], _: Mapping[str, Any] | None) -> PoeClient:
            return PoeOfficialClient(OfficialCredentials.from_mapping(credentials), config)

        house = House(Settings.from_env(environment))
        services = build_services(house.settings, store=house.store, make_client=make, journal=house.services.journal)
        house.services = services
        await house.add_key()
        await house.add_account()
        yield house
        await services.aclose()


async def test_a_piece_costs_few_calls_from_its_arrival_to_its_departure(house: House, wanted: asyncio.Event) -> None:
    """Each is waited for alone, which is the dearest way that a piece can come."""
    sink = Sink(wanted)
    body = json.dumps(ask(stream=True)).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {API_KEY}"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    cycle = HttpCycle(body, sink, asyncio.Event())
    try:
        await house.app(scope, cycle.receive, cycle.send)
    finally:
        sys.setprofile(None)
    # The last one may leave with the end.
    assert sink.parts >= PIECES - 1
    # 27 when this was written, and 1 more where the runtime writes to Lambda; 77 at first.
    assert sink.calls / (PIECES - 2 * SKIPPED) < 28
