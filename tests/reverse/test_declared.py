"""Declared options: values that fit, and the ways in which bots are told how much to think."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse.declared import LEVELS, Steering, fitted, schemas_of, steer_by_tokens, steer_by_word

BUDGET = {"thinking_budget": {"type": "number", "minimum": 0, "maximum": 31_999}}


def words(name: str, *allowed: str) -> dict[str, Any]:
    return {name: {"enum": list(allowed)}}


@pytest.mark.parametrize(
    ("schemas", "level", "options", "is_exact"),
    [
        (words("reasoning_effort", "low", "medium", "high"), "medium", {"reasoning_effort": "medium"}, True),
        (words("reasoning_effort", "low", "medium", "high"), "xhigh", {"reasoning_effort": "high"}, False),
        (words("reasoning_effort", "low", "medium", "high"), "none", {"reasoning_effort": "low"}, False),
        (words("reasoning_effort", "medium", "high", "xhigh"), "max", {"reasoning_effort": "xhigh"}, False),
        (words("thinking_level", "low", "high"), "medium", {"thinking_level": "high"}, False),
        (words("thinking_level", "minimal", "low", "high"), "minimal", {"thinking_level": "minimal"}, True),
        (words("output_effort", "max", "high", "medium", "low", "none"), "max", {"output_effort": "max"}, True),
        (BUDGET, "none", {"thinking_budget": 0}, True),
        (BUDGET, "low", {"thinking_budget": 4_096}, True),
        (BUDGET, "high", {"thinking_budget": 31_999}, True),
        (BUDGET, "max", {"thinking_budget": 31_999}, True),
        (
            BUDGET | words("output_effort", "high", "medium", "low"),
            "low",
            {"output_effort": "low", "thinking_budget": 4_096},
            True,
        ),
        (BUDGET | words("output_effort", "high", "medium", "low"), "none", {"thinking_budget": 0}, True),
        ({"enable_thinking": {"type": "boolean"}}, "low", {"enable_thinking": True}, True),
        ({"enable_thinking": {"type": "boolean"}}, "none", {"enable_thinking": False}, True),
        (words("thinking", "auto", "enabled", "disabled"), "none", {"thinking": "disabled"}, True),
        ({"deep_thinking": {}}, "high", {"deep_thinking": True}, True),
    ],
)
def test_an_effort_becomes_what_the_bot_declares(
    schemas: dict[str, Any], level: str, options: dict[str, Any], is_exact: bool
) -> None:
    assert steer_by_word(level, schemas) == Steering(options, is_exact)


@pytest.mark.parametrize(
    ("schemas", "tokens", "options", "is_exact"),
    [
        (BUDGET, 5_000, {"thinking_budget": 5_000}, True),
        (BUDGET, 64_000, {"thinking_budget": 31_999}, False),
        (words("reasoning_effort", "low", "medium", "high"), 5_000, {"reasoning_effort": "medium"}, True),
        (words("thinking_level", "low", "high"), 4_000, {"thinking_level": "low"}, True),
        ({"enable_thinking": {"type": "boolean"}}, 2_000, {"enable_thinking": True}, True),
    ],
)
def test_a_budget_becomes_what_the_bot_declares(
    schemas: dict[str, Any], tokens: int, options: dict[str, Any], is_exact: bool
) -> None:
    assert steer_by_tokens(tokens, schemas) == Steering(options, is_exact)


def test_a_bot_that_declares_nothing_of_the_kind_is_not_steered() -> None:
    for schemas in ({}, {"web_search": {"type": "boolean"}}, {"reasoning_effort": {}}):
        assert steer_by_word("high", schemas) is None
        assert steer_by_tokens(5_000, schemas) is None


def test_a_word_that_nobody_knows_is_left_to_the_bot() -> None:
    assert steer_by_word("ultra", words("reasoning_effort", "low", "high")) == Steering(
        {"reasoning_effort": "ultra"}, is_exact=True
    )
    assert steer_by_word("ultra", BUDGET) is None


@given(st.sampled_from(LEVELS), st.lists(st.sampled_from(LEVELS), min_size=1, unique=True))
def test_the_chosen_word_is_always_a_declared_one(level: str, allowed: list[str]) -> None:
    steering = steer_by_word(level, words("reasoning_effort", *allowed))
    assert steering is not None and steering.options["reasoning_effort"] in allowed
    assert steering.is_exact == (level in allowed)


@pytest.mark.parametrize(
    ("value", "schema", "fits"),
    [
        (9, {"minimum": 0, "maximum": 5}, 5),
        (-1, {"minimum": 0}, 0),
        (3, {"minimum": 0, "maximum": 5}, 3),
        (True, {"minimum": 2}, True),
        ("HIGH", {"enum": ["low", "high"]}, "high"),
        ("other", {"enum": ["low", "high"]}, "other"),
        (1, {"enum": [True, 1]}, 1),
        ("x", {"maximum": 5}, "x"),
        (9, {"maximum": "5", "minimum": None}, 9),
    ],
)
def test_values_are_made_to_fit_where_they_can_be(value: Any, schema: dict[str, Any], fits: Any) -> None:
    found = fitted(value, schema)
    assert found == fits and type(found) is type(fits)


def test_declarations_are_read_whatever_they_hold() -> None:
    given_ = [{"name": "a", "schema": {"enum": []}}, {"name": "b"}, {"name": 5}, "c", {"name": "d", "schema": 7}]
    assert schemas_of(given_) == {"a": {"enum": []}, "b": {}, "d": {}}
    assert schemas_of(None) is None
