"""Compares the template that a stack was deployed from with the one of a clone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

# Where an artefact was uploaded to, and notes for SAM: packaging writes them.
_PACKAGED = frozenset({"CodeUri", "ContentUri", "DefinitionUri", "Metadata"})
_SECTIONS = ("Parameters", "Rules", "Conditions", "Globals", "Resources", "Outputs")
_PLAIN_TAGS = frozenset({"Ref", "Condition"})


def read_template(body: str | Mapping[str, Any]) -> dict[str, Any]:
    """A template of either form that CloudFormation gives; `!Sub x` becomes `{"Fn::Sub": "x"}`. Raises `ValueError`."""
    if isinstance(body, Mapping):
        return dict(body)
    try:
        template = yaml.load(body, _Loader)  # noqa: S506 (a SafeLoader that knows CloudFormation's tags)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(template, dict):
        raise ValueError("not a mapping")
    return template


def differences(deployed: Mapping[str, Any], local: Mapping[str, Any]) -> list[str]:
    """What the clone's template has, lacks or says otherwise, by section and name; empty for the same."""
    found = []
    for section in _SECTIONS:
        before, after = (_mapping(template.get(section)) for template in (deployed, local))
        found += [f"{section}.{name} is new" for name in after if name not in before]
        found += [f"{section}.{name} is gone" for name in before if name not in after]
        found += [
            f"{section}.{name} differs"
            for name in after
            if name in before and _comparable(before[name]) != _comparable(after[name])
        ]
    return found


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _comparable(value: object) -> object:
    """Without what packaging writes; numbers and truth values as text, as either form may have them."""
    if isinstance(value, Mapping):
        return {str(name): _comparable(item) for name, item in value.items() if name not in _PACKAGED}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Loader(yaml.SafeLoader):
    """Knows the short forms of CloudFormation's functions."""


def _function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    # CloudFormation takes both "A.B" and ["A", "B"].
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in _PLAIN_TAGS else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)
