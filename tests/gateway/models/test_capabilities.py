"""Facts that a catalogue entry tells, which may leave out anything."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.models.capabilities import UNKNOWN, facts_of

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
    assert (facts.context_tokens, facts.takes_reasoning_effort, facts.is_web_only) == (128_000, True, True)
    assert facts.declares("size") is True and facts.declares("seed") is False
    assert facts.accepts("image") is True and facts.accepts("audio") is False


@pytest.mark.parametrize("entry", [None, {}, {"context_length": "long", "parameters": 3, "reasoning": [], "kinds": 5}])
def test_what_nobody_said_is_unknown_and_not_no(entry: object) -> None:
    facts = facts_of(entry)
    assert facts == UNKNOWN
    assert facts.declares("size") is None and facts.accepts("image") is None


def test_a_length_of_a_model_that_makes_media_is_no_window() -> None:
    assert facts_of(ENTRY | {"output_modalities": ["image"]}).context_tokens is None
