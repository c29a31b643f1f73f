"""What the scenarios of every simulator share: which faults strike, how often, in which order, and their JSON."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

Fault = TypeVar("Fault")
Target = TypeVar("Target")

_TYPES: dict[str, type] = {"times": int, "skip": int, "account": str, "bot": str, "operation": str}


class UnknownScenario(ValueError):
    """A scenario that does not say what it should; the text tells which part."""


@dataclass(slots=True)
class FaultScenario(ABC, Generic[Fault, Target]):
    """`faults` for the next `times` requests that match; the first `skip` of them pass unharmed.

    What is None matches everything.
    """

    faults: Fault | tuple[Fault, ...]
    times: int = 1
    account: str | None = None
    bot: str | None = None
    operation: str | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        self.faults = self.all_faults

    @property
    def all_faults(self) -> tuple[Fault, ...]:
        """The faults, always as a tuple."""
        return self.faults if isinstance(self.faults, tuple) else (self.faults,)

    @abstractmethod
    def matches(self, target: Target, /) -> bool:
        """Whether this scenario is about such a request."""


@dataclass(slots=True)
class ScenarioQueue(Generic[Fault, Target]):
    """Scenarios in the order in which they were given."""

    waiting: list[FaultScenario[Fault, Target]] = field(default_factory=list)

    def take(self, target: Target) -> tuple[Fault, ...]:
        """The faults for this request: those of the first scenario that matches; it is used up by one."""
        for scenario in self.waiting:
            if not scenario.matches(target):
                continue
            if scenario.skip:
                scenario.skip -= 1
                continue
            scenario.times -= 1
            if scenario.times <= 0:
                self.waiting.remove(scenario)
            return scenario.all_faults
        return ()


class FaultCatalogue(Generic[Fault]):
    """The faults of one simulator, dataclasses all, by their names in JSON: `cut_socket` is `CutSocket`."""

    def __init__(self, kinds: Iterable[type[Fault]]) -> None:
        self.by_name: dict[str, type[Fault]] = {_snake(kind.__name__): kind for kind in kinds}

    def fault_from_json(self, value: Any) -> Fault:
        """A fault from `{"type": "cut_socket", "at": 3}` or only its name. Raises `UnknownScenario`."""
        fields = {"type": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}
        name = str(fields.pop("type", None))
        kind = self.by_name.get(name)
        if kind is None:
            raise UnknownScenario(f"no such fault; there are: {', '.join(self.by_name)}")
        known = _fields(kind)
        if unknown := sorted(fields.keys() - known):
            raise UnknownScenario(f"{name} has no field {unknown[0]!r}; it has: {', '.join(sorted(known))}")
        try:
            return TypeAdapter(kind).validate_python(fields)
        except ValidationError as error:
            raise UnknownScenario(f"{name}: {error.errors()[0]['msg']}") from None

    def arguments_from_json(self, value: Any) -> dict[str, Any]:
        """The arguments of a scenario from its JSON object, `faults` being a list. Raises `UnknownScenario`."""
        if not isinstance(value, dict):
            raise UnknownScenario("a scenario is an object")
        fields = {name: given for name, given in value.items() if given is not None}
        faults = fields.pop("faults", None)
        if not isinstance(faults, list) or not faults:
            raise UnknownScenario("faults has to be a list with at least one fault")
        for name, given in fields.items():
            if name not in _TYPES or not isinstance(given, _TYPES[name]):
                raise UnknownScenario(f"{name!r} is not a field of a scenario, or has the wrong type")
        return {"faults": tuple(map(self.fault_from_json, faults)), **fields}


def scenario_to_json(scenario: FaultScenario[Any, Any]) -> dict[str, Any]:
    """The JSON object that makes the same scenario again."""
    faults = [
        {"type": _snake(type(fault).__name__), **{name: getattr(fault, name) for name in _fields(type(fault))}}
        for fault in scenario.all_faults
    ]
    return {"faults": faults, **{name: getattr(scenario, name) for name in _TYPES}}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("GraphQL", "Graphql")).lower()


def _fields(kind: Any) -> list[str]:
    return [one.name for one in dataclasses.fields(kind)]
