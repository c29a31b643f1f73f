"""Stored responses: conversations over many documents, references, and what is not there."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import pytest

from accounts import InMemoryAccountStore, StoreUnavailableError
from gateway.http.errors import GatewayError
from gateway.http.request_log import Journal
from gateway.surfaces.responses import storage
from gateway.surfaces.responses.input_items import Item
from gateway.surfaces.responses.storage import KIND, SEGMENT_CHARACTERS, ResponseStore, item_ids, new_response_id


def message(item_id: str, text: str, role: str = "user") -> Item:
    return {"id": item_id, "type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


# Loggers live as long as the process, and an address may be given again: each has a number of its own.
NUMBERS = itertools.count()


class Bench:
    """A store, and conversations written to it turn by turn."""

    def __init__(self) -> None:
        self.reads = 0
        self.accounts = InMemoryAccountStore()
        self.log = io.StringIO()
        journal = Journal(stream=self.log, service=f"storage-{next(NUMBERS)}")
        self.stored = ResponseStore(self.accounts, journal, ttl_days=1)

    async def turn(self, text: str, previous: str | None = None, *, owner: str = "me") -> str:
        """Store one turn: a question and its answer."""
        response_id = new_response_id()
        new_id = item_ids(response_id)
        conversation = await self.stored.conversation(owner, previous)
        items = [message(new_id("msg"), f"question {text}")]
        response = {"id": response_id, "output": [message(new_id("msg"), f"answer {text}", "assistant")]}
        assert await self.stored.put(owner, response, items, conversation)
        return response_id

    async def texts(self, response_id: str) -> list[str]:
        conversation = await self.stored.conversation("me", response_id)
        return [item["content"][0]["text"] for item in conversation.items]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_short_conversation_is_one_document(bench: Bench) -> None:
    first = await bench.turn("1")
    second = await bench.turn("2", first)
    third = await bench.turn("3", second)
    document = await bench.stored.find("me", third)
    assert document is not None
    assert document["base"] is None
    assert await bench.texts(third) == [
        "question 1", "answer 1", "question 2", "answer 2", "question 3", "answer 3",
    ]  # fmt: skip


async def test_a_conversation_can_branch(bench: Bench) -> None:
    first = await bench.turn("1")
    branches = [await bench.turn(name, first) for name in "ab"]
    assert [(await bench.texts(branch))[2] for branch in branches] == ["question a", "question b"]


async def test_a_long_conversation_is_divided_and_whole(bench: Bench) -> None:
    """No document grows with the conversation, and none of it is lost."""
    large = "x" * (SEGMENT_CHARACTERS // 3)
    previous: str | None = None
    expected: list[str] = []
    for number in range(12):
        previous = await bench.turn(f"{number} {large}", previous)
        expected += [f"question {number} {large}", f"answer {number} {large}"]
        document = await bench.stored.find("me", previous)
        assert len(json.dumps(document)) < 3 * SEGMENT_CHARACTERS
    assert previous is not None
    assert await bench.texts(previous) == expected


async def test_a_conversation_whose_beginning_is_gone_says_so(bench: Bench) -> None:
    first = await bench.turn("x" * SEGMENT_CHARACTERS)
    second = await bench.turn("2", first)
    assert await bench.stored.delete("me", first)
    with pytest.raises(GatewayError) as caught:
        await bench.stored.conversation("me", second)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_deleting_a_turn_does_not_break_a_short_conversation(bench: Bench) -> None:
    first = await bench.turn("1")
    second = await bench.turn("2", first)
    assert await bench.stored.delete("me", first)
    assert not await bench.stored.delete("me", first)
    assert len(await bench.texts(second)) == 4


async def test_a_conversation_without_end_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_SEGMENTS", 2)
    previous: str | None = None
    with pytest.raises(GatewayError) as caught:
        for number in range(10):
            previous = await bench.turn(f"{number}" * SEGMENT_CHARACTERS, previous)
    assert caught.value.code == "context_length_exceeded"


async def test_references_become_what_they_stand_for(bench: Bench) -> None:
    first, second = await bench.turn("1"), await bench.turn("2")
    documents: list[Any] = [await bench.stored.find("me", response_id) for response_id in (first, second)]
    ids = [documents[0]["input"][0]["id"], documents[1]["response"]["output"][0]["id"]]
    items = [{"type": "item_reference", "id": item_id} for item_id in ids]
    nothing = await bench.stored.conversation("me", None)
    resolved = await bench.stored.resolve("me", [*items, message("m", "x")], nothing)
    assert [item["content"][0]["text"] for item in resolved] == ["question 1", "answer 2", "x"]
    continued = await bench.stored.resolve("me", items, await bench.stored.conversation("me", first))
    assert [item["content"][0]["text"] for item in continued] == ["answer 2"], "the other is there already"


@pytest.mark.parametrize("owner", ["me", "you"])
async def test_references_to_nothing_are_refused(bench: Bench, owner: str) -> None:
    first = await bench.turn("1", owner="me")
    document: Any = await bench.stored.find("me", first)
    item_id = document["input"][0]["id"] if owner == "you" else document["input"][0]["id"][:-1] + "9"
    nothing = await bench.stored.conversation(owner, None)
    with pytest.raises(GatewayError) as caught:
        await bench.stored.resolve(owner, [{"type": "item_reference", "id": item_id}], nothing)
    assert caught.value.code == "item_not_found"


async def test_ids_that_are_none_of_ours_are_not_looked_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise AssertionError("asked the store")

    monkeypatch.setattr(bench.accounts, "get_document", fail)
    for response_id in ("", "resp_1", "resp_" + "A" * 32, "x#y", "resp_" + "0" * 32 + "\n"):
        assert await bench.stored.find("me", response_id) is None
        assert not await bench.stored.delete("me", response_id)


async def test_a_store_that_fails_loses_no_answer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise StoreUnavailableError("put", "Throttled")

    monkeypatch.setattr(bench.accounts, "put_document", fail)
    nothing = await bench.stored.conversation("me", None)
    assert not await bench.stored.put("me", {"id": new_response_id(), "output": []}, [], nothing)
    assert "response.not_stored" in bench.log.getvalue()


async def test_documents_are_kept_under_the_owner(bench: Bench) -> None:
    first = await bench.turn("1")
    assert await bench.accounts.get_document(KIND, "me", first) is not None
    assert await bench.stored.find("you", first) is None


@pytest.mark.parametrize("name", ["image_url", "file_data"])
async def test_large_files_are_not_even_compressed(bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("asked the store")

    monkeypatch.setattr(bench.accounts, "put_document", fail)
    nothing = await bench.stored.conversation("me", None)
    items: list[Item] = [
        {"id": "msg_1", "type": "message", "role": "user", "content": [{"type": "x", name: "A" * 600_000}]},
        {"id": "fco_1", "type": "function_call_output", "output": [{"type": "x", name: "A" * 600_000}]},
        {"id": "fco_2", "type": "function_call_output", "output": "text"},
    ]
    assert not await bench.stored.put("me", {"id": new_response_id(), "output": []}, items, nothing)
    assert "response.too_large_to_store" in bench.log.getvalue()
