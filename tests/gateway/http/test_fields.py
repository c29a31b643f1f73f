"""Bodies as declared fields: what is read, what is refused, and how it is described."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.datastructures import QueryParams

from gateway.http import fields
from gateway.http.bodies import item_index, page_size
from gateway.http.declared_body import Body, describe
from gateway.http.errors import GatewayError


class Inner(Body):
    c = fields.integer(lowest=1)


class Example(Body):
    """One field of each kind."""

    text = fields.text(max_length=3)
    required = fields.required_text(max_length=9)
    flag = fields.flag("Whether.")
    maybe = fields.maybe_flag()
    integer = fields.integer(lowest=1, highest=5)
    number = fields.number(lowest=0, highest=2)
    choice = fields.choice("a", "b")
    mapping = fields.mapping()
    nested = fields.nested(Inner)
    objects = fields.objects(Inner, max_items=2)
    strings = fields.strings(max_items=2)
    anything = fields.option(fields.anything())


class Wider(Example):
    required = fields.required_text(max_length=99)
    more = fields.required_objects(Inner, max_items=2)


def read(name: str, value: Any) -> Any:
    return getattr(Example({name: value}, "place"), name)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", "abc", "abc"),
        ("text", "", ""),
        ("text", None, None),
        ("required", "a", "a"),
        ("flag", True, True),
        ("flag", None, False),
        ("maybe", None, None),
        ("integer", 5, 5),
        ("integer", 2.0, 2),
        ("number", 0.5, 0.5),
        ("number", 2, 2),
        ("choice", "b", "b"),
        ("mapping", {"a": 1}, {"a": 1}),
        ("objects", None, []),
        ("strings", ["a"], ["a"]),
        ("anything", 5, 5),
    ],
)
def test_good_values(name: str, value: Any, expected: Any) -> None:
    assert read(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("text", 1, "invalid_type"),
        ("text", "abcd", "invalid_type"),
        ("required", None, "missing_required_parameter"),
        ("required", "  ", "invalid_type"),
        ("flag", "true", "invalid_type"),
        ("flag", 1, "invalid_type"),
        ("maybe", 0, "invalid_type"),
        ("integer", True, "invalid_type"),
        ("integer", "1", "invalid_type"),
        ("integer", 1.5, "invalid_type"),
        ("integer", 0, "out_of_range"),
        ("integer", 6, "out_of_range"),
        ("number", 2.1, "out_of_range"),
        ("number", True, "invalid_type"),
        ("choice", "c", "invalid_value"),
        ("choice", 1, "invalid_type"),
        ("mapping", [], "invalid_type"),
        ("nested", [], "invalid_type"),
        ("objects", {}, "invalid_type"),
        ("objects", [{}, {}, {}], "invalid_type"),
        ("objects", [1], "invalid_type"),
        ("strings", [1], "invalid_type"),
        ("strings", "a", "invalid_type"),
    ],
)
def test_bad_values(name: str, value: Any, code: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read(name, value)
    assert (caught.value.code, caught.value.status) == (code, 400)
    assert caught.value.param is not None
    assert caught.value.param.startswith(f"place.{name}")


def test_places_add_up() -> None:
    nested = Example({"objects": [{"c": 1}, {"c": 0}]}, "a").objects
    with pytest.raises(GatewayError) as caught:
        _ = nested[1].c
    assert caught.value.param == "a.objects[1].c"


def test_a_field_is_checked_once_and_only_when_it_is_read() -> None:
    values: dict[str, Any] = {"required": "a", "integer": 0}
    body = Example(values)
    assert body.required == "a"
    values["required"] = 5
    assert body.required == "a"
    with pytest.raises(GatewayError):
        _ = body.integer


def test_what_is_not_declared_is_listed_and_null_counts_as_absent() -> None:
    body = Example({"required": "a", "other": 1, "nothing": None, "anything": 2})
    assert body.undeclared() == {"other": 1}
    assert body.options() == {"anything": 2}


def test_a_subclass_has_the_fields_of_its_bases_and_may_replace_them() -> None:
    assert set(Wider.declared) == {*Example.declared, "more"}
    assert Wider({"required": "longer than nine"}).required == "longer than nine"
    with pytest.raises(GatewayError):
        _ = Wider({"more": []}).more


def test_the_description_has_the_same_bounds() -> None:
    schema = describe(Wider)
    assert schema["required"] == ["required", "more"]
    properties = schema["properties"]
    assert properties["text"] == {"type": ["string", "null"], "maxLength": 3}
    assert properties["required"] == {"type": "string", "maxLength": 99, "minLength": 1, "pattern": r"\S"}
    assert properties["flag"] == {"type": ["boolean", "null"], "description": "Whether."}
    assert properties["integer"] == {"type": ["integer", "null"], "minimum": 1, "maximum": 5}
    assert properties["choice"] == {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}
    assert properties["objects"]["items"] == describe(Inner)
    assert (properties["more"]["minItems"], properties["more"]["maxItems"]) == (1, 2)
    assert "flag" not in describe(Wider, without=("flag",))["properties"]


@pytest.mark.parametrize(("query", "size"), [("", 20), ("limit=1", 1), ("limit=100", 100)])
def test_page_sizes(query: str, size: int) -> None:
    assert page_size(QueryParams(query), default=20, highest=100) == size


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=", "limit=1e1", "limit=%C2%B2"])
def test_a_page_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(GatewayError) as caught:
        page_size(QueryParams(query), default=20, highest=100)
    assert (caught.value.param, caught.value.code) == ("limit", "out_of_range")


def test_where_an_item_of_a_list_stands() -> None:
    assert item_index("b", ["a", "b"], "after") == 1
    with pytest.raises(GatewayError) as caught:
        item_index("c", ["a", "b"], "after")
    assert caught.value.param == "after"
