"""Every kind of input in the one shape in which it is stored and listed."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.http.errors import GatewayError
from gateway.surfaces.responses.input_items import MAX_ITEMS, InputFields, Item, read_input


def read(value: Any) -> list[Item]:
    return read_input(InputFields({"input": value}), lambda prefix: f"{prefix}_new")


def refused(value: Any) -> tuple[str | None, str]:
    with pytest.raises(GatewayError) as caught:
        read(value)
    assert caught.value.status == 400
    return caught.value.param, caught.value.code


def test_a_text_is_a_message_of_the_user() -> None:
    message = {
        "id": "msg_new",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "Hi"}],
    }
    assert read("Hi") == read(["Hi"]) == read([{"role": "user", "content": "Hi"}]) == [message]
    assert read([{"type": "message", "role": "user", "content": [{"type": "text", "text": "Hi"}]}]) == [message]


def test_what_the_assistant_said_is_output() -> None:
    parts = [
        {"type": "output_text", "text": "Hi", "annotations": [{"type": "x"}]},
        {"type": "refusal", "refusal": "No"},
    ]
    (item,) = read([{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": parts}])
    assert item["id"] == "msg_1"
    assert item["content"] == [
        {"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "No"},
    ]


def test_pictures_and_files_of_either_api() -> None:
    url = "https://example.com/a.png"
    parts = [
        {"type": "input_image", "image_url": url, "detail": "low"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "input_file", "file_url": url},
        {"type": "file", "file": {"filename": "a", "file_data": "data:,x"}},
    ]
    (item,) = read([{"role": "user", "content": parts}])
    assert item["content"] == [
        {"type": "input_image", "image_url": url, "detail": "low"},
        {"type": "input_image", "image_url": url, "detail": "auto"},
        {"type": "input_file", "file_url": url},
        {"type": "input_file", "filename": "a", "file_data": "data:,x"},
    ]


def test_calls_outputs_reasoning_and_references() -> None:
    items = read(
        [
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "content": None},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": {"a": 1}},
            {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "x"}]},
            {"type": "function_call_output", "call_id": "call_2", "output": ""},
            {"type": "item_reference", "id": "msg_1"},
            {"id": "msg_2"},
        ]
    )
    assert items[0] == {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    assert (items[1]["arguments"], items[1]["id"]) == ('{"a": 1}', "fc_new")
    assert (items[2]["output"], items[2]["id"]) == ([{"type": "input_text", "text": "x"}], "fco_new")
    assert items[3]["output"] == ""
    assert items[4:] == [{"type": "item_reference", "id": "msg_1"}, {"type": "item_reference", "id": "msg_2"}]


@pytest.mark.parametrize(
    ("value", "param", "code"),
    [
        (None, "input", "missing_required_parameter"),
        (5, "input", "invalid_type"),
        ([], "input", "empty_array"),
        ([5], "input[0]", "invalid_type"),
        (["x"] * (MAX_ITEMS + 1), "input", "invalid_type"),
        ([{"content": "x"}], "input[0].role", "missing_required_parameter"),
        ([{"role": "tool", "content": "x"}], "input[0].role", "invalid_value"),
        ([{"role": "user"}], "input[0].content", "missing_required_parameter"),
        ([{"role": "user", "content": 5}], "input[0].content", "invalid_type"),
        ([{"role": "user", "content": [5]}], "input[0].content[0]", "invalid_type"),
        ([{"role": "user", "content": [{}]}], "input[0].content[0].type", "missing_required_parameter"),
        ([{"role": "user", "content": [{"type": "input_text"}]}], "input[0].content[0].text",
         "missing_required_parameter"),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}], "input[0].content[0].file_id",
         "unsupported_content"),
        ([{"role": "user", "content": [{"type": "input_image"}]}], "input[0].content[0].image_url",
         "missing_required_parameter"),
        ([{"role": "user", "content": [{"type": "input_file"}]}], "input[0].content[0].file_data",
         "missing_required_parameter"),
        ([{"type": "function_call", "call_id": "c"}], "input[0].name", "missing_required_parameter"),
        ([{"type": "function_call", "name": "f"}], "input[0].call_id", "missing_required_parameter"),
        ([{"type": "function_call_output", "call_id": "c"}], "input[0].output", "missing_required_parameter"),
        ([{"type": "item_reference"}], "input[0].id", "missing_required_parameter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(value: Any, param: str, code: str) -> None:
    assert refused(value) == (param, code)
