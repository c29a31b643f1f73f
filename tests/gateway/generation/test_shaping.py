"""Stop sequences, the token limit and replaced text."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.generation.shaping import AnswerLimits, AnswerShaper
from reverse.events import Event, Finished, FinishReason, ReasoningDelta, TextDelta, TextReplaced, ToolCallDelta

UNLIMITED = AnswerLimits()


def shape(events: list[Event], limits: AnswerLimits = UNLIMITED, *, is_streamed: bool = True) -> list[Event]:
    """As a generation does it: the short way where it is open, else the long one."""
    shaper = AnswerShaper(limits, is_streamed=is_streamed)
    shown: list[Event] = []
    for event in events:
        if isinstance(event, TextDelta) and shaper.accept(event.text):
            shown.append(event)
        else:
            shown.extend(shaper.shape(event))
    assert [event for event in shown if isinstance(event, Finished)] == shown[-1:]
    assert shaper.is_over
    return shown


def text_of(events: list[Event]) -> str:
    """What a consumer ends up with."""
    text = ""
    for event in events:
        if isinstance(event, TextDelta):
            assert event.text
            text += event.text
        elif isinstance(event, TextReplaced):
            text = event.text
    return text


def outcome(pieces: list[str], limits: AnswerLimits, *, is_streamed: bool = True) -> tuple[str, FinishReason]:
    shown = shape([*map(TextDelta, filter(None, pieces)), Finished()], limits, is_streamed=is_streamed)
    last = shown[-1]
    assert isinstance(last, Finished)
    return text_of(shown), last.reason


@pytest.mark.parametrize(
    ("pieces", "stop", "expected"),
    [
        (["one END two"], ["END"], "one "),
        (["one E", "N", "D two"], ["END"], "one "),
        (["one E", "N", "X two"], ["END"], "one ENX two"),
        (["one EN"], ["END"], "one EN"),
        (["abcd"], ["abcd", "bc"], "a"),
        (["xbc"], ["bc", "xbc"], ""),
        (["aaab"], ["aab"], "a"),
        (["a\n", "\nb"], ["\n\n"], "a"),
    ],
    ids=[
        "inside",
        "split",
        "false alarm",
        "begun at the end",
        "first complete wins",
        "longer wins",
        "overlap",
        "lines",
    ],
)
def test_a_stop_sequence_ends_the_answer_before_it(pieces: list[str], stop: list[str], expected: str) -> None:
    for is_streamed in (True, False):
        assert outcome(pieces, AnswerLimits(stop=stop), is_streamed=is_streamed) == (expected, FinishReason.STOP)


def test_text_that_may_begin_a_stop_sequence_is_not_sent_early() -> None:
    shaper = AnswerShaper(AnswerLimits(stop=["<end>"]))
    shown = [list(shaper.shape(TextDelta(piece))) for piece in ("ab<", "en", "x<")]
    assert shown == [[TextDelta("ab")], [], [TextDelta("<enx")]]


@pytest.mark.parametrize("is_streamed", [True, False])
def test_the_token_limit_cuts_at_the_last_character_that_fits(is_streamed: bool) -> None:
    limits = AnswerLimits(max_tokens=2)
    assert outcome(["abcde", "fg", "h", "i"], limits, is_streamed=is_streamed) == ("abcdefgh", FinishReason.LENGTH)
    assert outcome(["abcde", "fgh"], limits, is_streamed=is_streamed) == ("abcdefgh", FinishReason.STOP)


alphabet = st.text(alphabet="ab<é你", max_size=30)


@given(
    text=alphabet,
    cuts=st.lists(st.integers(0, 30), max_size=8),
    stop=st.lists(st.text(alphabet="ab<", min_size=1, max_size=4), max_size=3),
    max_tokens=st.none() | st.integers(1, 12),
)
def test_what_is_shown_does_not_depend_on_the_pieces(
    text: str, cuts: list[int], stop: list[str], max_tokens: int | None
) -> None:
    """However the upstream cuts its text, and in both modes, a caller gets the same text and finish reason."""
    limits = AnswerLimits(max_tokens, stop)
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    whole = outcome([text], limits)
    assert outcome(pieces, limits) == whole
    assert outcome(pieces, limits, is_streamed=False) == whole
    assert outcome(list(text), limits) == whole
    assert text.startswith(whole[0])
    assert not any(sequence in whole[0] for sequence in stop)


def test_a_replaced_progress_note_is_never_sent() -> None:
    events = [TextDelta("Thinking... (1s elapsed)"), TextReplaced("Thinking... (2s elapsed)"), TextReplaced("Answer")]
    assert shape([*events, TextDelta("!"), Finished()]) == [TextDelta("Answer"), TextDelta("!"), Finished()]


def test_a_note_that_is_all_the_answer_is_sent_at_the_end() -> None:
    assert text_of(shape([TextDelta("Thinking..."), Finished()])) == "Thinking..."


def test_text_that_only_begins_like_a_note_is_sent() -> None:
    events: list[Event] = [TextDelta("Thinking..."), TextDelta(" is hard"), TextDelta("."), Finished()]
    assert text_of(shape(events)) == "Thinking... is hard."


def test_replaced_text_that_goes_on_is_continued() -> None:
    shown = shape([TextDelta("Hello"), TextReplaced("Hello world"), Finished()])
    assert shown == [TextDelta("Hello"), TextDelta(" world"), Finished()]


def test_replaced_text_that_is_another_one_follows_after_an_empty_line() -> None:
    shown = shape([TextDelta("Draft"), TextReplaced("Final"), Finished()])
    assert text_of(shown) == "Draft\n\nFinal"


def test_a_buffered_answer_starts_over_when_the_text_is_replaced() -> None:
    limits = AnswerLimits(max_tokens=2)
    shown = shape([TextDelta("abcdefgh"), TextReplaced("xyz"), Finished()], limits, is_streamed=False)
    assert text_of(shown) == "xyz"
    assert shown[-1] == Finished()


def test_a_stop_sequence_is_found_across_a_replacement() -> None:
    events = [TextDelta("one S"), TextReplaced("one STOP two"), Finished()]
    assert text_of(shape(events, AnswerLimits(stop=["STOP"]))) == "one "


def test_reasoning_and_tool_calls_count_but_are_not_cut() -> None:
    shaper = AnswerShaper(AnswerLimits(max_tokens=1))
    events: list[Event] = [ReasoningDelta("a long thought"), ToolCallDelta(0, "{}", "call_1", "f")]
    assert [shown for event in events for shown in shaper.shape(event)] == events
    assert shaper.completion_tokens == 5
    assert not shaper.is_over


def test_nothing_follows_the_end() -> None:
    shaper = AnswerShaper()
    assert list(shaper.shape(Finished(FinishReason.LENGTH))) == [Finished(FinishReason.LENGTH)]
    assert not shaper.accept("more")
    assert list(shaper.shape(TextDelta("more"))) == []


@given(
    st.lists(st.text(alphabet="abc", max_size=6), max_size=8),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=5), min_size=1, max_size=4),
)
def test_stop_sequences_are_found_wherever_the_text_is_cut(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    ends = [(whole.find(stop) + len(stop), whole.find(stop)) for stop in stops if stop in whole]
    expected = whole[: min(ends)[1]] if ends else whole
    assert outcome(pieces, AnswerLimits(stop=stops)) == (expected, FinishReason.STOP)


def test_many_short_replacements_are_not_each_compared_with_the_whole_text() -> None:
    shaper = AnswerShaper()
    list(shaper.shape(TextDelta("a" * 1000)))
    assert shaper.accept("b")
    assert [*shaper.shape(TextReplaced("a" * 1000 + "bc"))] == [TextDelta("c")]
    assert [*shaper.shape(TextReplaced("a"))] == [TextDelta("\n\na")]
