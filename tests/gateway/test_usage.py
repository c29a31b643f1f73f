"""The estimate of tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import usage
from gateway.usage import TokenUsage
from reverse.events import UsageReported


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", 0), ("word", 1), ("words", 2), ("привет", 3), ("你好", 2), ("👋", 1), ("\ud800", 1)],
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
    }


@pytest.mark.parametrize("reported", [None, UsageReported(points=5), UsageReported(prompt_tokens=3)])
def test_numbers_of_ours_are_marked_as_estimates(reported: UsageReported | None) -> None:
    shown = TokenUsage.of(reported, prompt_tokens=3, completion_tokens=2)
    assert (shown.prompt_tokens, shown.completion_tokens, shown.is_estimated) == (3, 2, True)
