from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from local.poe_official import PoeOfficialSimulator
from reverse.chat import ChatRequest, Message
from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.events import Event, TextDelta, TextReplaced
from reverse.official import PoeOfficialClient

API_KEY = "test-key-0123456789abcdef"


@pytest.fixture
async def simulator() -> AsyncIterator[PoeOfficialSimulator]:
    async with PoeOfficialSimulator(pace_seconds=0) as running:
        running.add_account(API_KEY)
        yield running


@pytest.fixture
def config(simulator: PoeOfficialSimulator) -> PoeConfig:
    return PoeConfig(
        official_base_url=simulator.base_url,
        web_base_url=simulator.base_url,
        upload_url=simulator.upload_url,
        connect_timeout_seconds=2,
        request_timeout_seconds=2,
        first_event_timeout_seconds=2,
        idle_timeout_seconds=2,
    )


async def _no_wait(_seconds: float) -> None:
    """Retries do not wait in tests."""


@pytest.fixture
async def client(config: PoeConfig) -> AsyncIterator[PoeOfficialClient]:
    async with PoeOfficialClient(OfficialCredentials(API_KEY), config, sleep=_no_wait) as opened:
        yield opened


@pytest.fixture
def question() -> Callable[..., ChatRequest]:
    def make(bot: str, text: str = "hello there", **fields: Any) -> ChatRequest:
        return ChatRequest(bot, [Message("user", text)], **fields)

    return make


@pytest.fixture
def text_of() -> Callable[[list[Event]], str]:
    def fold(events: list[Event]) -> str:
        text = ""
        for event in events:
            if isinstance(event, TextReplaced):
                text = event.text
            elif isinstance(event, TextDelta):
                text += event.text
        return text

    return fold
