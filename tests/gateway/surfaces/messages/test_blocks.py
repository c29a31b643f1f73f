"""Anthropic's conversations as those of a chat completion."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.http.errors import GatewayError
from gateway.prompt.request import GenerationRequest
from gateway.surfaces.messages.request import read_messages_request


def call_of(*messages: dict[str, Any], **more: Any) -> GenerationRequest:
    body = {"model": "m", "max_tokens": 10, "messages": list(messages), **more}
    return read_messages_request(body).generation_request(None)


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": blocks[0] if isinstance(blocks[0], str) else list(blocks)}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def test_the_system_prompt_comes_first_whatever_its_form() -> None:
    assert [turn.text for turn in call_of(user("Hi"), system="Be brief").turns] == ["Be brief", "Hi"]
    blocks = [text("Be brief") | {"cache_control": {"type": "ephemeral"}}, text("Be kind")]
    first = call_of(user("Hi"), system=blocks).turns[0]
    assert (first.role, first.text) == ("system", "Be brief\n\nBe kind")


def test_a_system_turn_in_the_middle_stays_there() -> None:
    turns = call_of(user("Hi"), {"role": "system", "content": [text("Now in verse")]}, user("Go on")).turns
    assert [turn.role for turn in turns] == ["user", "system", "user"]


def test_a_last_turn_of_the_assistant_is_kept_to_be_continued() -> None:
    turns = call_of(user("Count"), {"role": "assistant", "content": "one, "}).turns
    assert (turns[-1].role, turns[-1].text) == ("assistant", "one, ")


def test_results_come_before_the_rest_of_their_turn_and_their_files_after() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    calls = [{"type": "tool_use", "id": f"c{n}", "name": "look", "input": {"n": n}} for n in (1, 2)]
    turns = call_of(
        user("Look"),
        {"role": "assistant", "content": [text("Looking"), *calls]},
        user(
            text("Here:"),
            {"type": "tool_result", "tool_use_id": "c1", "content": [text("a view"), image]},
            {"type": "tool_result", "tool_use_id": "c2", "content": [image]},
        ),
    ).turns
    assert [(turn.role, turn.tool_call_id) for turn in turns[2:]] == [("tool", "c1"), ("tool", "c2"), ("user", None)]
    assert [turn.text for turn in turns[2:4]] == ["a view", "The result is in the files that follow."]
    assert turns[4].text == "Here:\nFiles of the result for call c1:\nFiles of the result for call c2:"
    assert [file.url for file in turns[4].attachments] == ["https://example.com/a.png"] * 2
    assert [call.arguments for call in turns[1].tool_calls] == ['{"n":1}', '{"n":2}']


def test_results_alone_add_no_empty_turn() -> None:
    calls = [{"type": "tool_use", "id": "c", "name": "look", "input": {}}]
    result = {"type": "tool_result", "tool_use_id": "c"}
    turns = call_of(user("Look"), {"role": "assistant", "content": calls}, user(result)).turns
    assert [(turn.role, turn.text) for turn in turns] == [("user", "Look"), ("assistant", ""), ("tool", "")]


def test_a_result_that_is_an_error_says_so() -> None:
    calls = [{"type": "tool_use", "id": "c", "name": "look", "input": {}}]
    result = {"type": "tool_result", "tool_use_id": "c", "is_error": True}
    assert call_of(user("Look"), {"role": "assistant", "content": calls}, user(result)).turns[-1].text == (
        "The tool failed."
    )


@pytest.mark.parametrize(
    ("block", "shown"),
    [
        ({"type": "document", "source": {"type": "text", "data": "words"}}, "words"),
        ({"type": "document", "context": "old", "source": {"type": "text", "data": "words"}}, "old\nwords"),
        ({"type": "document", "title": "T", "source": {"type": "content", "content": "words"}}, "T:\n\nwords"),
        (
            {"type": "document", "title": "T", "source": {"type": "content", "content": [text("a"), text("b")]}},
            "T\na\nb",
        ),
        (
            {"type": "search_result", "title": "T", "source": "https://e.com", "content": [text("a")]},
            "T (https://e.com)\na",
        ),
    ],
)
def test_documents_of_text_become_text(block: dict[str, Any], shown: str) -> None:
    assert call_of(user(block)).turns[0].text == shown


def test_documents_that_are_files_are_attached() -> None:
    by_address = {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}
    by_bytes = {
        "type": "document",
        "title": "../p",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="},
    }
    files = call_of(user(by_address, by_bytes)).turns[0].attachments
    assert [(file.name, file.url, file.data) for file in files] == [
        ("a.pdf", "https://example.com/a.pdf", None),
        ("p.pdf", None, b"%PDF"),
    ]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "robot", "content": "Hi"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": ["Hi"]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"text": "Hi"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "image"}]}], "messages[0].content[0].source"),
        (
            [{"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}],
            "messages[0].content[0].source.type",
        ),
        (
            [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}}]}],
            "messages[0].content[0].source.url",
        ),
        (
            [user("x"), user({"type": "image", "source": {"type": "base64", "data": "%%%"}})],
            "messages[1].content[0].source.data",
        ),
        (
            [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b"}]}],
            "messages[0].content[0].input",
        ),
        ([{"role": "user", "content": [{"type": "tool_result"}]}], "messages[0].content[0].tool_use_id"),
        ([], "messages"),
    ],
)
def test_what_is_wrong_is_named_in_the_callers_words(messages: list[dict[str, Any]], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        call_of(*messages)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert param in caught.value.message or caught.value.code in ("unsupported_content", "invalid_value")
