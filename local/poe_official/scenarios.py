"""Scenarios: which faults strike which requests, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.poe_official.faults import FAULTS, Fault
from local.poe_official.journal import RequestRecord
from local.scenarios import FaultCatalogue, FaultScenario


@dataclass(slots=True)
class Scenario(FaultScenario[Fault, RequestRecord]):
    """`faults` for the next `times` requests that match; the first `skip` of them pass unharmed.

    `account` is an API key, `bot` a model or bot name in any case, `operation` a path such as `/v1/models`, which its
    subpaths match too. What is None matches everything.
    """

    def matches(self, target: RequestRecord) -> bool:
        """Whether this scenario is about such a request."""
        if self.account is not None and self.account != target.account:
            return False
        if self.bot is not None and self.bot.lower() != (target.model or "").lower():
            return False
        return self.operation is None or f"{target.path}/".startswith(f"{self.operation}/")


CATALOGUE: FaultCatalogue[Fault] = FaultCatalogue(FAULTS)


def scenario_from_json(value: Any) -> Scenario:
    """A scenario from `{"faults": [{"type": "cut_socket", "at": 3}], "times": 1, …}`. Raises `UnknownScenario`."""
    return Scenario(**CATALOGUE.arguments_from_json(value))
