"""Items of an answer, and links to its files."""

from __future__ import annotations

from gateway.surfaces.responses.resource import Output
from gateway.surfaces.responses.storage import is_response_id, item_ids, new_response_id, response_of_item
from reverse.events import Event, FileAttached, TextDelta, ToolCallDelta


def test_an_items_id_tells_its_response() -> None:
    response_id = new_response_id()
    new_id = item_ids(response_id)
    assert is_response_id(response_id)
    ids = [new_id("msg"), new_id("fc"), new_id("rs"), new_id("fco")]
    assert {response_of_item(item_id) for item_id in ids} == {response_id}
    assert len(set(ids)) == 4


def test_ids_of_others_tell_nothing() -> None:
    for text in ("", "msg_1", "msg_" + "g" * 36, "resp_x", "../" + "0" * 36, "msg_" + "0" * 36 + "\n"):
        assert response_of_item(text) is None
        assert not is_response_id(text)


def collect(*events: Event) -> Output:
    output = Output(item_ids(new_response_id()))
    for event in events:
        output.answer.add(event)
    output.add_collected()
    output.close("completed")
    return output


def test_items_are_numbered_and_completed() -> None:
    output = collect(ToolCallDelta(0, "{}", "call_1", "f"), TextDelta("Yes"))
    assert [(item["type"], item["status"]) for item in output.to_json()] == [
        ("function_call", "completed"),
        ("message", "completed"),
    ]
    assert [item.index for item in output.items] == [0, 1]


def test_a_call_without_an_id_gets_one() -> None:
    ids = {item.call_id for item in collect(ToolCallDelta(0, "", None, "f"), ToolCallDelta(1, "", None, "f")).items}
    assert len(ids) == 2
    assert all(call_id.startswith("call_") for call_id in ids)


def test_files_are_linked_in_the_last_message_and_annotated_there() -> None:
    file = FileAttached("https://example.com/x/b.png")
    message = collect(TextDelta("See"), file).to_json()[0]["content"][0]
    assert message["text"] == "See\n\nhttps://example.com/x/b.png"
    assert [note["title"] for note in message["annotations"]] == ["b.png"]
    shown = collect(TextDelta("See"), ToolCallDelta(0, "{}", "call_1", "f"), file).to_json()
    assert [item["type"] for item in shown] == ["message", "function_call", "message"]
    assert shown[2]["content"][0]["text"] == file.url


def test_a_file_in_its_own_address_is_in_the_text_only() -> None:
    message = collect(FileAttached("data:image/png;base64,AA==")).to_json()[0]["content"][0]
    assert message["text"] == "data:image/png;base64,AA=="
    assert message["annotations"] == []


def test_an_answer_without_a_word_is_an_empty_message() -> None:
    assert [item["content"][0]["text"] for item in collect().to_json()] == [""]
