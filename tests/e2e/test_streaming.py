"""The official SDK, strict about what it accepts, through the whole path to the simulators."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate

import pytest

from tests.e2e.conftest import only_account

MODEL = "GPT-4o"


def ask(count: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Tell me something, count {count}"}]


def words(count: int) -> str:
    return " ".join(f"w{number:04d}" for number in range(1, count + 1))


@pytest.fixture
def paced(web_only):
    """Fifty milliseconds between two pieces of an answer."""
    before = web_only.simulated("state")["settings"]["pace_seconds"]
    web_only.simulated("settings", pace_seconds=0.05)
    yield web_only
    web_only.simulated("settings", pace_seconds=before)


def test_chunks_arrive_while_the_upstream_is_still_sending(paced):
    """Each chunk against the moment at which the simulator sent the text it ends with; one clock for both."""
    since = time.monotonic()
    stream = paced.openai().chat.completions.create(model=MODEL, messages=ask(30), stream=True)
    arrivals = [(time.monotonic(), chunk.choices[0].delta.content or "") for chunk in stream]
    lengths = list(accumulate(len(text) for _, text in arrivals))
    assert "".join(text for _, text in arrivals) == words(30)
    sent = [record for record in paced.simulated(f"sent?since={since}") if record["name"] == "messageAdded"]
    answered = [record for record in sent if record["sockets"] and record["text_length"]]
    # How long a piece takes is measured by `make bench`; here only the order of things counts.
    for (arrived, text), length in zip(arrivals, lengths, strict=True):
        if text:
            assert arrived > min(record["time"] for record in answered if record["text_length"] >= length)
    pieces = [arrived for arrived, text in arrivals if text]
    assert len(pieces) >= 10, "the answer came in few large pieces"
    last_sent = max(record["time"] for record in answered)
    assert sum(arrived < last_sent for arrived in pieces) >= len(pieces) / 2, "it came at the end"


def test_a_streamed_answer_ends_with_its_usage_when_asked(stack):
    chunks = list(
        stack.openai().chat.completions.create(
            model=MODEL, messages=ask(5), stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == words(5)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0


@pytest.mark.parametrize("kind", ["official", "web"])
def test_a_whole_answer(kind, request):
    stack = request.getfixturevalue("web_only" if kind == "web" else "stack")
    answer = stack.openai().chat.completions.create(model=MODEL, messages=ask(12))
    assert answer.choices[0].message.content == words(12)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None


def test_the_models_are_listed(stack):
    assert MODEL in [model.id for model in stack.openai().models.list()]


def test_frozen_sandboxes_are_thawed_and_keep_working(web_only):
    """After a freeze of some seconds a warm sandbox answers again, whatever became of its connections."""
    client = web_only.openai()
    assert client.chat.completions.create(model=MODEL, messages=ask(3)).choices[0].message.content == words(3)
    pids = web_only.sandboxes()
    web_only.wait_until(lambda: web_only.sandboxes(frozen=True) == pids)
    time.sleep(1.5)  # noqa: TID251 (the freeze itself)
    assert web_only.sandboxes(frozen=False) == []
    assert client.chat.completions.create(model=MODEL, messages=ask(3)).choices[0].message.content == words(3)
    assert web_only.sandboxes() == pids


def test_eight_requests_at_once_on_four_sandboxes_stay_within_the_slots(paced):
    """What finds no sandbox is told 429 and comes again, as it would on AWS; no account answers more than it may."""
    client = paced.openai(max_retries=12)

    def chat(count: int) -> str:
        stream = client.chat.completions.create(model=MODEL, messages=ask(count), stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    counts = range(10, 18)
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(chat, counts)) == [words(count) for count in counts]
    assert len(paced.sandboxes()) <= 4
    slots = {"sample-web-account-1": 2, "sample-web-account-2": 2}
    peaks = {account["p_b"]: account["peak_concurrency"] for account in paced.simulated("state")["accounts"]}
    assert all(peaks[account] <= limit for account, limit in slots.items()), peaks
    assert sum(peaks.values()) >= 3, "hardly anything ran at the same time"


def test_after_a_caller_left_in_mid_stream_the_only_account_answers_the_next(stack):
    """Lambda tells nobody that a caller left: the answer runs to its end before the account is free."""
    client = stack.openai(max_retries=12)
    with only_account(stack):
        with client.chat.completions.create(model=MODEL, messages=ask(40), stream=True) as stream:
            next(stream)
        with client.chat.completions.stream(model=MODEL, messages=ask(40)) as events:
            next(events)
        assert client.chat.completions.create(model=MODEL, messages=ask(3)).choices[0].message.content == words(3)
