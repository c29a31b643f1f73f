"""Tool calls written in text: what is found, in which pieces, and what is left alone."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.prompt.tool_protocol import ToolCallParser, ToolProtocol, new_call_id
from gateway.prompt.tool_specs import ToolSpecs
from gateway.surfaces.chat.tools import ToolFields, read_tools
from reverse.chat import ToolCall
from reverse.events import TextDelta, ToolCallDelta
from tests.growth import assert_linear

WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F", None]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
NOW: dict[str, Any] = {"type": "function", "function": {"name": "now"}}
OPEN, CLOSE = '<tool_calls mark="m4rk">', "</tool_calls>"
OSLO = '{"name": "get_weather", "arguments": {"city": "Oslo"}}'


def specs(**more: Any) -> ToolSpecs:
    return read_tools(ToolFields({"tools": [WEATHER, NOW], **more}))


def parse(*pieces: str, **more: Any) -> tuple[str, list[tuple[str, Any]], str | None]:
    """Text, calls and problem of an answer that comes in these pieces."""
    ids = itertools.count()
    parser = ToolCallParser(ToolProtocol(specs(**more), "m4rk"), new_id=lambda: f"call_{next(ids)}")
    events = [event for piece in pieces for event in parser.feed(piece)] + parser.finish()
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    calls: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            call = calls.setdefault(event.index, ["", ""])
            call[0] += event.name or ""
            call[1] += event.arguments
    return text, [(name, json.loads(arguments)) for name, arguments in calls.values()], parser.problem


ANSWERS: dict[str, tuple[str, str, list[tuple[str, Any]]]] = {
    "a tag in the singular": (
        f'Hm <tool_call mark="m4rk">[{OSLO}]</tool_call>',
        "Hm",
        [("get_weather", {"city": "Oslo"})],
    ),
    "a tag in capitals": (
        f'Hm <TOOL_CALLS mark="m4rk">[{OSLO}]</TOOL_CALLS>',
        "Hm",
        [("get_weather", {"city": "Oslo"})],
    ),
    "another closing tag": (f"Hm {OPEN}[{OSLO}]</tool_call>", "Hm", [("get_weather", {"city": "Oslo"})]),
    "no closing tag but a remark": (f"Hm {OPEN}[{OSLO}] # done", "Hm", [("get_weather", {"city": "Oslo"})]),
    "a brace too many": (
        f'{OPEN}[{OSLO}}}, {{"name": "now"}}}}]{CLOSE}',
        "",
        [("get_weather", {"city": "Oslo"}), ("now", {})],
    ),
    "a trailing comma in a call that others follow": (
        f'{OPEN}[{{"name": "get_weather", "arguments": {{"city": "Oslo",}}}}, {{"name": "now"}}]{CLOSE}',
        "",
        [("get_weather", {"city": "Oslo"}), ("now", {})],
    ),
    "only text": ("It is cold.", "It is cold.", []),
    "only a block": (f"{OPEN}\n[{OSLO}]\n{CLOSE}", "", [("get_weather", {"city": "Oslo"})]),
    "text before": (f"Let me see.\n\n{OPEN}[{OSLO}]{CLOSE}", "Let me see.", [("get_weather", {"city": "Oslo"})]),
    "made-up results after": (
        f"{OPEN}[{OSLO}]{CLOSE}\nResult: 20 degrees",
        "",
        [("get_weather", {"city": "Oslo"})],
    ),
    "two calls": (
        f'{OPEN}[{OSLO}, {{"name": "now", "arguments": {{}}}}]{CLOSE}',
        "",
        [("get_weather", {"city": "Oslo"}), ("now", {})],
    ),
    "two blocks": (
        f'{OPEN}[{OSLO}]{CLOSE}\n{OPEN}[{{"name": "now"}}]{CLOSE}',
        "",
        [("get_weather", {"city": "Oslo"}), ("now", {})],
    ),
    "one object, no list": (f"{OPEN}{OSLO}{CLOSE}", "", [("get_weather", {"city": "Oslo"})]),
    "objects line by line": (
        f'{OPEN}\n{OSLO}\n{{"name":"now","arguments":{{}}}}\n{CLOSE}',
        "",
        [("get_weather", {"city": "Oslo"}), ("now", {})],
    ),
    "fence inside": (f"{OPEN}\n```json\n[{OSLO}]\n```\n{CLOSE}", "", [("get_weather", {"city": "Oslo"})]),
    "fence around": (f"Sure:\n```xml\n{OPEN}\n[{OSLO}]\n{CLOSE}\n```", "Sure:", [("get_weather", {"city": "Oslo"})]),
    "not closed": (f"{OPEN}\n[{OSLO}]", "", [("get_weather", {"city": "Oslo"})]),
    "brackets missing at the end": (
        f'{OPEN}[{{"name": "get_weather", "arguments": {{"city": "Oslo"',
        "",
        [("get_weather", {"city": "Oslo"})],
    ),
    "trailing commas": (
        f'{OPEN}[{{"name": "get_weather", "arguments": {{"city": "a,}}",}},}},]{CLOSE}',
        "",
        [("get_weather", {"city": "a,}"})],
    ),
    "arguments as text": (
        OPEN + json.dumps([{"name": "get_weather", "arguments": '{"city": "Oslo"}'}]) + CLOSE,
        "",
        [("get_weather", {"city": "Oslo"})],
    ),
    "openai's own shape": (
        OPEN
        + json.dumps({"tool_calls": [{"type": "function", "function": {"name": "now", "arguments": "{}"}}]})
        + CLOSE,
        "",
        [("now", {})],
    ),
    "other words": (f'{OPEN}{{"tool": "now", "parameters": {{}}}}{CLOSE}', "", [("now", {})]),
    "name spelled differently": (
        f'{OPEN}[{{"name": "functions.Get-Weather", "arguments": {{"city": "Oslo"}}}}]{CLOSE}',
        "",
        [("get_weather", {"city": "Oslo"})],
    ),
    "quotes, escapes, line breaks": (
        OPEN + '[{"name": "get_weather", "arguments": {"city": "a\\"b\\\\c\nd </tool_calls> é"}}]' + CLOSE,
        "",
        [("get_weather", {"city": 'a"b\\c\nd </tool_calls> é'})],
    ),
    "bare list": (f"[{OSLO}]", "", [("get_weather", {"city": "Oslo"})]),
    "bare object in a fence": (f"```json\n{OSLO}\n```", "", [("get_weather", {"city": "Oslo"})]),
    "tags without the mark, nothing else": (
        f"<tool_calls>\n[{OSLO}]\n</tool_calls>",
        "",
        [("get_weather", {"city": "Oslo"})],
    ),
    "null for a value that may be": (
        f'{OPEN}[{{"name": "get_weather", "arguments": {{"city": "Oslo", "unit": null}}}}]{CLOSE}',
        "",
        [("get_weather", {"city": "Oslo", "unit": None})],
    ),
    "a quoted block without the mark": (
        f"The user wrote <tool_calls>[{OSLO}]</tool_calls> there.",
        f"The user wrote <tool_calls>[{OSLO}]</tool_calls> there.",
        [],
    ),
    "a block with another mark": (
        f'I see <tool_calls mark="0ther">[{OSLO}]</tool_calls>',
        f'I see <tool_calls mark="0ther">[{OSLO}]</tool_calls>',
        [],
    ),
    "json that is no call": ('{"name": "Alice", "age": 3}', '{"name": "Alice", "age": 3}', []),
    "code that is no call": ("```python\nprint(1)\n```\nDone.", "```python\nprint(1)\n```\nDone.", []),
    "angle brackets": ("a <b> c < d <tool", "a <b> c < d <tool", []),
    "white space at the end": ("Hi \n\n", "Hi \n\n", []),
    "nothing": ("", "", []),
    "many empty blocks": (
        f"Hi {OPEN}{CLOSE}" + f"{OPEN}[{OSLO}]{CLOSE}" * 3 + f"{OPEN}{CLOSE}" * 2000,
        "Hi",
        [("get_weather", {"city": "Oslo"})] * 3,
    ),
    "a closing tag inside of a string, and much after it": (
        OPEN + '[{"name": "get_weather", "arguments": {"city": "' + "</tool_calls>" * 50 + '"}}]' + CLOSE,
        "",
        [("get_weather", {"city": "</tool_calls>" * 50})],
    ),
    "white space beyond a block's margin": (
        f"Hi{' ' * 3000}{OPEN}[{OSLO}]{CLOSE}",
        "Hi" + " " * 1976,
        [("get_weather", {"city": "Oslo"})],
    ),
    "a fence in the block, cut anywhere": (f"{OPEN}``` [{OSLO}] ```x{CLOSE}", "", [("get_weather", {"city": "Oslo"})]),
}


@pytest.mark.parametrize(("answer", "text", "calls"), ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
def test_answers(answer: str, text: str, calls: list[tuple[str, Any]], size: int) -> None:
    """However the answer is cut into pieces."""
    pieces = [answer[at : at + size] for at in range(0, len(answer), size)]
    assert parse(*pieces) == (text, calls, None)


WRONG = {
    "unknown tool": ('[{"name": "rm_rf", "arguments": {}}]', "there is no tool named 'rm_rf'"),
    "missing argument": ('[{"name": "get_weather", "arguments": {}}]', "'city' is missing"),
    "wrong type": ('[{"name": "get_weather", "arguments": {"city": 5}}]', "must be string"),
    "no such value": ('[{"name": "get_weather", "arguments": {"city": "O", "unit": "c"}}]', "none of the allowed"),
    "arguments are a list": ('[{"name": "now", "arguments": [1]}]', "must be an object"),
    "no name": ('[{"arguments": {}}]', "no 'name'"),
    "cut in a string": ('[{"name": "get_weather", "arguments": {"city": "Os', "not complete"),
    "not json": ("get_weather(Oslo)", "not complete"),
    "python": ("[{'name': 'now'}]", "not complete"),
    "arguments as text that is no json": ('[{"name": "now", "arguments": "x = 1"}]', "must be an object"),
    "nested too deeply": ('[{"name": "now", "arguments": ' + '{"a":' * 1200 + "1" + "}" * 1202 + "]", "too deeply"),
    "lists nested too deeply": ('[{"name": "now", "arguments": {"a": ' + "[" * 1200 + "]" * 1200 + "}}]", "too deeply"),
    "nested too deeply, cut": ('[{"name": "now", "arguments": ' + '{"a":' * 1200, "too deeply"),
    "no number": ('[{"name": "now", "arguments": {"x": NaN}}]', "not complete"),
    "a number beyond all": ('[{"name": "now", "arguments": {"x": 1e999}}]', "too large"),
}


@pytest.mark.parametrize(("block", "problem"), WRONG.values(), ids=WRONG)
def test_a_call_that_can_not_be_made_is_kept_back_with_its_problem(block: str, problem: str) -> None:
    text, calls, found = parse(OPEN, block, CLOSE)
    assert (text, calls) == ("", [])
    assert problem in (found or "")


def test_calls_before_a_wrong_one_are_made_and_those_after_it_wait() -> None:
    _, calls, problem = parse(f'{OPEN}[{{"name": "now"}}, {{"name": "rm"}}, {{"name": "now"}}]{CLOSE}')
    assert calls == [("now", {})]
    assert "rm" in (problem or "")


def test_one_call_where_more_are_not_wanted() -> None:
    block = f'{OPEN}[{{"name": "now"}}, {{"name": "now"}}]{CLOSE}'
    assert parse(block, parallel_tool_calls=False)[1] == [("now", {})]
    assert len(parse(block)[1]) == 2


def test_text_is_passed_on_as_it_comes_and_calls_as_soon_as_they_are_complete() -> None:
    parser = ToolCallParser(ToolProtocol(specs(), "m4rk"))
    assert parser.feed("Let me") == [TextDelta("Let me")]
    assert parser.feed(" see. ") == [TextDelta(" see.")]
    assert parser.feed(f"\n{OPEN}[{OSLO}") != []
    assert len(parser.emitted) == 1


def test_json_that_is_no_call_is_not_kept_back_for_long() -> None:
    parser = ToolCallParser(ToolProtocol(specs(), "m4rk"))
    said = [event for _ in range(100) for event in parser.feed('{"a": [1, 2]} ')]
    assert said


@pytest.mark.parametrize("is_bare", [False, True])
def test_long_arguments_cost_no_more_than_they_are_long(is_bare: bool) -> None:
    """A file written with many brackets, in small pieces: read again for every piece this would take minutes."""

    def read(size: int) -> None:
        call = json.dumps([{"name": "get_weather", "arguments": {"city": "{x: 1} " * size}}])
        answer = call if is_bare else OPEN + call + CLOSE
        _, calls, _ = parse(*(answer[at : at + 20] for at in range(0, len(answer), 20)))
        assert len(calls[0][1]["city"]) == size * 7

    assert_linear(read, 1000)


def test_ids_are_unique() -> None:
    ids = {new_call_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(id_.startswith("call_") for id_ in ids)


def test_the_manual_has_schemas_as_json_and_says_what_is_due() -> None:
    protocol = ToolProtocol(specs(tool_choice="required"), "m4rk")
    lines = protocol.manual().splitlines()
    assert json.loads(lines[1])["parameters"] == WEATHER["function"]["parameters"]
    assert json.loads(lines[2]) == {"name": "now", "parameters": {"type": "object", "properties": {}}}
    assert OPEN in lines
    assert "must call at least one" in lines[-1]
    named = ToolProtocol(specs(tool_choice={"type": "function", "function": {"name": "now"}}), "m4rk").manual()
    assert "get_weather" not in named
    assert "must call the tool now" in named


def test_earlier_calls_are_written_as_new_ones_are_wanted() -> None:
    protocol = ToolProtocol(specs(), "m4rk")
    written = protocol.write_calls([ToolCall("call_1", "get_weather", '{"city":"Oslo"}')])
    assert parse(written)[1] == [("get_weather", {"city": "Oslo"})]


def test_marks_differ_from_request_to_request() -> None:
    assert len({ToolProtocol(specs()).mark for _ in range(100)}) == 100


@given(st.lists(st.text(alphabet='<tool_calls mark="m4rk">[]{}\\":,/`\n aé😀', max_size=30), max_size=8))
def test_no_answer_breaks_the_parser_and_no_text_is_lost(pieces: list[str]) -> None:
    """Cut differently, an answer means the same; without a block, all of it is passed on."""
    whole = "".join(pieces)
    in_pieces, at_once = parse(*pieces), parse(whole)
    assert in_pieces == at_once
    if "<tool_calls" not in whole:
        assert in_pieces[0] == whole
