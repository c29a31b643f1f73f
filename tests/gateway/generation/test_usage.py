"""The estimate of tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.generation import usage
from gateway.generation.usage import TokenUsage
from reverse.events import UsageReported

CORPUS = json.loads((Path(__file__).parents[2] / "conformance/tokens/corpus.json").read_text())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("word", 1), ("words", 2), ("привет", 2), ("你好", 2), ("👋", 2), ("\ud800", 1)],
    ids=["empty", "ascii", "rounded up", "cyrillic", "han", "emoji", "half a surrogate"],
)
def test_tokens_depend_on_the_script(text: str, expected: int) -> None:
    assert usage.tokens(text) == expected


anything = st.text(alphabet=st.characters())


@given(anything, anything)
def test_an_estimate_does_not_depend_on_the_pieces(first: str, second: str) -> None:
    assert usage.units(first) + usage.units(second) == usage.units(first + second)


@given(anything, st.integers(0, 200))
def test_a_cut_is_the_longest_beginning_that_fits(text: str, allowed: int) -> None:
    length = usage.cut(text, allowed)
    assert usage.units(text[:length]) <= allowed
    assert length == len(text) or usage.units(text[: length + 1]) > allowed


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry["name"])
def test_an_estimate_is_near_what_a_real_tokenizer_counts(entry: dict[str, Any]) -> None:
    """The counts were made by `tests/conformance/tokens/count.mjs`."""
    assert usage.tokens(entry["text"]) == pytest.approx(entry["o200k"], rel=0.2)


def test_estimates_are_neither_too_high_nor_too_low_on_the_whole() -> None:
    ratios = [usage.tokens(entry["text"]) / entry["o200k"] for entry in CORPUS]
    assert sum(ratios) / len(ratios) == pytest.approx(1, abs=0.02)
    assert sum(abs(ratio - 1) for ratio in ratios) / len(ratios) < 0.08


@pytest.mark.parametrize("text", ["word " * 40_000, "a b. 你好 " * 20_000 + "x" * 200_000], ids=["even", "uneven"])
def test_a_long_text_is_estimated_from_some_of_its_places(text: str) -> None:
    assert usage.tokens(text) == pytest.approx(usage.units(text) / 100, rel=0.03)


def test_the_upstreams_numbers_win() -> None:
    reported = UsageReported(prompt_tokens=7, completion_tokens=8, cached_tokens=3, reasoning_tokens=2, points=40)
    shown = TokenUsage.of(reported, prompt_tokens=1, completion_tokens=1).to_chat()
    assert shown == {
        "prompt_tokens": 7,
        "completion_tokens": 8,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
        "estimated": False,
        "points": 40,
        "points_estimated": False,
    }


@pytest.mark.parametrize("reported", [None, UsageReported(points=5), UsageReported(prompt_tokens=3)])
def test_numbers_of_ours_are_marked_as_estimates(reported: UsageReported | None) -> None:
    shown = TokenUsage.of(reported, prompt_tokens=3, completion_tokens=2)
    assert (shown.prompt_tokens, shown.completion_tokens, shown.is_estimated) == (3, 2, True)


def test_what_no_answer_reported_stays_unknown_in_the_total() -> None:
    total = TokenUsage.total([TokenUsage(1, 2, is_estimated=False), TokenUsage(3, 4, reasoning_tokens=1, points=7)])
    # Points of which a part is unknown are unknown: less than was spent would be wrong.
    assert total == TokenUsage(4, 6, None, 1, None, is_estimated=True)
    parts = [TokenUsage(1, 2, points=5, points_estimated=True), TokenUsage(3, 4, points=7)]
    both = TokenUsage.total(parts)
    assert (both.points, both.points_estimated) == (12, True)
    assert TokenUsage.total([]).points is None
