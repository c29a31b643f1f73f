"""What of an answer is taken for the JSON that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.prompt.structured_output import ResponseFormat


@pytest.mark.parametrize(
    ("answer", "schema", "found"),
    [
        ('{"a": 1}', None, '{"a": 1}'),
        ('Here it is: ```json\n{"a": 1}\n``` {b}', None, '{"a": 1}'),
        ('The set {1, 2} is {"a": "}"}.', None, '{"a": "}"}'),
        ("[1, 2]", {"type": "array"}, "[1, 2]"),
        ('{"a": {"b": 1}}', {"required": ["a"]}, '{"a": {"b": 1}}'),
        ('{"a":' * 100 + "1" + "}" * 100, None, '{"a":' * 100 + "1" + "}" * 100),
        ('First {"a": 1}, no: {"a": 2}.', None, '{"a": 2}'),
        ('{"a": 1} (see [1] and [2, 3])', None, '{"a": 1}'),
        ('{"a": 1} (see [1])', {"$ref": "#/$defs/x", "$defs": {"x": {"type": "object"}}}, '{"a": 1}'),
        ('[1] {"a": 1} [2]', {"type": ["array", "null"]}, "[2]"),
        ('{"a": 1}\n{"b": ', {"type": "object"}, '{"a": 1}'),
        ("{x}" * 30 + '{"a": 1}', None, '{"a": 1}'),
    ],
    ids=(
        "bare,fenced,after braces,list,outermost,deep,the last,not a list,not a list by reference,"
        "the last list,cut,after many"
    ).split(","),
)
def test_the_json_is_found_as_it_is_written(answer: str, schema: Any, found: str) -> None:
    assert ResponseFormat({}, schema).read(answer) == (found, None)


@pytest.mark.parametrize(
    ("answer", "schema", "problem"),
    [
        ('{"a": 1} or rather {"b": 2}', {"type": "object", "required": ["a"]}, "a"),
        ("[1]", None, "must be object"),
        ("none", None, "no JSON object"),
        ('{"a": NaN}', None, "no JSON object"),
        ("[1, " * 99 + "2" * 100, None, "no JSON object"),
    ],
)
def test_a_value_before_the_last_one_is_no_way_out(answer: str, schema: Any, problem: str) -> None:
    found, told = ResponseFormat({}, schema).read(answer)
    assert found is None
    assert problem in (told or "")


@pytest.mark.parametrize("depth", [101, 1200, 20_000, 200_000])
@pytest.mark.parametrize(
    "shape", [('{"a":', "1", "}"), ("[", "", "]"), ('[{"a":', "", "}]")], ids=["object", "list", "both"]
)
@pytest.mark.parametrize("is_cut", [False, True])
def test_an_answer_that_is_nested_too_deeply_can_not_be_used(
    depth: int, shape: tuple[str, str, str], is_cut: bool
) -> None:
    """On every version of Python, although they differ in what they can read."""
    opening, middle, closing = shape
    answer = opening * depth + middle + ("" if is_cut else closing * depth)
    for schema in (None, {"type": ["object", "array"]}):
        assert ResponseFormat({}, schema).read(answer) == (None, "the JSON is nested too deeply")
