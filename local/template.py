"""Reads template.yaml for the local stack, with its functions and references resolved."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_VARIABLE = re.compile(r"\$\{([^}!]+)\}")
_NO_VALUE = object()


class TemplateError(ValueError):
    """The template uses something that is not understood here; the message names it."""


class _Loader(yaml.SafeLoader):
    """Reads `!Name x` as `{"Fn::Name": x}`, the long form of the same thing."""


def _construct_function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        raise TemplateError(f"!{suffix} of a node that is neither text, list nor map")
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _construct_function)


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template and what its references mean.

    `references` maps what `Ref` and `GetAtt` name (`AccountsTable`, `CredentialsKey.Arn`) to values; parameters count
    with their defaults unless they are given there too.
    """

    document: Mapping[str, Any]
    references: Mapping[str, Any]

    @classmethod
    def load(cls, path: Path, references: Mapping[str, Any] | None = None) -> Template:
        """Raises `OSError`, `yaml.YAMLError`."""
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 (a safe loader, extended)
        return cls(document, references or {})

    def with_references(self, references: Mapping[str, Any]) -> Template:
        return Template(self.document, {**self.references, **references})

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources of one type by logical id, their properties as written."""
        found = self.document["Resources"].items()
        return {name: resource.get("Properties") or {} for name, resource in found if resource["Type"] == kind}

    def function(self, name: str) -> dict[str, Any]:
        """A function's resolved properties, with `Globals` merged in as SAM does."""
        shared = self.document.get("Globals", {}).get("Function", {})
        own = self.resources("AWS::Serverless::Function")[name]
        variables = {
            **shared.get("Environment", {}).get("Variables", {}),
            **own.get("Environment", {}).get("Variables", {}),
        }
        # Roles, layers and the like refer to what exists on AWS only.
        wanted = ("Handler", "MemorySize", "Timeout", "Runtime", "FunctionUrlConfig")
        merged = {key: value for key, value in {**shared, **own}.items() if key in wanted}
        return {**self.resolve(merged), "Environment": self.resolve(variables)}

    def resolve(self, value: Any) -> Any:
        """The value with every function in it applied. Raises `TemplateError`."""
        if isinstance(value, dict):
            if len(value) == 1 and (function := next(iter(value))) in _FUNCTIONS:
                return _FUNCTIONS[function](self, value[function])
            resolved = {key: self.resolve(item) for key, item in value.items()}
            return {key: item for key, item in resolved.items() if item is not _NO_VALUE}
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _NO_VALUE]
        return value

    def _reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.references:
            return self.references[name]
        parameter = self.document.get("Parameters", {}).get(name)
        if parameter is None or "Default" not in parameter:
            raise TemplateError(f"nothing is known of {name!r} here")
        default = parameter["Default"]
        if parameter["Type"] == "CommaDelimitedList":
            return [item.strip() for item in str(default).split(",")]
        return default

    def _attribute(self, name: Any) -> Any:
        return self._reference(".".join(name) if isinstance(name, list) else name)

    def _substitute(self, text: Any) -> str:
        if not isinstance(text, str):
            raise TemplateError("Fn::Sub with a map of its own is not understood here")
        return _VARIABLE.sub(lambda match: str(self._reference(match[1])), text)

    def _choose(self, arguments: list[Any]) -> Any:
        condition, then, otherwise = arguments
        holds = self.resolve(self.document["Conditions"][condition])
        return self.resolve(then if holds else otherwise)

    def _equals(self, arguments: list[Any]) -> bool:
        left, right = map(self.resolve, arguments)
        return str(left) == str(right)

    def _not(self, arguments: list[Any]) -> bool:
        return not self.resolve(arguments[0])


_FUNCTIONS: dict[str, Callable[[Template, Any], Any]] = {
    "Ref": Template._reference,
    "Fn::GetAtt": Template._attribute,
    "Fn::Sub": Template._substitute,
    "Fn::If": Template._choose,
    "Fn::Equals": Template._equals,
    "Fn::Not": Template._not,
}
