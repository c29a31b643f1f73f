"""Programs without a plan: a message is sent again only where Poe certainly did not take it, and only once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from reverse import resending
from reverse.chat import ChatRequest, Message, PoeClient
from reverse.errors import Delivery, ErrorCode, PoeError, poe_error
from reverse.events import Event, Finished, TextDelta

REQUEST = ChatRequest("Echo", [Message("user", "hi")])


class FakeClient:
    """Answers each question with the next of its scripts."""

    def __init__(self, *scripts: list[Event | PoeError]) -> None:
        self.scripts = list(scripts)
        self.requests: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        self.requests.append(request)
        for step in self.scripts.pop(0):
            if isinstance(step, PoeError):
                raise step
            yield step


async def ask(client: FakeClient) -> list[Event]:
    return [event async for event in resending.stream(cast(PoeClient, client), REQUEST)]


ANSWER: list[Any] = [TextDelta("hi"), Finished()]


def unsent() -> PoeError:
    return poe_error(ErrorCode.CONNECTION_FAILED, delivery=Delivery.NOT_SENT)


def bot_only() -> PoeError:
    error = poe_error(ErrorCode.BOT_NOT_FOUND)
    error.may_be_bot_only = True
    return error


@pytest.mark.parametrize("error", [unsent(), poe_error(ErrorCode.STALE_FORM_KEY)])
async def test_what_was_not_taken_is_sent_again(error: PoeError) -> None:
    client = FakeClient([error], ANSWER)
    assert await ask(client) == ANSWER
    client = FakeClient([unsent()], [unsent()], ANSWER)
    with pytest.raises(PoeError):
        await ask(client)
    assert len(client.requests) == 2


@pytest.mark.parametrize(
    "error",
    [
        poe_error(ErrorCode.CONNECTION_FAILED),
        poe_error(ErrorCode.TIMEOUT),
        poe_error(ErrorCode.UPSTREAM_FAILED),
        poe_error(ErrorCode.EMPTY_ANSWER),
        poe_error(ErrorCode.RATE_LIMITED),
    ],
)
async def test_nothing_else_is(error: PoeError) -> None:
    client = FakeClient([error], ANSWER)
    with pytest.raises(PoeError):
        await ask(client)
    assert len(client.requests) == 1


async def test_a_bot_of_the_bot_protocol_is_asked_there() -> None:
    client = FakeClient([bot_only()], ANSWER)
    assert await ask(client) == ANSWER
    assert [request.in_bot_protocol for request in client.requests] == [False, True]


@pytest.mark.parametrize("code", [ErrorCode.BOT_NOT_FOUND, ErrorCode.INSUFFICIENT_POINTS])
async def test_what_it_says_there_counts_unless_it_is_not_known_there_either(code: ErrorCode) -> None:
    first = bot_only()
    client = FakeClient([first], [poe_error(code)])
    with pytest.raises(PoeError) as caught:
        await ask(client)
    assert caught.value.code is code
    assert (caught.value is first) is (code is ErrorCode.BOT_NOT_FOUND)
