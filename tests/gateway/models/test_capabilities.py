"""What is known of a model beyond its name, and whom to ask for it."""

from __future__ import annotations

import pytest

from accounts import AccountKind
from gateway.models.capabilities import UNKNOWN, best_first, facts_of

OFFICIAL, WEB = AccountKind.OFFICIAL, AccountKind.WEB


@pytest.mark.parametrize(
    ("listed_by", "expected"),
    [
        ((), (OFFICIAL, WEB)),
        (("web",), (WEB, OFFICIAL)),
        (("official",), (OFFICIAL, WEB)),
        (("web", "official"), (OFFICIAL, WEB)),
    ],
)
def test_accounts_that_list_a_model_are_asked_first_and_the_others_all_the_same(listed_by, expected) -> None:
    assert best_first(listed_by) == expected


def test_an_entry_that_says_nothing_leaves_everything_open() -> None:
    assert facts_of({}) == UNKNOWN == facts_of(None)
    assert UNKNOWN.declares("reasoning_effort") is None
    assert UNKNOWN.accepts("image") is None


@pytest.mark.parametrize("odd", [7, "web", {"web": 1}, [7, None], True])
def test_values_of_unexpected_types_count_as_not_said(odd) -> None:
    length = "7" if isinstance(odd, int) else odd
    facts = facts_of({"kinds": odd, "parameters": odd, "context_length": length, "reasoning": odd})
    assert facts.kinds <= {"web"}
    assert facts.takes_reasoning_effort is None
    assert facts.context_tokens is None


def test_a_models_own_facts_are_read() -> None:
    entry = {
        "kinds": ["web"],
        "context_length": 4096,
        "parameters": [{"name": "voice", "schema": {"type": "string"}}],
        "reasoning": {"supports_reasoning_effort": False},
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
    }
    facts = facts_of(entry)
    assert (facts.kinds, facts.context_tokens, facts.takes_reasoning_effort) == ({"web"}, 4096, False)
    assert (facts.declares("voice"), facts.declares("speed")) == (True, False)
    assert (facts.accepts("image"), facts.accepts("audio")) == (True, False)


def test_the_length_that_a_model_of_media_states_is_no_window() -> None:
    assert facts_of({"context_length": 480, "output_modalities": ["image"]}).context_tokens is None
