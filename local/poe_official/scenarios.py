"""Scenarios: which faults strike which requests, and how often; as Python values and as JSON."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from local.poe_official.faults import FAULTS, Fault


class UnknownScenario(ValueError):
    """A scenario that does not say what it should; the text tells which part."""


@dataclass(slots=True)
class Scenario:
    """`faults` for the next `times` requests that match; the first `skip` of them pass unharmed.

    `account` is an API key, `bot` a model or bot name in any case, `operation` a path such as `/v1/models`, which its
    subpaths match too. What is None matches everything.
    """

    faults: Fault | tuple[Fault, ...]
    times: int = 1
    account: str | None = None
    bot: str | None = None
    operation: str | None = None
    skip: int = 0

    @property
    def all_faults(self) -> tuple[Fault, ...]:
        """The faults, always as a tuple."""
        return self.faults if isinstance(self.faults, tuple) else (self.faults,)

    def matches(self, path: str, account: str | None, bot: str | None) -> bool:
        """Whether this scenario is about such a request."""
        if self.account is not None and self.account != account:
            return False
        if self.bot is not None and self.bot.lower() != (bot or "").lower():
            return False
        return self.operation is None or path == self.operation or path.startswith(f"{self.operation}/")


@dataclass(slots=True)
class ScenarioQueue:
    """Scenarios in the order in which they were given."""

    waiting: list[Scenario] = field(default_factory=list)

    def take(self, path: str, account: str | None, bot: str | None) -> tuple[Fault, ...]:
        """The faults for this request: those of the first scenario that matches; it is used up by one."""
        for scenario in self.waiting:
            if not scenario.matches(path, account, bot):
                continue
            if scenario.skip:
                scenario.skip -= 1
                continue
            scenario.times -= 1
            if scenario.times <= 0:
                self.waiting.remove(scenario)
            return scenario.all_faults
        return ()


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


FAULT_NAMES: dict[str, type[Fault]] = {_snake(fault.__name__): fault for fault in FAULTS}
"""The name of each fault in JSON: `cut_socket` is `CutSocket`."""


def scenario_from_json(value: Any) -> Scenario:
    """A scenario from `{"faults": [{"type": "cut_socket", "at": 3}], "times": 1, …}`. Raises `UnknownScenario`."""
    if not isinstance(value, dict) or not isinstance(value.get("faults"), list) or not value["faults"]:
        raise UnknownScenario("a scenario is an object whose faults are a list with at least one fault")
    others = {name: given for name, given in value.items() if name != "faults" and given is not None}
    types: dict[str, type] = {"times": int, "skip": int, "account": str, "bot": str, "operation": str}
    for name, given in others.items():
        if name not in types or not isinstance(given, types[name]):
            raise UnknownScenario(f"{name!r} is not a field of a scenario, or has the wrong type")
    return Scenario(tuple(_fault_from_json(fault) for fault in value["faults"]), **others)


def scenario_to_json(scenario: Scenario) -> dict[str, Any]:
    """The JSON object from which `scenario_from_json` makes the same scenario."""
    faults = [{"type": _snake(type(fault).__name__), **dataclasses.asdict(fault)} for fault in scenario.all_faults]
    others = {name: getattr(scenario, name) for name in ("times", "account", "bot", "operation", "skip")}
    return {"faults": faults, **others}


def _fault_from_json(value: Any) -> Fault:
    fields = {"type": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}
    kind = FAULT_NAMES.get(str(fields.pop("type", None)))
    if kind is None:
        raise UnknownScenario(f"no such fault; there are: {', '.join(FAULT_NAMES)}")
    known = {one.name for one in dataclasses.fields(kind)}
    if unknown := sorted(fields.keys() - known):
        raise UnknownScenario(
            f"{_snake(kind.__name__)} has no field {unknown[0]!r}; it has: {', '.join(sorted(known))}"
        )
    try:
        made: Fault = TypeAdapter(kind).validate_python(fields)
    except ValidationError as error:
        raise UnknownScenario(f"{_snake(kind.__name__)}: {error.errors()[0]['msg']}") from None
    return made
