"""Scenarios: which faults strike which requests, and how often; as Python values and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.poe_web.bots import folded
from local.poe_web.plan import StreamFault
from local.poe_web.request_faults import REQUEST_FAULTS, WITH_STATUS, MutationStatus, RequestFault
from local.poe_web.stream_faults import STREAM_FAULTS
from local.scenarios import FaultCatalogue, FaultScenario

Fault = RequestFault | StreamFault


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
class Scenario(FaultScenario[Fault, Target]):
    """`faults` for the next `times` requests that match; the first `skip` of them pass unharmed.

    `account` is a `p_b`, `bot` a handle, `operation` a query name (in any spelling of its first letter) or a path
    such as `/api/settings`, `/` or `/up` for the socket's handshake. What is None matches everything; but a scenario
    with a fault of the stream matches only requests that start an answer, and one with a mutation status only
    mutations that have one.
    """

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


CATALOGUE: FaultCatalogue[Fault] = FaultCatalogue((*REQUEST_FAULTS, *STREAM_FAULTS))


def scenario_from_json(value: Any) -> Scenario:
    """A scenario from its JSON object, `faults` being a list of faults. Raises `UnknownScenario`."""
    return Scenario(**CATALOGUE.arguments_from_json(value))
