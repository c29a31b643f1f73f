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
    # Lines without marks, between those that have them.
    ("*Thinking...*\n\n> One\ngoes on\n> and on.\n\nTwo.", "One\ngoes on\nand on.", "Two."),
    ('*Thinking...*\n\n> One\n{"draft": 1}\n>\n> Two.\n\n{"a": 1}', 'One\n{"draft": 1}\n\nTwo.', '{"a": 1}'),
    ("*Thinking...*\n\n> One.\nTwo.\n\n> Three.\n\nFour.", "One.\nTwo.\nThree.", "Four."),
    ("*Thinking...*\n\n> One.\nTwo.\n\nThree.\n\n> Four.", "One.", "Two.\n\nThree.\n\n> Four."),
    # Nested lists: quoted, indented below, with a mark again.
    ("*Thinking...*\n\n> - a\n>   - b\n> - c\n\nTwo.", "- a\n  - b\n- c", "Two."),
    ("*Thinking...*\n\n> - a\n  - b\n    - c\n\nTwo.", "- a\n  - b\n    - c", "Two."),
    # Code fences: with marks, without them, with empty lines inside, and one that is the answer's.
    ('*Thinking...*\n\n> ```json\n> {"d": 1}\n> ```\n\n{"a": 1}', '```json\n{"d": 1}\n```', '{"a": 1}'),
    ('*Thinking...*\n\n> ```json\n{"d": 1}\n\n{}\n```\n\n{"a": 1}', '```json\n{"d": 1}\n\n{}\n```', '{"a": 1}'),
    ("*Thinking...*\n\n> One:\n```\nx\n\ny\n```\n> Two.\n\nThree.", "One:\n```\nx\n\ny\n```\nTwo.", "Three."),
    ("*Thinking...*\n\n> One:\n```\nx\n```", "One:", "```\nx\n```"),
    ("*Thinking...*\n\n> ```\n> x\n\nTwo.\n```\ny\n```", "```\nx", "Two.\n```\ny\n```"),
    ("*Thinking...*\n\n> ```\nx", "```", "x"),
    ("*Thinking... (12s elapsed)*\n\n> One.\n\nTwo.", "One.", "Two."),
    # As open models write it.
    ("<think>\nOne <b>\n\n> {}\n</think>\n\nTwo.", "One <b>\n\n> {}", "Two."),
    ("\n<thinking>One.</thinking>Two </think>.", "One.", "Two </think>."),
    ("<think>One.", "One.", ""),
    ("<think></think>\n> Two.", "", "> Two."),
    ("<thin>One.", "", "<thin>One."),
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
