"""JSON documents as they are stored: compressed, and small enough for one item. Pure.

A document that is mostly one long list, such as the list of models, is written by `pack_by_row`: one JSON text like
any other, in which each row of the list has a line of its own. Reading it parses the rest, and each row when it is
asked for.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

# DynamoDB's limit of 400 KB (409,600 bytes) is for the whole item: keys and attribute names need their share.
MAX_DOCUMENT_BYTES = 400_000
# Line feeds outside of JSON's strings are ours alone.
_LIST_BEGINS, _LIST_ENDS = b"[\n", b"\n]}"


class Rows(Sequence[Any]):
    """The rows of a stored list, each a line of JSON. A row is parsed whenever it is asked for, and not kept.

    Asking raises `ValueError` where the line is no JSON, and going through all of them where any is none. It equals a
    list of the same rows.
    """

    __slots__ = ("_lines",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, lines: Sequence[bytes]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [read_row(line) for line in self._lines[index]]
        return read_row(self._lines[index])

    def __iter__(self) -> Iterator[Any]:
        # All in one go takes half as long as one by one.
        rows: list[Any] = json.loads(b"[" + b"\n".join(self._lines) + b"]")
        if len(rows) != len(self._lines):
            raise ValueError("a line has not one row")
        return iter(rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows | list):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))


def read_row(line: bytes) -> Any:
    """The row on a line, which a comma ends unless it is the last one. Raises `ValueError`."""
    return json.loads(line.removesuffix(b","))


def listed(value: Any) -> list[Any]:
    """What `json.dumps` writes for `Rows`, as its `default`. Raises `TypeError` for anything else."""
    if isinstance(value, Rows):
        return list(value)
    raise TypeError(f"a {type(value).__name__} can't be stored")


def as_json(value: Any) -> str:
    """The value as JSON, with the rows of documents that were read among it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=listed)


def pack(document: Mapping[str, Any]) -> bytes:
    """Compress a document. Raises `ValueError` when it can't fit one item even so."""
    return _compressed(as_json(document).encode())


def pack_by_row(document: Mapping[str, Any]) -> bytes:
    """Compress a document with the rows of its longest list of objects on lines. Raises `ValueError` like `pack`."""
    lists = {name: value for name, value in document.items() if _is_rows(value)}
    if not lists:
        return pack(document)
    longest = max(lists, key=lambda name: len(lists[name]))
    # Whoever does not know of the lines reads the same document: JSON allows them between its parts, and has none
    # within.
    head = as_json({name: value for name, value in document.items() if name != longest} | {longest: []})
    rows = ",\n".join(map(as_json, lists[longest]))
    return _compressed(head.removesuffix("[]}").encode() + _LIST_BEGINS + rows.encode() + _LIST_ENDS)


def unpack(packed: bytes) -> dict[str, Any]:
    """The document that was packed; the rows of one that was packed by row are `Rows`. Raises `ValueError`."""
    text = zlib.decompress(packed)
    if not text.endswith(_LIST_ENDS):
        document: dict[str, Any] = json.loads(text)
        return document
    begins = text.index(_LIST_BEGINS)
    document = json.loads(text[:begins] + b"[]}")
    lines = text[begins + len(_LIST_BEGINS) : -len(_LIST_ENDS)].split(b"\n")
    # The list was written last.
    document[next(reversed(document))] = Rows(lines)
    return document


def _is_rows(value: Any) -> bool:
    return isinstance(value, Rows | list) and len(value) > 0 and all(isinstance(row, Mapping) for row in value)


def _compressed(text: bytes) -> bytes:
    packed = zlib.compress(text, 6)
    if len(packed) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"the document needs {len(packed)} bytes, {MAX_DOCUMENT_BYTES} are allowed")
    return packed
