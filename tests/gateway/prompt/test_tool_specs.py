"""Tools that take plain text: how models are told of them, and how their text is read while it arrives."""

from __future__ import annotations

import json

import pytest

from gateway.prompt.tool_specs import TextReader, function_of, grammar_of, to_arguments, to_text

TEXT = 'a "quoted" line\n\tnext \\ é \U0001f600 end'


def read(arguments: str, size: int) -> list[str]:
    reader = TextReader()
    pieces = [reader.feed(arguments[at : at + size]) for at in range(0, len(arguments), size)]
    return [*pieces, reader.finish()]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_the_text_is_the_same_however_the_arguments_were_cut(size: int, is_ascii: bool) -> None:
    arguments = json.dumps({"input": TEXT}, ensure_ascii=is_ascii)
    pieces = read(arguments, size)
    assert "".join(pieces) == TEXT
    assert not any("\ud800" <= character <= "\udfff" for piece in pieces for character in piece)
    assert len([piece for piece in pieces if piece]) > 1 or size > len(TEXT)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"patch": "x"}', "x"),
        ('{"command": "a", "other": 1}', '{"command": "a", "other": 1}'),
        ('"x"', "x"),
        ("*** Begin Patch", "*** Begin Patch"),
        ("{}", ""),
        ('{"input": "", "more": 1}', ""),
        ('{"input": {"a": 1}}', '{"input": {"a": 1}}'),
        ('{"input": "raw\nline"}', "raw\nline"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_arguments_of_another_form_are_told_at_the_end(arguments: str, text: str, size: int) -> None:
    assert "".join(read(arguments, size)) == to_text(arguments) == text


@pytest.mark.parametrize(("arguments", "text"), [('{"input": "abc\\', "abc"), ('{"inp', ""), ('{"other": "a', "")])
def test_a_cut_call_keeps_the_text_that_came(arguments: str, text: str) -> None:
    assert "".join(read(arguments, 4)) == to_text(arguments) == text


def test_a_text_goes_there_and_back() -> None:
    assert to_text(to_arguments(TEXT)) == TEXT


def test_a_grammar_is_told_in_the_description() -> None:
    flat = {"type": "grammar", "syntax": "lark", "definition": "start: X"}
    nested = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}}
    assert grammar_of(flat) == grammar_of(nested) == ("lark", "start: X")
    assert grammar_of({"type": "text"}) is None
    function = function_of("p", "Patches.", grammar_of(flat))
    assert function["description"] == "Patches.\n\nThe input must fit this lark grammar:\nstart: X"
    assert function["parameters"]["required"] == ["input"]
