"""Thinking that stands in the text of an answer is reasoning, however the text is cut into pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reverse.events import Event, ReasoningDelta, TextDelta, TextReplaced
from reverse.kept_thinking import KeptThinking, ThinkingFilter

KEPT = '*Thinking...*\n\n> The question.\n> {"draft": 1}\n>\n> Done.\n\nThe answer.\n\n> A quotation.'
THOUGHTS = 'The question.\n{"draft": 1}\n\nDone.'
ANSWER = "The answer.\n\n> A quotation."

CASES = [
    (KEPT, THOUGHTS, ANSWER),
    ("*Thinking…*\n> One.\nTwo.", "One.", "Two."),
    ("\n**Thinking...**\n\n>One.\n\n\nTwo.", "One.", "Two."),
    ("_Thinking..._\n\n> One.\n\n> Two.\n\nThree.", "One.\nTwo.", "Three."),
    ("*Thinking...*\n\n> Only thoughts.", "Only thoughts.", ""),
    ("*Thinking...*\n\nNo quotation.", "", "*Thinking...*\n\nNo quotation."),
    ("*Thinking...*", "", "*Thinking...*"),
    ("*Think about it.*", "", "*Think about it.*"),
    ("> Quoted\n\nAnswer", "", "> Quoted\n\nAnswer"),
    ("Thinking...\n> x", "", "Thinking...\n> x"),
    ("Plain.", "", "Plain."),
    ("  \n", "", "  \n"),
    ("", "", ""),
]


def read(pieces: list[str]) -> tuple[str, str]:
    kept = KeptThinking()
    events = [event for piece in pieces for event in kept.feed(piece)] + kept.end()
    thoughts = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    return thoughts, "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize(("text", "thoughts", "answer"), CASES)
def test_thoughts_and_answer_are_told_apart(text: str, thoughts: str, answer: str) -> None:
    assert read([text]) == (thoughts, answer)
    assert read(list(text)) == (thoughts, answer)


@given(st.sampled_from(CASES), st.lists(st.integers(0, 80), max_size=6))
def test_the_cuts_make_no_difference(case: tuple[str, str, str], cuts: list[int]) -> None:
    text, thoughts, answer = case
    places = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert read(pieces) == (thoughts, answer)


@given(st.text(alphabet="*Thinkg.…_ \n>ab", max_size=40))
def test_no_character_of_a_text_without_thinking_is_lost(text: str) -> None:
    thoughts, answer = read(list(text))
    if not thoughts:
        assert answer.strip() in text
    assert sum(map(len, (thoughts, answer))) <= len(text)


def test_text_is_passed_on_at_once_where_there_is_no_thinking() -> None:
    kept = KeptThinking()
    assert kept.feed("Hel") == [TextDelta("Hel")]
    assert kept.is_over


def test_a_replaced_text_is_read_anew() -> None:
    read_ = ThinkingFilter()
    events: list[Event] = [TextDelta("*Thinking...*\n\n> One."), TextReplaced("*Thinking...*\n\n> One. Two.\n\nThree.")]
    assert read_.events(events) == [ReasoningDelta("One."), ReasoningDelta(" Two."), TextReplaced("Three.")]
    assert read_.events([TextDelta(" Four.")]) == [TextDelta(" Four.")]
    assert read_.end() == []
