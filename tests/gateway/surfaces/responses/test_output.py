"""Items of an answer, and links to its files."""

from __future__ import annotations

from gateway.surfaces.responses.ids import is_response_id, item_ids, new_response_id, response_of_item
from gateway.surfaces.responses.output import Output, link_files
from reverse.events import FileAttached, ToolCallDelta


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


def test_starting_over_forgets_words_only() -> None:
    output = Output(item_ids(new_response_id()))
    output.message().pieces.append("Thinking...")
    output.call(ToolCallDelta(0, "{}", "call_1", "f")).pieces.append("{}")
    output.start_over()
    output.message().pieces.append("Yes")
    output.close("completed")
    assert [(item["type"], item["status"]) for item in output.to_json()] == [
        ("function_call", "completed"),
        ("message", "completed"),
    ]
    assert [item.index for item in output.items] == [0, 1]


def test_a_call_without_an_id_gets_one() -> None:
    output = Output(item_ids(new_response_id()))
    ids = {output.call(ToolCallDelta(index, "", None, "f")).call_id for index in range(2)}
    assert len(ids) == 2
    assert all(call_id.startswith("call_") for call_id in ids)


def test_files_are_linked_once_and_annotated_in_place() -> None:
    files = [
        FileAttached("https://example.com/x/a.png", name="A"),
        FileAttached("https://example.com/x/b.png"),
        FileAttached("https://example.com/x/b.png"),
    ]
    links, annotations = link_files(files, "See https://example.com/x/a.png!")
    whole = "See https://example.com/x/a.png!" + links
    assert links == "\n\nhttps://example.com/x/b.png"
    assert [note["title"] for note in annotations] == ["A", "b.png"]
    assert [whole[note["start_index"] : note["end_index"]] for note in annotations] == [
        "https://example.com/x/a.png",
        "https://example.com/x/b.png",
    ]


def test_a_file_in_its_own_address_is_in_the_text_only() -> None:
    links, annotations = link_files([FileAttached("data:image/png;base64,AA==")], "")
    assert links == "data:image/png;base64,AA=="
    assert annotations == []


def test_no_files_add_nothing() -> None:
    assert link_files([], "text") == ("", [])


def test_an_address_that_is_none_breaks_nothing() -> None:
    _, annotations = link_files([FileAttached("https://[")], "")
    assert [note["title"] for note in annotations] == ["file"]
