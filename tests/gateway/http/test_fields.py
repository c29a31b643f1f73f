"""Reading fields of a JSON object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.http.errors import GatewayError
from gateway.http.fields import Fields

READERS: dict[str, Callable[[Fields], Any]] = {
    "text": lambda fields: fields.text("x", max_length=3),
    "required": lambda fields: fields.required_text("x"),
    "flag": lambda fields: fields.flag("x"),
    "integer": lambda fields: fields.integer("x", lowest=1, highest=5),
    "number": lambda fields: fields.number("x", lowest=0, highest=2),
    "choice": lambda fields: fields.choice("x", ("a", "b")),
    "mapping": lambda fields: fields.mapping("x"),
    "items": lambda fields: fields.items("x", max_items=1),
    "objects": lambda fields: fields.objects("x"),
}


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        ("text", "abc", "abc"),
        ("text", None, None),
        ("required", "a", "a"),
        ("flag", True, True),
        ("flag", None, False),
        ("integer", 5, 5),
        ("integer", 2.0, 2),
        ("number", 0.5, 0.5),
        ("number", 2, 2),
        ("choice", "b", "b"),
        ("items", [1], [1]),
        ("mapping", None, None),
    ],
)
def test_good_values(reader: str, value: Any, expected: Any) -> None:
    assert READERS[reader](Fields({"x": value})) == expected


@pytest.mark.parametrize(
    ("reader", "value", "code"),
    [
        ("text", 1, "invalid_type"),
        ("text", "abcd", "invalid_type"),
        ("required", None, "missing_required_parameter"),
        ("required", "  ", "invalid_type"),
        ("flag", "true", "invalid_type"),
        ("flag", 1, "invalid_type"),
        ("integer", True, "invalid_type"),
        ("integer", "1", "invalid_type"),
        ("integer", 1.5, "invalid_type"),
        ("integer", 0, "out_of_range"),
        ("integer", 6, "out_of_range"),
        ("number", 2.1, "out_of_range"),
        ("number", True, "invalid_type"),
        ("choice", "c", "invalid_value"),
        ("mapping", [], "invalid_type"),
        ("items", {}, "invalid_type"),
        ("items", [1, 2], "invalid_type"),
        ("objects", [1], "invalid_type"),
    ],
)
def test_bad_values(reader: str, value: Any, code: str) -> None:
    with pytest.raises(GatewayError) as caught:
        READERS[reader](Fields({"x": value}, "place"))
    assert (caught.value.code, caught.value.status) == (code, 400)
    assert caught.value.param is not None
    assert caught.value.param.startswith("place.x")


def test_places_add_up() -> None:
    inner = Fields({"a": {"b": [{"c": 1}]}}).mapping("a")
    assert inner is not None
    objects = inner.objects("b")
    assert objects is not None
    assert objects[0].param("c") == "a.b[0].c"
