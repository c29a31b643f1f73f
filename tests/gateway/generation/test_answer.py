"""Answers put together from their events."""

from __future__ import annotations

import pytest

from gateway.generation.answer import Answer, AnswerPart, file_name, missing_links, url_citations
from gateway.generation.usage import TokenUsage
from reverse.events import (
    ChatStarted,
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
    UsageReported,
    VideoJobStarted,
)


def add(*events: Event, hides_reasoning: bool = False) -> Answer:
    answer = Answer(hides_reasoning=hides_reasoning)
    for event in events:
        answer.add(event)
    return answer


def parts(answer: Answer) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in answer.parts]


def test_parts_follow_the_order_of_their_beginnings() -> None:
    answer = add(ReasoningDelta("a"), TextDelta("b"), TextDelta("c"), ReasoningDelta("d"), RefusalDelta("e"))
    assert parts(answer) == [("reasoning", "a"), ("text", "bc"), ("reasoning", "d"), ("refusal", "e")]
    assert (answer.text, answer.joined("refusal"), answer.joined("reasoning")) == ("bc", "e", "ad")


def test_hidden_reasoning_does_not_divide_the_text() -> None:
    answer = add(TextDelta("a"), ReasoningDelta("b"), TextDelta("c"), hides_reasoning=True)
    assert parts(answer) == [("text", "ac")]


def test_pieces_of_parallel_calls_find_their_call() -> None:
    answer = add(
        ToolCallDelta(1, "[", "call_b", "g"),
        ToolCallDelta(0, "", "call_a", "f"),
        ToolCallDelta(1, "]"),
        TextDelta("between"),
        ToolCallDelta(0, "{}"),
    )
    assert [(call.call_id, call.name, call.text) for call in answer.tool_calls] == [
        ("call_a", "f", "{}"),
        ("call_b", "g", "[]"),
    ]
    assert [part.kind for part in answer.parts] == ["tool_call", "tool_call", "text"]


def test_a_piece_is_the_last_of_the_part_it_is_added_to() -> None:
    answer = add(TextDelta("a"))
    part = answer.add(TextDelta("b"))
    assert isinstance(part, AnswerPart)
    assert part is answer.parts[0]
    assert part.pieces[-1] == "b"


@pytest.mark.parametrize("event", [ChatStarted(1), UsageReported(1), SuggestedReply("?"), FileAttached("https://a")])
def test_other_events_belong_to_no_part(event: Event) -> None:
    answer = Answer()
    assert answer.add(event) is None
    assert not answer.parts


def test_replaced_text_takes_the_place_of_text_only() -> None:
    answer = add(TextDelta("Thinking..."), ToolCallDelta(0, "{}", "call_1", "f"), TextReplaced("Yes"))
    assert parts(answer) == [("tool_call", "{}"), ("text", "Yes")]
    assert parts(add(TextDelta("Thinking..."), TextReplaced(""))) == []


def test_what_is_no_text_is_kept_as_well() -> None:
    answer = add(
        FileAttached("https://a"), SuggestedReply("More?"), VideoJobStarted("v1"), Finished(FinishReason.LENGTH)
    )
    assert [file.url for file in answer.files] == ["https://a"]
    assert answer.suggested_replies == ["More?"]
    assert (answer.video_job_id, answer.finish_reason) == ("v1", FinishReason.LENGTH)


def test_what_it_consumed_is_not_known_before_its_end() -> None:
    answer = add(TextDelta("as it came"))
    with pytest.raises(RuntimeError):
        _ = answer.usage
    answer.close(text="as it was shown", usage=TokenUsage(1, 2), matched_stop="X")
    assert (answer.text, answer.usage, answer.matched_stop) == ("as it was shown", TokenUsage(1, 2), "X")


def test_links_are_appended_unless_they_are_in_the_text() -> None:
    files = [FileAttached("https://a"), FileAttached("https://b"), FileAttached("https://b")]
    assert missing_links(files, "see https://a") == "\n\nhttps://b"
    assert missing_links(files, "") == "https://a\nhttps://b"
    assert missing_links([], "text") == ""


def test_files_are_cited_once_and_in_their_place() -> None:
    files = [
        FileAttached("https://example.com/x/a.png", name="A"),
        FileAttached("https://example.com/x/b.png"),
        FileAttached("https://example.com/x/b.png"),
    ]
    text = "See https://example.com/x/a.png!"
    whole = text + missing_links(files, text)
    citations = url_citations(files, whole)
    assert [citation["title"] for citation in citations] == ["A", "b.png"]
    assert [whole[citation["start_index"] : citation["end_index"]] for citation in citations] == [
        "https://example.com/x/a.png",
        "https://example.com/x/b.png",
    ]


def test_an_address_that_is_none_has_a_name_too() -> None:
    assert file_name(FileAttached("https://[")) == "file"
