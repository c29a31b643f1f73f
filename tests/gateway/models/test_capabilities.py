"""Facts that a catalogue entry tells, which may leave out anything."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from gateway.models.capabilities import UNKNOWN, best_first, facts_of

OFFICIAL, WEB = AccountKind.OFFICIAL, AccountKind.WEB

ENTRY: dict[str, Any] = {
    "context_length": 128_000,
    "output_modalities": ["text"],
    "architecture": {"input_modalities": ["text", "image"]},
    "parameters": [{"name": "size", "schema": {"enum": ["a", "b"]}}],
    "reasoning": {"supports_reasoning_effort": True},
    "kinds": ["web"],
}


def test_an_entry_is_read_as_poe_writes_it() -> None:
    facts = facts_of(ENTRY)
    assert (facts.context_tokens, facts.takes_reasoning_effort, facts.kinds) == (128_000, True, {"web"})
    assert facts.declares("size") is True and facts.declares("seed") is False
    assert facts.accepts("image") is True and facts.accepts("audio") is False


@pytest.mark.parametrize("entry", [None, {}, {"context_length": "long", "parameters": 3, "reasoning": [], "kinds": 5}])
def test_what_nobody_said_is_unknown_and_not_no(entry: object) -> None:
    facts = facts_of(entry)
    assert facts == UNKNOWN
    assert facts.declares("size") is None and facts.accepts("image") is None


def test_a_length_of_a_model_that_makes_media_is_no_window() -> None:
    assert facts_of(ENTRY | {"output_modalities": ["image"]}).context_tokens is None


@pytest.mark.parametrize("odd", [7, "web", {"web": 1}, [7, None], True])
def test_values_of_unexpected_types_count_as_not_said(odd: object) -> None:
    length = "7" if isinstance(odd, int) else odd
    facts = facts_of({"kinds": odd, "parameters": odd, "context_length": length, "reasoning": odd})
    assert facts.kinds <= {"web"}
    assert (facts.takes_reasoning_effort, facts.context_tokens) == (None, None)


@pytest.mark.parametrize(
    ("listed_by", "expected"),
    [
        ((), (OFFICIAL, WEB)),
        (("web",), (WEB, OFFICIAL)),
        (("official",), (OFFICIAL, WEB)),
        (("web", "official"), (OFFICIAL, WEB)),
    ],
)
def test_accounts_that_list_a_model_are_asked_first_and_the_others_all_the_same(
    listed_by: tuple[str, ...], expected: tuple[AccountKind, ...]
) -> None:
    assert best_first(listed_by) == expected
