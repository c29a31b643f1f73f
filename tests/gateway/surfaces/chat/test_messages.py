"""OpenAI's messages as turns."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest

from gateway.http.errors import GatewayError
from gateway.prompt.turns import estimate_tokens, with_files_behind_results
from gateway.surfaces.chat.request import read_chat_request
from reverse.chat import Attachment, Message, ToolCall

PNG = base64.b64encode(b"png").decode()


def read(*messages: Any) -> list[Message]:
    return list(read_chat_request({"model": "m", "messages": list(messages)}).turns)


def test_roles_become_turns() -> None:
    roles = ["system", "developer", "user", "assistant"]
    turns = read(*({"role": role, "content": role} for role in roles))
    assert [turn.role for turn in turns] == ["system", "system", "user", "assistant"]
    assert [turn.text for turn in turns] == roles


def test_text_parts_of_one_message_stay_one_turn() -> None:
    parts = [{"type": "text", "text": "one"}, "two", {"type": "input_text", "text": "three"}]
    assert read({"role": "user", "content": parts}) == [Message("user", "one\ntwo\nthree")]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
            Attachment("image.png", "image/png", b"png"),
        ),
        (
            {"type": "image_url", "image_url": "https://example.org/a/cat.jpg?x=1"},
            Attachment("cat.jpg", "image/*", url="https://example.org/a/cat.jpg?x=1"),
        ),
        (
            {"type": "input_image", "image_url": f"DATA:image/JPEG;base64,{PNG}"},
            Attachment("image.jpg", "image/jpeg", b"png"),
        ),
        (
            {
                "type": "file",
                "file": {"filename": "../../etc/a b.pdf", "file_data": f"data:application/pdf;base64,{PNG}"},
            },
            Attachment("a b.pdf", "application/pdf", b"png"),
        ),
        (
            {"type": "file", "file": {"filename": "n.bin", "file_data": PNG}},
            Attachment("n.bin", "application/octet-stream", b"png"),
        ),
        (
            {"type": "file", "file": {"file_url": "https://example.org/"}},
            Attachment("file", "application/octet-stream", url="https://example.org/"),
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:,hello%20there"}},
            Attachment("image.plain", "text/plain", b"hello there"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": PNG, "format": "mp3"}},
            Attachment("audio.mp3", "audio/mpeg", b"png"),
        ),
    ],
    ids=["data", "address", "upper case", "file data", "plain base64", "file address", "text data", "audio"],
)
def test_files_are_collected(part: dict[str, Any], expected: Attachment) -> None:
    (turn,) = read({"role": "user", "content": [part]})
    assert turn.attachments == (expected,)


def test_tool_calls_and_results_keep_their_ids() -> None:
    call = {"id": "call_9", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    turns = read(
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_9", "content": [{"type": "text", "text": "42"}]},
    )
    assert turns[0].tool_calls == (ToolCall("call_9", "f", '{"a":1}'),)
    assert (turns[1].role, turns[1].text, turns[1].tool_call_id) == ("tool", "42", "call_9")


def test_calls_of_custom_tools_are_calls_with_one_argument() -> None:
    """The current SDK's types allow them in a history, whoever made them."""
    call = {"id": "c1", "type": "custom", "custom": {"name": "shell", "input": 'echo "hi"'}}
    turns = read({"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "hi"})
    assert turns[0].tool_calls == (ToolCall("c1", "shell", '{"input": "echo \\"hi\\""}'),)


def test_every_legacy_call_has_an_id_of_its_own() -> None:
    call = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}
    other = {"role": "assistant", "content": None, "function_call": {"name": "g", "arguments": "{}"}}
    results = [{"role": "function", "name": name, "content": "x"} for name in "ffg"]
    turns = read(call, results[0], call, results[1], other, results[2])
    assert [turn.tool_calls[0].id for turn in turns[::2]] == ["f", "f_2", "g"]
    assert [turn.tool_call_id for turn in turns[1::2]] == ["f", "f_2", "g"]


def test_files_of_tool_results_follow_behind_the_last_of_them() -> None:
    """Every other way to an official account loses them, or is refused: results are text there."""
    call = Message("assistant", "", tool_calls=(ToolCall("1", "f", "{}"), ToolCall("2", "f", "{}")))
    image, sound = Attachment("a.png", "image/png", b"a"), Attachment("b.wav", "audio/wav", b"b")
    results = [Message("tool", "", (image,), tool_call_id="1"), Message("tool", "two", (sound,), tool_call_id="2")]
    told = with_files_behind_results([call, *results, Message("user", "So?"), replace(results[1], text="three")])
    assert [turn.role for turn in told] == ["assistant", "tool", "tool", "user", "user", "tool", "user"]
    assert [turn.attachments for turn in told] == [(), (), (), (image, sound), (), (), (sound,)]
    assert all(turn.text for turn in told[1:])
    assert with_files_behind_results([call]) == (call,)


def test_legacy_function_calls_are_tool_calls() -> None:
    turns = read(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "42"},
    )
    assert turns[0].tool_calls[0].id == turns[1].tool_call_id == "f"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ("text", "messages"),
        ([1], "messages[0]"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": "robot", "content": "x"}], "messages[0].role"),
        ([{"role": 1, "content": "x"}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": ""}], "messages"),
        ([{"role": "user"}], "messages"),
        ([{"role": "user", "content": [7]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"text": "x"}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "text", "text": 1}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content[0].image_url"),
        ([{"role": "user", "content": [{"type": "file", "file": {}}]}], "messages[0].content[0].file.file_data"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "messages[0].content[0].input_audio"),
        ([{"role": "assistant", "tool_calls": [{}]}], "messages[0].tool_calls[0].function"),
        ([{"role": "assistant", "tool_calls": "x"}], "messages[0].tool_calls"),
    ],
)
def test_what_is_wrong_is_named(messages: Any, param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read_chat_request({"model": "m", "messages": messages})
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize(
    "url",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "http://example.org/a.png",
        "ftp://example.org/a",
        "https:///a",
        "https://[bad",
        "data:image/png;base64",
        "data:image/png;base64,@@@",
        "gopher://127.0.0.1/",
    ],
)
def test_an_address_is_never_a_path_nor_plain_http(url: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]})
    assert caught.value.status == 400
    assert url not in caught.value.message


