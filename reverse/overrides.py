"""Data that Poe changes between releases, and that an operator can replace at run time. Pure.

A document of these fields, each optional, goes over the configuration that the code came with:

- `operation_generation`: `newer` or `older`;
- `tool_endpoints`: where to ask a model when tools are used, by its id: see `PoeConfig.tool_endpoints`;
- `operation_hashes`, `subscription_hashes`: hashes by name;
- `form_key_rules`: regular expressions by name (`secret`, `key_function`, `key_call`), see `PoeConfig.form_key_rules`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reverse.config import PoeConfig

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_HASH = re.compile(r"[A-Za-z0-9_.:-]{8,256}")
_MAX_ENTRIES = 500
_MAX_RULE_CHARS = 500
# Rules by name, with the number of groups that is read of each.
FORM_KEY_RULES = {"secret": 1, "key_function": 1, "key_call": 0}
_GENERATIONS = ("newer", "older")
TOOL_ENDPOINTS = ("chat", "messages", "responses")
_MAX_MODEL_CHARS = 200


class OverrideError(ValueError):
    """A field of the document is not what it must be. `field` says which, by its path; no value is named."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"'{field}' must be {expected}")
        self.field = field


def with_overrides(config: PoeConfig, document: Mapping[str, Any] | None) -> PoeConfig:
    """The configuration with the document's fields over its own. Raises `OverrideError`."""
    checked = read_overrides(document or {})
    # Apart, since it replaces where the others add to what is there.
    if "operation_generation" in checked:
        config = replace(config, operation_generation=checked["operation_generation"])
    return replace(
        config,
        operation_hashes={**config.operation_hashes, **checked.get("operation_hashes", {})},
        subscription_hashes={**config.subscription_hashes, **checked.get("subscription_hashes", {})},
        form_key_rules={**config.form_key_rules, **checked.get("form_key_rules", {})},
        tool_endpoints={**config.tool_endpoints, **checked.get("tool_endpoints", {})},
    )


def read_overrides(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, checked. Raises `OverrideError`, for unknown fields as well: a typo would change nothing."""
    checked: dict[str, Any] = {}
    for name, value in document.items():
        match name:
            case "operation_generation":
                if value not in _GENERATIONS:
                    raise OverrideError(name, "'newer' or 'older'")
                checked[name] = value
            case "operation_hashes" | "subscription_hashes":
                checked[name] = _read_texts(name, value, _HASH)
            case "tool_endpoints":
                checked[name] = _read_endpoints(name, value)
            case "form_key_rules":
                checked[name] = _read_texts(name, value, None)
                for rule, pattern in checked[name].items():
                    _check_rule(f"{name}.{rule}", rule, pattern)
            case _:
                raise OverrideError(str(name)[:80], "left out: there is no such field")
    return checked


def _read_endpoints(field: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MAX_ENTRIES:
        raise OverrideError(field, f"an object of at most {_MAX_ENTRIES} entries")
    if not all(isinstance(name, str) and 0 < len(name) <= _MAX_MODEL_CHARS for name in value):
        raise OverrideError(field, "an object by the ids of models")
    if not all(endpoint in TOOL_ENDPOINTS for endpoint in value.values()):
        raise OverrideError(field, f"an object of {', '.join(TOOL_ENDPOINTS)}")
    # Poe takes names in any case, and they are looked up in lower case.
    return {name.lower(): endpoint for name, endpoint in value.items()}


def _read_texts(field: str, value: Any, pattern: re.Pattern[str] | None) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > _MAX_ENTRIES:
        raise OverrideError(field, f"an object of at most {_MAX_ENTRIES} entries")
    for name, text in value.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise OverrideError(field, "an object by names of letters, digits and underscores")
        if not isinstance(text, str) or (pattern is not None and not pattern.fullmatch(text)):
            raise OverrideError(f"{field}.{name}", "a hash" if pattern is not None else "a string")
    return dict(value)


def _check_rule(field: str, rule: str, pattern: str) -> None:
    if rule not in FORM_KEY_RULES:
        raise OverrideError(field, f"left out: the rules are {', '.join(FORM_KEY_RULES)}")
    groups = FORM_KEY_RULES[rule]
    try:
        is_fine = len(pattern) <= _MAX_RULE_CHARS and re.compile(pattern, re.DOTALL).groups >= groups
    # A pattern may be too much for Python's own parser.
    except (re.error, RecursionError, OverflowError):
        is_fine = False
    if not is_fine:
        what = f"a regular expression of at most {_MAX_RULE_CHARS} characters"
        raise OverrideError(field, f"{what} with a group" if groups else what)
