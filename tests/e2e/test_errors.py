"""Every row of the table of errors through the whole path, as the official SDK shows it, left to its own retries."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import openai
import pytest

from tests.contract.error_table import ERRORS
from tests.e2e.conftest import RunningStack, only_account

# Lambda refuses it before the function is asked, so the envelope isn't ours.
ROWS = ERRORS | {"body over 6 MB": replace(ERRORS["body over 6 MB"], type=None, code=None)}


@dataclass
class Ask:
    """What is different about the request of a situation."""

    client: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)


Situation = Callable[[RunningStack], AbstractContextManager[Ask]]


def chat_with(client: dict[str, Any] | None = None, **arguments: Any) -> Situation:
    """A situation of the request alone."""

    @contextmanager
    def situation(stack: RunningStack) -> Iterator[Ask]:
        yield Ask(client or {}, arguments)

    return situation


def account(*, faults: Any = (), **arguments: Any) -> Situation:
    """A situation of the only account."""

    @contextmanager
    def situation(stack: RunningStack) -> Iterator[Ask]:
        with only_account(stack, faults=faults):
            yield Ask(arguments=arguments)

    return situation


@contextmanager
def no_points(stack: RunningStack) -> Iterator[Ask]:
    """The points are gone, and read."""
    with only_account(stack, points=0) as account_id:
        stack.admin("POST", f"/accounts/{account_id}/refresh-points")
        yield Ask()


def upstream(status: int, kind: str = "invalid_request_error", code: str | None = None) -> Situation:
    return account(faults=[{"type": "http_error", "status": status, "kind": kind, "code": code}])


def key(**limits: Any) -> Situation:
    """A situation of the caller's key."""

    @contextmanager
    def situation(stack: RunningStack) -> Iterator[Ask]:
        made = stack.admin("POST", "/keys", json={"name": "e2e", **limits})
        try:
            yield Ask(client={"api_key": made["key"]})
        finally:
            stack.admin("DELETE", f"/keys/{made['id']}")

    return situation


@contextmanager
def other_base(stack: RunningStack) -> Iterator[Ask]:
    """An address where nothing is."""
    yield Ask(client={"base_url": f"{stack.url}/v2"})


@contextmanager
def used_up_minute(stack: RunningStack) -> Iterator[Ask]:
    """A key that may ask once in a minute, and did."""
    stack.wait_until(lambda: time.time() % 60 < 55, 10)  # not so late that the next minute helps
    with key(requests_per_minute=1)(stack) as ask:
        stack.openai(**ask.client).chat.completions.create(**BODY)
        yield ask


@contextmanager
def held_slot(stack: RunningStack) -> Iterator[Ask]:
    """The only slot is taken by an answer that does not go on, until its sandbox dies."""
    stall = [{"type": "stall_stream", "at": 3}]
    with only_account(stack, faults=stall, times=1):
        stream = stack.openai().chat.completions.create(**BODY, stream=True)
        next(stream)
        [busy] = stack.wait_until(lambda: len(awake := stack.sandboxes(frozen=False)) == 1 and awake)
        yield Ask()
        os.kill(busy, signal.SIGKILL)
        stream.close()


BODY: Any = {"model": "GPT-4o", "messages": [{"role": "user", "content": "count 5"}]}
SITUATIONS: dict[str, Situation] = {
    "no API key": chat_with(extra_headers={"Authorization": openai.Omit()}),
    "wrong API key": chat_with(client={"api_key": "sk-wrong"}),
    "model not for this key": key(models=["Echo"]),
    "unknown model": account(model="No-Such-Bot"),
    "unknown route": other_base,
    "bad field": chat_with(top_p="x"),
    "prompt too long": upstream(400, code="context_length_exceeded"),
    "body over 6 MB": chat_with(messages=[{"role": "user", "content": "x" * 6_400_000}]),
    "key over its rate": used_up_minute,
    "key over its budget": key(points_per_day=0),
    "no account has points": no_points,
    "all able accounts busy": held_slot,
    "refused content": upstream(400, code="content_filter"),
    "upstream failed": upstream(500, "provider_error"),
    "upstream challenge": account(faults=["challenge_page"]),
    "upstream too slow": upstream(408, "timeout_error"),
}


def test_every_row_has_its_situation():
    assert SITUATIONS.keys() == ROWS.keys()


@pytest.fixture
def waits(monkeypatch):
    """Seconds that the SDK waited between two tries; it takes no time."""
    seconds: list[float] = []
    monkeypatch.setattr("openai._base_client.time", SimpleNamespace(**vars(time) | {"sleep": seconds.append}))
    return seconds


@pytest.mark.parametrize("name", ROWS)
def test_an_error_with_its_class_and_number_of_requests(stack, waits, name):
    """Streamed and not: each is known before the first byte. The SDK waits as long as it is told."""
    answers: list[Any] = []
    options = {
        "max_retries": openai.DEFAULT_MAX_RETRIES,
        "http_client": openai.DefaultHttpxClient(event_hooks={"response": [answers.append]}),
    }
    with SITUATIONS[name](stack) as ask:
        client = stack.openai(**options | ask.client)
        for stream in (False, True):
            answers.clear()
            waits.clear()
            with pytest.raises(openai.APIStatusError) as caught:
                client.chat.completions.create(**BODY | ask.arguments, stream=stream)
            ROWS[name].check(caught.value, len(answers))
            assert waits == [float(answer.headers["retry-after"]) for answer in answers[:-1]]
