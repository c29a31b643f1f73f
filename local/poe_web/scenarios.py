"""Scenarios: which faults strike which requests, and how often; as Python values and as JSON."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from local.poe_web.bots import folded
from local.poe_web.request_faults import REQUEST_FAULTS, WITH_STATUS, MutationStatus, RequestFault
from local.poe_web.stream_faults import STREAM_FAULTS, StreamFault

Fault = RequestFault | StreamFault


class UnknownScenario(ValueError):
    """A scenario that does not say what it should; the text tells which part."""


@dataclass(frozen=True, slots=True)
class Target:
    """A request as scenarios see it.

    `operation` is the name of the query as in the catalogue, otherwise None. `starts_answer` is true for requests
    that make a bot write. `auxiliary` requests (scripts, files, socket handshakes) are matched only by a scenario
    that names their path.
    """

    path: str
    operation: str | None = None
    account: str | None = None
    bot: str | None = None
    starts_answer: bool = False
    auxiliary: bool = False


@dataclass(slots=True)
class Scenario:
    """`faults` for the next `times` requests that match; the first `skip` of them pass unharmed.

    `account` is a `p_b`, `bot` a handle, `operation` a query name (in any spelling of its first letter) or a path
    such as `/api/settings`, `/` or `/up` for the socket's handshake. What is None matches everything; but a scenario
    with a fault of the stream matches only requests that start an answer, and one with a mutation status only
    mutations that have one.
    """

    faults: Fault | tuple[Fault, ...]
    times: int = 1
    account: str | None = None
    bot: str | None = None
    operation: str | None = None
    skip: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.faults, tuple):
            self.faults = (self.faults,)

    @property
    def all_faults(self) -> tuple[Fault, ...]:
        """The faults, always as a tuple."""
        return self.faults if isinstance(self.faults, tuple) else (self.faults,)

    def matches(self, target: Target) -> bool:
        """Whether this scenario is about such a request."""
        if any(isinstance(fault, StreamFault) for fault in self.all_faults) and not target.starts_answer:
            return False
        if any(isinstance(fault, MutationStatus) for fault in self.all_faults) and target.operation not in WITH_STATUS:
            return False
        if self.account is not None and self.account != target.account:
            return False
        if self.bot is not None and (target.bot is None or folded(self.bot) != folded(target.bot)):
            return False
        return self._operation_matches(target)

    def _operation_matches(self, target: Target) -> bool:
        wanted = self.operation
        if wanted is None:
            return not target.auxiliary
        if wanted.startswith("/"):
            return target.path == wanted or (wanted != "/" and target.path.startswith(f"{wanted}/"))
        return target.operation is not None and target.operation.lower() == wanted.lower()


@dataclass(slots=True)
class ScenarioQueue:
    """Scenarios in the order in which they were given."""

    waiting: list[Scenario] = field(default_factory=list)

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


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("GraphQL", "Graphql")).lower()


FAULTS: dict[str, type[Fault]] = {_snake(fault.__name__): fault for fault in (*REQUEST_FAULTS, *STREAM_FAULTS)}
"""The name of each fault in JSON: `cut_socket` is `CutSocket`."""


def fault_from_json(value: Any) -> Fault:
    """A fault from `{"type": "cut_socket", "at": 3}` or only its name. Raises `UnknownScenario`."""
    fields = {"type": value} if isinstance(value, str) else dict(value) if isinstance(value, dict) else {}
    kind = FAULTS.get(str(fields.pop("type", None)))
    if kind is None:
        raise UnknownScenario(f"no such fault; there are: {', '.join(FAULTS)}")
    known = {f.name for f in dataclasses.fields(kind)}  # type: ignore[arg-type]  # every fault is a dataclass
    if unknown := sorted(fields.keys() - known):
        raise UnknownScenario(
            f"{_snake(kind.__name__)} has no field {unknown[0]!r}; it has: {', '.join(sorted(known))}"
        )
    try:
        return TypeAdapter(kind).validate_python(fields)
    except ValidationError as error:
        raise UnknownScenario(f"{_snake(kind.__name__)}: {error.errors()[0]['msg']}") from None


def scenario_from_json(value: Any) -> Scenario:
    """A scenario from its JSON object, `faults` being a list of faults. Raises `UnknownScenario`."""
    if not isinstance(value, dict):
        raise UnknownScenario("a scenario is an object")
    fields = dict(value)
    faults = fields.pop("faults", [])
    if not isinstance(faults, list) or not faults:
        raise UnknownScenario("faults has to be a list with at least one fault")
    types: dict[str, type] = {"times": int, "skip": int, "account": str, "bot": str, "operation": str}
    for name, given in fields.items():
        if name not in types or not (given is None or isinstance(given, types[name])):
            raise UnknownScenario(f"{name!r} is not a field of a scenario, or has the wrong type")
    given_fields = {name: given for name, given in fields.items() if given is not None}
    return Scenario(tuple(map(fault_from_json, faults)), **given_fields)


def _fields(fault: Fault) -> dict[str, Any]:
    return {f.name: getattr(fault, f.name) for f in dataclasses.fields(fault)}  # type: ignore[arg-type]  # as above


def scenario_to_json(scenario: Scenario) -> dict[str, Any]:
    """The JSON object from which `scenario_from_json` makes the same scenario."""
    faults = [{"type": _snake(type(fault).__name__), **_fields(fault)} for fault in scenario.all_faults]
    others = {name: getattr(scenario, name) for name in ("times", "account", "bot", "operation", "skip")}
    return {"faults": faults, **others}
