"""The schema check against a complete validator: it never refuses what that one accepts."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.prompt.json_schema import find_violation

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": ["integer", "null"], "minimum": 0, "maximum": 150},
        "kind": {"enum": ["a", 1, None, {"x": [True]}]},
        "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "maxItems": 3},
        "pair": {"prefixItems": [{"type": "string"}, {"type": "number"}], "items": False},
        "either": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 2}]},
        "one": {"oneOf": [{"type": "integer"}, {"type": "number", "exclusiveMinimum": 2.5}]},
        "not": {"not": {"type": "string"}},
        "parent": {"$ref": "#"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"tag": {"const": "t"}},
}
CASES: list[tuple[Any, str | None]] = [
    ({"name": "x"}, None),
    ({"name": ""}, "$.name: is shorter"),
    ({}, "$: 'name' is missing"),
    ([], "$: must be object"),
    ({"name": "x", "more": 1}, "$: 'more' is not allowed"),
    ({"name": "x", "age": None}, None),
    ({"name": "x", "age": 5.0}, None),
    ({"name": "x", "age": True}, "$.age: must be integer or null"),
    ({"name": "x", "age": 151}, "$.age: is more than 150"),
    ({"name": "x", "kind": 1.0}, None),
    ({"name": "x", "kind": True}, "$.kind: is none"),
    ({"name": "x", "kind": {"x": [True]}}, None),
    ({"name": "x", "kind": {"x": [1]}}, "$.kind: is none"),
    ({"name": "x", "tags": ["t", "u"]}, "$.tags[1]: is not the one"),
    ({"name": "x", "tags": ["t"] * 4}, "$.tags: is longer"),
    ({"name": "x", "pair": ["a", 1]}, None),
    ({"name": "x", "pair": ["a", 1, 2]}, "$.pair[2]: nothing is allowed"),
    ({"name": "x", "either": [1]}, "$.either: matches none"),
    ({"name": "x", "one": 2}, None),
    ({"name": "x", "one": 3}, "$.one: matches more than one"),
    ({"name": "x", "not": "s"}, "$.not: has a form"),
    ({"name": "x", "parent": {"name": "y", "parent": {}}}, "$.parent.parent: 'name' is missing"),
]


@pytest.mark.parametrize(("value", "expected"), CASES)
def test_structure_is_checked(value: Any, expected: str | None) -> None:
    found = find_violation(value, PERSON)
    assert (found or "").startswith(expected or "")
    assert (found is None) is (expected is None)
    assert (found is None) is jsonschema_rs.is_valid(PERSON, value)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "(a+)+$"},
        {"format": "date"},
        {"$ref": "https://example.org/schema"},
        {"$ref": "#/$defs/none"},
        {"not": {"pattern": "x"}},
        {"type": "unheard"},
        {"type": 5, "enum": 5, "required": 5, "properties": 5, "items": 5, "anyOf": 5, "minimum": "x"},
        True,
        None,
        "text",
    ],
)
def test_what_is_not_known_counts_as_fulfilled(schema: Any) -> None:
    assert find_violation("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", schema) is None


def test_hostile_schemas_end_soon() -> None:
    doubling: Any = {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}
    for schema in ({"$ref": "#"}, {"$defs": {"a": doubling}, **doubling}, {"allOf": [{"$ref": "#"}] * 50}):
        assert find_violation(1, schema) is None


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "bb"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)


def schemas() -> st.SearchStrategy[Any]:
    leaf = st.booleans() | st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
            | st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, max_size=2, unique=True),
            "enum": st.lists(SCALARS, min_size=1, max_size=3),
            "const": SCALARS,
            "minimum": st.integers(-2, 2),
            "exclusiveMaximum": st.integers(-2, 2),
            "minLength": st.integers(0, 2),
            "maxItems": st.integers(0, 2),
            "minProperties": st.integers(0, 2),
            "uniqueItems": st.booleans(),
            "pattern": st.just("^a"),
        },
    )

    def more(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        some = st.lists(inner, min_size=1, max_size=3)
        return st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
                "required": st.lists(st.sampled_from("abc"), max_size=2, unique=True),
                "additionalProperties": inner,
                "items": inner,
                "prefixItems": some,
                "anyOf": some,
                "oneOf": some,
                "allOf": some,
                "not": inner,
            },
        )

    return st.recursive(leaf, more, max_leaves=8)


@settings(max_examples=80, deadline=None)
@given(schemas(), VALUES)
def test_nothing_is_refused_that_a_complete_validator_accepts(schema: Any, value: Any) -> None:
    """And what is refused there without the keywords that are left out is refused here."""
    accepted = jsonschema_rs.is_valid(schema, value)
    found = find_violation(value, schema)
    if accepted:
        assert found is None
    elif "pattern" not in str(schema) and "uniqueItems" not in str(schema):
        assert found is not None


@pytest.mark.parametrize(
    "name", ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxItems"]
)
@pytest.mark.parametrize("limit", [10**400, -(10**400), float("inf")], ids=["huge", "tiny", "infinite"])
@pytest.mark.parametrize("value", [5, 1.5, "x", [1], 10**400], ids=["int", "float", "text", "list", "huge"])
def test_a_limit_beyond_all_numbers_is_none(name: str, limit: float, value: Any) -> None:
    """JSON's integers have no end, and Python reads them all."""
    assert find_violation(value, {name: limit}) is None


def test_a_value_beyond_all_floats_is_compared_all_the_same() -> None:
    assert find_violation(10**400, {"maximum": 5}) == "$: is more than 5"
    assert find_violation(10**400, {"maximum": 5.5}) == "$: is more than 5.5"
