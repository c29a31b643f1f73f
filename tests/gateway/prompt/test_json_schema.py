"""The schema check against a complete validator: it never refuses what that one accepts."""

from __future__ import annotations

import itertools
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.prompt.json_schema import find_violation
from gateway.prompt.schema_budget import MAX_STEPS, Budget

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


NUMBERS = [str(number) for number in range(1000)]
STRINGS = {"enum": NUMBERS}
# Python hashes these to one number: a set of them would compare each with each.
COLLIDING = [number * (2**61 - 1) for number in range(2000)]
EXPENSIVE: dict[str, tuple[Any, Any]] = {
    "a long enum": ({"items": {"enum": [*range(1000)]}}, [1000] * 20_000),
    "an enum of objects": ({"items": {"enum": [{"a": number} for number in range(1000)]}}, [{"a": 1}] * 20_000),
    "an enum of numbers that collide": ({"items": {"enum": COLLIDING}}, COLLIDING * 10),
    "a long value compared often": ({"anyOf": [{"const": "a" * 100_000 + "b"}] * 5000}, "a" * 100_001),
    "a long reference": ({"$defs": {}, "items": {"$ref": "#/" + "a/" * 100_000}}, [1] * 20_000),
    "many references": ({"allOf": [{"$ref": f"#/a/{'b/' * 100}{number}"} for number in range(5000)]}, 1),
    "a large not": ({"items": {"not": {"enum": ["a"], "anyOf": [STRINGS] * 100}}}, ["x"] * 20_000),
    "unique items": ({"uniqueItems": True}, [{"a": [number] * 50} for number in range(20_000)]),
    "many alternatives": ({"items": {"anyOf": [{"type": "string"}] * 1000}}, [1] * 20_000),
    "exclusive alternatives": ({"items": {"oneOf": [{"type": ["string"] * 100}] * 1000}}, [1] * 20_000),
    "many required names": ({"items": {"required": NUMBERS}}, [dict.fromkeys(NUMBERS)] * 2000),
    "many properties": ({"items": {"properties": dict.fromkeys(NUMBERS, True)}}, [{}] * 20_000),
    "many types": ({"items": {"type": ["string"] * 1000}}, [1] * 20_000),
    "long names": ({"additionalProperties": {"items": {"type": "string"}}}, {"a" * 1_000_000: ["b"] * 40_000}),
    "references that double": (
        {"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 2}}, "anyOf": [{"$ref": "#/$defs/a"}] * 2},
        1,
    ),
}


@pytest.mark.parametrize(("schema", "value"), EXPENSIVE.values(), ids=EXPENSIVE)
def test_steps_count_what_is_compared(schema: Any, value: Any) -> None:
    """Each step is a few lookups, so that so many of them take some hundredths of a second at most."""
    ticks = itertools.count()
    budget = Budget(clock=lambda: next(ticks) * 0.0)
    started = time.thread_time()
    find_violation(value, schema, budget)
    spent = MAX_STEPS - budget.steps
    worked = time.thread_time() - started
    # A microsecond or two each, with much room for a slow machine; what is not counted would take seconds.
    assert worked < (spent + 1000) * 40e-6


def test_processor_time_ends_a_check() -> None:
    ticks = itertools.count()
    budget = Budget(seconds=10.0, clock=lambda: float(next(ticks)))
    assert find_violation([1] * 20_000, {"items": {"type": "string"}}, Budget()) is not None
    assert find_violation([1] * 20_000 + ["a"], {"items": {"type": "integer"}}, budget) is None
    assert MAX_STEPS - budget.steps < 256 * 12
    assert find_violation(1, {"type": "string"}, budget) is None, "what is used up stays used up"


def test_checks_share_a_budget() -> None:
    budget = Budget(steps=1000)
    for _ in range(10):
        assert find_violation([1] * 99, {"items": {"type": "integer"}}, budget) is None
    assert find_violation(1, {"type": "string"}, budget) is None
    assert find_violation(1, {"type": "string"}) == "$: must be string"


@pytest.mark.parametrize("index", ["9" * 5000, "00000000000000000000", "-1", "٣", ""])
def test_an_odd_index_in_a_reference_names_nothing(index: str) -> None:
    assert find_violation(1, {"anyOf": [{"$ref": f"#/a/{index}"}], "a": [{"type": "string"}]}) is None


def test_a_violation_is_told_in_a_few_words() -> None:
    value = {"a" * 10_000: [{"b" * 10_000: 1}] * 3}
    schema = {"additionalProperties": {"items": {"additionalProperties": {"type": "string"}}}}
    found = find_violation(value, schema)
    assert found is not None
    assert len(found) < 500
    assert found.endswith(": must be string")


def test_deep_values_and_schemas_are_checked_no_further() -> None:
    value: Any = 1
    for _ in range(100):
        value = {"a": value}
    assert find_violation(value, {"properties": {"a": {"$ref": "#"}}, "type": ["object", "string"]}) is not None
    for _ in range(5000):
        value = {"a": value}
    assert find_violation(value, {"properties": {"a": {"$ref": "#"}}, "type": "object"}) is None


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
    elif "pattern" not in str(schema):
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
