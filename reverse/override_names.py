"""Checks the names in overrides before they are stored. Apart from `overrides`, because it loads the web client.

A document that is stored already is read without this check: another version may know other names, and what a document
names in vain changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reverse.overrides import OverrideError, read_overrides
from reverse.web._operations import canonical_name, is_subscription

_MAX_SHOWN = 80


def read_new_overrides(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document, checked, with operations by the names under which they are looked up.

    Raises `OverrideError` as `read_overrides` does, and for names of operations and subscriptions that do not exist.
    """
    checked = read_overrides(document)
    if "operation_hashes" in checked:
        checked["operation_hashes"] = by_operation(checked["operation_hashes"])
    for name in checked.get("subscription_hashes", {}):
        if not is_subscription(name):
            raise OverrideError(f"subscription_hashes.{name[:_MAX_SHOWN]}", "left out: there is no such subscription")
    return checked


def by_operation(hashes: Mapping[str, str]) -> dict[str, str]:
    """The hashes by the names under which operations are looked up, whichever spelling they are given in.

    Raises `OverrideError` for a name that no operation has.
    """
    found: dict[str, str] = {}
    for name, value in hashes.items():
        known = canonical_name(name)
        if known is None:
            raise OverrideError(f"operation_hashes.{name[:_MAX_SHOWN]}", "left out: there is no such operation")
        found[known] = value
    return found