@pytest.mark.parametrize(
    "encoded",
    ["-_8A", "+/8A", "+/8A\r\n", "+/\n8A", " +/8A", "%2B%2F8A", "+/8A+g==", "+/8A+g", "-_8A-g", "%2B%2F8A%2Bg%3D%3D"],
)
def test_base64_is_read_as_browsers_read_it(encoded: str) -> None:
    expected = b"\xfb\xff\x00\xfa" if "g" in encoded else b"\xfb\xff\x00"
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
    file = {"type": "file", "file": {"file_data": encoded, "filename": "a.bin"}}
    sound = {"type": "input_audio", "input_audio": {"data": f"data:audio/wav;base64,{encoded}", "format": "wav"}}
    (turn,) = read({"role": "user", "content": [image, file, sound]})
    assert [part.data for part in turn.attachments] == [expected] * 3
    assert [part.name for part in turn.attachments] == ["image.png", "a.bin", "audio.wav"]


@pytest.mark.parametrize("encoded", ["@@@", "A", "AAAAA", "é", "%zz"])
def test_what_is_not_base64_at_all_is_refused(encoded: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read({"role": "user", "content": [{"type": "file", "file": {"file_data": encoded}}]})
    assert caught.value.code == "invalid_base64"


def test_the_estimate_counts_texts_calls_and_turns() -> None:
    turns = [Message("user", "x" * 40), Message("assistant", "", tool_calls=(ToolCall("1", "name", "y" * 36),))]
    assert estimate_tokens(turns) == 10 + 10 + 2 * 4


def test_what_no_model_gets_is_left_out_and_named() -> None:
    calls = [{"type": "later", "id": "c"}, {"id": "d", "type": "custom", "custom": {"name": "p", "input": "x"}}]
    said = {"role": "assistant", "content": "A", "reasoning_content": "hm", "tool_calls": calls}
    parts = [{"type": "hologram"}, {"type": "input_text", "text": "B"}, {"type": "new", "text": "C"}]
    call = read_chat_request({"model": "m", "messages": [said, {"role": "user", "content": parts}]})
    assert call.turns[1].text == "B\nC"
    assert call.turns[0].tool_calls == (ToolCall("d", "p", '{"input": "x"}'),)
    assert call.options.dropped == (
        "messages.content.hologram",
        "messages.reasoning_content",
        "messages.tool_calls",
    )


def test_what_came_with_a_call_goes_back_with_it() -> None:
    extra = {"google": {"thought_signature": "s"}}
    calls = [{"id": "c", "type": "function", "function": {"name": "f"}, "extra_content": extra}]
    (turn,) = read({"role": "assistant", "tool_calls": calls})
    assert turn.tool_calls[0].extra_content == extra
