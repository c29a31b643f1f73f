"""The configuration's overrides: checked, and laid over what the code came with."""

from __future__ import annotations

from typing import Any

import pytest

from reverse.config import PoeConfig
from reverse.overrides import OverrideError, read_overrides, with_overrides
from reverse.web._bundle import HomePage as Page
from reverse.web._bundle import Script, form_key_program

HASH = "a" * 64


def test_overrides_go_over_the_configuration_and_leave_the_rest() -> None:
    base = PoeConfig(operation_hashes={"a": "old-hash-1", "b": "old-hash-2"}, user_agent="me")
    config = with_overrides(
        base,
        {
            "operation_generation": "older",
            "operation_hashes": {"b": HASH},
            "subscription_hashes": {"c": HASH},
            "form_key_rules": {"key_call": r"window\.k\(\)"},
        },
    )
    assert config.operation_hashes == {"a": "old-hash-1", "b": HASH}
    assert (config.operation_generation, config.subscription_hashes) == ("older", {"c": HASH})
    assert config.form_key_rules == {"key_call": r"window\.k\(\)"}
    assert config.user_agent == "me"


@pytest.mark.parametrize("document", [None, {}])
def test_nothing_changes_without_a_document(document: dict[str, Any] | None) -> None:
    assert with_overrides(PoeConfig(), document) == PoeConfig()


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"operation_hash": {}}, "operation_hash"),
        ({"operation_generation": "newest"}, "operation_generation"),
        ({"operation_hashes": []}, "operation_hashes"),
        ({"operation_hashes": {"a b": HASH}}, "operation_hashes"),
        ({"operation_hashes": {"a": "x"}}, "operation_hashes.a"),
        ({"subscription_hashes": {"a": 5}}, "subscription_hashes.a"),
        ({"subscription_hashes": {f"a{n}": HASH for n in range(501)}}, "subscription_hashes"),
        ({"form_key_rules": {"colour": "x"}}, "form_key_rules.colour"),
        ({"form_key_rules": {"key_function": "no group"}}, "form_key_rules.key_function"),
        ({"form_key_rules": {"key_call": "("}}, "form_key_rules.key_call"),
        ({"form_key_rules": {"key_call": "x" * 501}}, "form_key_rules.key_call"),
    ],
)
def test_a_field_that_can_not_be_used_is_named(document: dict[str, Any], field: str) -> None:
    with pytest.raises(OverrideError) as caught:
        read_overrides(document)
    assert caught.value.field == field


def test_the_form_key_is_found_by_other_rules() -> None:
    page = Page((Script(None, "window.newName = () => { function x() {} }"),), None, None)
    program = form_key_program(page, "", {"key_function": r"window\.(\w+) = \(\) =>"})
    assert program.expressions == ("String(window.newName()).slice(0, 32)",)


def test_where_tools_are_called_can_be_said_for_each_model() -> None:
    config = with_overrides(PoeConfig(), {"tool_endpoints": {"Claude-Haiku-4.5": "responses"}})
    assert config.tool_endpoints == {"claude-haiku-4.5": "responses"}
    for wrong in ({"x": "images"}, {"": "chat"}, {"x" * 300: "chat"}, ["chat"], {"x": 5}):
        with pytest.raises(OverrideError) as caught:
            read_overrides({"tool_endpoints": wrong})
        assert caught.value.field == "tool_endpoints"
