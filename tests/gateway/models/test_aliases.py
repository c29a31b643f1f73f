"""The owner's own names for models: how they are read, and which of them is meant by a name."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.models.aliases import MAX_ALIASES, AliasError, AliasTable, read_aliases
from tests.growth import assert_linear


def table(**aliases: Any) -> AliasTable:
    return read_aliases({"aliases": aliases})


DOCUMENT = {
    "aliases": {
        "gpt-4o": "GPT-5",
        "Claude 3.5 Sonnet": {"model": "Claude-Sonnet-4.5", "fallbacks": ["Claude-Haiku-4.5", "GPT-5"]},
        "claude-sonnet-*": "Claude-Sonnet-4.5",
        "claude-sonnet-4-5-2025*": "Claude-Sonnet-4.5-Thinking",
        "*-mini-*-preview": "GPT-5-mini",
        "openai/*": "*",
        "*:free": {"model": "*", "fallbacks": ["Assistant"]},
        "vendor/*": "Assistant",
    }
}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("gpt-4o", "GPT-5"),
        ("GPT-4o", "GPT-5"),
        ("claude3.5sonnet", "Claude-Sonnet-4.5"),
        ("gpt-4o-2024-08-06", None),
        ("", None),
    ],
)
def test_an_exact_alias_is_found_whatever_its_case_and_spaces(name: str, model: str | None) -> None:
    found = read_aliases(DOCUMENT).exact(name)
    assert (found and found.model) == model


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("claude-sonnet-4", "Claude-Sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "Claude-Sonnet-4.5-Thinking"),
        ("Claude-Sonnet-4-5-20250929", "Claude-Sonnet-4.5-Thinking"),
        ("claude-sonnet", None),
        ("o1-mini-2024-preview", "GPT-5-mini"),
        ("-mini--preview", "GPT-5-mini"),
        ("-mini-preview", None),
        ("openai/gpt-4o", "GPT-5"),
        ("OpenAI/GPT-4o", "GPT-5"),
        ("openai/claude-sonnet-4", "Claude-Sonnet-4.5"),
        ("openai/Some-Bot", "Some-Bot"),
        ("openai/vendor/x", "Assistant"),
        ("Some-Bot:free", "Some-Bot"),
        ("openai/", ""),
        ("openai", None),
        ("x", None),
    ],
)
def test_a_pattern_is_found_by_what_is_most_of_the_name(name: str, model: str | None) -> None:
    found = read_aliases(DOCUMENT).matching(name)
    assert (found.model if found else None) == model


def test_what_a_star_stood_for_keeps_the_fallbacks_of_the_pattern_that_meant_it() -> None:
    aliases = read_aliases(DOCUMENT)
    assert aliases.matching("Some-Bot:free").fallbacks == ("Assistant",)  # type: ignore[union-attr]  # it is there
    assert aliases.matching("openai/Claude 3.5 Sonnet").fallbacks == ("Claude-Haiku-4.5", "GPT-5")  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["[a]", "a.b", "a+b", "(a|b)*", "\\\\d"])
def test_nothing_but_a_star_is_special(name: str) -> None:
    aliases = table(**{f"{name}-*": "X", name.replace("*", ""): "Y"})
    assert aliases.matching(f"{name.replace('*', 'q')}-1").model == "X"  # type: ignore[union-attr]
    assert aliases.matching("a-1") is None and aliases.exact("a") is None


def test_a_document_is_shown_as_it_was_given() -> None:
    assert read_aliases(DOCUMENT).to_json() == DOCUMENT
    assert read_aliases(read_aliases(DOCUMENT).to_json()).to_json() == DOCUMENT
    assert read_aliases({}).to_json() == {"aliases": {}}


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"alias": {}}, "alias"),
        ({"aliases": []}, "aliases"),
        ({"aliases": {f"a{n}": "X" for n in range(MAX_ALIASES + 1)}}, "aliases"),
        ({"aliases": {f"a{n}*": "X" for n in range(101)}}, "aliases"),
        ({"aliases": {"": "X"}}, "aliases."),
        ({"aliases": {" ": "X"}}, "aliases. "),
        ({"aliases": {"a\nb": "X"}}, "aliases.a\nb"),
        ({"aliases": {"a" * 201: "X"}}, "aliases." + "a" * 200),
        ({"aliases": {"*a*b*c*d*": "X"}}, "aliases.*a*b*c*d*"),
        ({"aliases": {"a": 5}}, "aliases.a.model"),
        ({"aliases": {"a": None}}, "aliases.a.model"),
        ({"aliases": {"a": ""}}, "aliases.a.model"),
        ({"aliases": {"a": "*"}}, "aliases.a.model"),
        ({"aliases": {"*a*": "*"}}, "aliases.*a*.model"),
        ({"aliases": {"a*": "X-*"}}, "aliases.a*.model"),
        ({"aliases": {"a": {"model": "X", "fallback": "Y"}}}, "aliases.a.fallback"),
        ({"aliases": {"a": {"fallbacks": ["Y"]}}}, "aliases.a.model"),
        ({"aliases": {"a": {"model": "X", "fallbacks": "Y"}}}, "aliases.a.fallbacks"),
        ({"aliases": {"a": {"model": "X", "fallbacks": ["Y*"]}}}, "aliases.a.fallbacks"),
        ({"aliases": {"a": {"model": "X", "fallbacks": ["x"]}}}, "aliases.a.fallbacks"),
        ({"aliases": {"a": {"model": "X", "fallbacks": ["Y", "y "]}}}, "aliases.a.fallbacks"),
        ({"aliases": {"a": {"model": "X", "fallbacks": list("bcdefg")}}}, "aliases.a.fallbacks"),
        ({"aliases": {"GPT-4o": "X", "gpt-4O": "Y"}}, "aliases.gpt-4O"),
    ],
)
def test_what_can_not_be_used_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(AliasError) as caught:
        read_aliases(document)
    assert caught.value.field == field


def test_a_hostile_name_costs_no_more_than_its_length() -> None:
    aliases = table(**{f"*{'a' * 10}*{'a' * n}*b*": "X" for n in range(1, 60)})

    def look(size: int) -> None:
        assert aliases.matching("a" * size) is None

    assert_linear(look, 256)
