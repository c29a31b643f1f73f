"""Documents as they are stored, and rows that are parsed when they are asked for."""

from __future__ import annotations

import json
import random
import zlib
from typing import Any

import pytest

from accounts import AccountStore
from accounts._documents import MAX_DOCUMENT_BYTES, Rows, pack, pack_by_row, unpack

ROWS: list[dict[str, Any]] = [
    {"id": "a", "text": "one\nline, and\r\nanother[\n"},
    {"id": "b", "text": "\n]}", "nested": [{"c": "],\n["}, None, 1.5, True]},
    {},
    {"id": "häh?\u2028\x85\x1e", "text": '"[\\n]}"'},
]
DOCUMENTS: tuple[dict[str, Any], ...] = (
    {"models": ROWS},
    {"updated_at": 1.5, "models": ROWS, "names": [["a", "b"], ["c"]], "failures": {"web": "timeout"}},
    {"models": ROWS, "few": ROWS[:1], "none": []},
    {"models": ROWS[:1], "[\n": "\n]}"},
    {"models": []},
    {"models": [1, {"id": "a"}], "text": "a\nb"},
    {"models": {"a": {"b": 1}}},
    {},
)


def counted_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes the number of each row that is parsed."""
    parsed: list[int] = []
    ask, ask_all = Rows.__getitem__, Rows.__iter__
    monkeypatch.setattr(Rows, "__getitem__", lambda rows, number: parsed.append(number) or ask(rows, number))
    monkeypatch.setattr(Rows, "__iter__", lambda rows: parsed.extend(range(len(rows))) or ask_all(rows))
    return parsed


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("write", [pack, pack_by_row])
def test_a_document_is_read_as_it_was_written(document: dict[str, Any], write: Any) -> None:
    assert unpack(write(document)) == document


@pytest.mark.parametrize("document", DOCUMENTS)
def test_whoever_knows_nothing_of_rows_reads_the_same_document(document: dict[str, Any]) -> None:
    """The last version's sandboxes read what this one's job stores, and this one's what theirs stored."""
    assert json.loads(zlib.decompress(pack_by_row(document))) == document
    formerly = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    found = unpack(zlib.compress(formerly, 6))
    assert found == document
    assert not any(isinstance(value, Rows) for value in found.values())


def test_the_longest_list_of_objects_has_the_rows() -> None:
    found = unpack(pack_by_row({"few": ROWS[:2], "many": ROWS, "most": [1] * 9}))
    assert {name: type(value) for name, value in found.items()} == {"few": list, "many": Rows, "most": list}


def test_a_row_is_parsed_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = counted_rows(monkeypatch)
    packed = pack_by_row({"models": ROWS, "n": 1})
    rows = unpack(packed)["models"]
    assert (len(rows), parsed) == (4, [])
    assert rows[1] == ROWS[1]
    assert rows[-1] == ROWS[-1]
    assert parsed == [1, -1]
    assert rows[1:3] == ROWS[1:3]
    assert list(rows) == ROWS
    assert list(reversed(rows)) == ROWS[::-1]
    with pytest.raises(IndexError):
        rows[4]


def test_what_one_reader_does_to_a_row_is_not_the_next_ones() -> None:
    rows = unpack(pack_by_row({"models": ROWS}))["models"]
    rows[0]["id"] = "changed"
    assert rows[0] == ROWS[0]


def test_rows_equal_the_list_that_they_were() -> None:
    rows, again = (unpack(pack_by_row({"models": ROWS}))["models"] for _ in range(2))
    assert rows == ROWS and ROWS == rows and rows == again
    assert rows != ROWS[:3] and rows != [*ROWS[:3], {}] and rows != tuple(ROWS)
    with pytest.raises(TypeError):
        hash(rows)


def test_a_broken_line_breaks_only_its_own_row() -> None:
    text = zlib.decompress(pack_by_row({"models": ROWS})).replace(b'{"id":"b"', b'{"id":b"')
    rows = unpack(zlib.compress(text))["models"]
    assert [rows[0], rows[2]] == [ROWS[0], ROWS[2]]
    with pytest.raises(ValueError, match="Expecting value"):
        rows[1]
    with pytest.raises(ValueError, match="Expecting value"):
        list(rows)


def test_a_line_with_more_than_its_row_moves_no_other_one() -> None:
    rows = Rows([b'{"n":1},', b'{"n":2},{"n":2},', b'{"n":3}'])
    assert [rows[0], rows[2]] == [{"n": 1}, {"n": 3}]
    for ask in (lambda: rows[1], lambda: list(rows)):
        with pytest.raises(ValueError, match=r"Extra data|not one row"):
            ask()


def test_rows_that_were_read_are_written_again() -> None:
    found = unpack(pack_by_row({"models": ROWS, "n": 1}))
    for write in (pack, pack_by_row):
        assert unpack(write(found | {"n": 2})) == {"models": ROWS, "n": 2}
        assert unpack(write({"inner": found})) == {"inner": {"models": ROWS, "n": 1}}
    with pytest.raises(TypeError, match="a set can't be stored"):
        pack({"a": {1}})


def test_a_document_that_fits_no_item_is_refused() -> None:
    rng = random.Random(1)
    noise = [{"n": rng.randbytes(100).hex()} for _ in range(9_000)]
    with pytest.raises(ValueError, match=f"{MAX_DOCUMENT_BYTES} are allowed"):
        pack_by_row({"models": noise})


async def test_a_stored_list_is_read_changed_and_stored_again(store: AccountStore) -> None:
    rows = [{"id": f"bot-{number}", "text": "says much " * 20} for number in range(200)]
    await store.put_config("large", {"n": 1, "rows": rows})
    for read in range(2, 4):
        document = await store.get_config("large")
        assert document is not None and isinstance(document["rows"], Rows)
        await store.put_config("large", document | {"n": read})
    assert (await store.get_configs(["large"]))["large"] == {"n": 3, "rows": rows}
    # Small enough again to be stored as it is.
    few = unpack(pack_by_row({"rows": rows[:2]}))
    await store.put_config("large", few)
    assert await store.get_config("large") == {"rows": rows[:2]}
