"""A request as CloudWatch metrics, in the embedded metric format: one JSON object in the log. Pure.

Written here instead of by Powertools, which gives every metric of a document the same dimensions: each combination of
values is a metric that AWS charges. Whose fault a failure was is a word of a closed list (`Fault`).
Source: the Embedded Metric Format specification in CloudWatch's documentation.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from gateway.http.errors import (
    ACCOUNTS_DISABLED,
    BOT_LIMIT,
    BUSY,
    CHALLENGE,
    CREDENTIALS_REFUSED,
    NO_ACCESS,
    NO_ACCOUNTS,
    NO_POINTS,
    NOT_READY,
    OVERLOADED,
    QUOTA,
    RATE_LIMIT,
    TIMEOUT,
    UNREACHABLE,
    UNUSABLE_ANSWER,
    UPSTREAM,
    WAITING,
    WRONG_KIND,
    Situation,
)
from pool.log import NAMESPACE

OTHER = "other"
NONE = "none"
# Of each process. A further model or key is counted as `other`.
MAX_MODELS = 20
MAX_KEYS = 20

Units = dict[str, str]
_EVERYWHERE: Units = {"Requests": "Count", "Errors": "Count", "CallerErrors": "Count"}
_SPENT: Units = {"Points": "Count", "PromptTokens": "Count", "CompletionTokens": "Count"}
_TIMES: Units = {"Duration": "Milliseconds", "TimeToFirstByte": "Milliseconds", "Attempts": "Count"}


class Fault(StrEnum):
    """Whose part a failure is: a closed list, for metrics."""

    CALLER = "caller"
    """The request is wrong, or its key."""
    LIMIT = "limit"
    """A limit of the key."""
    ACCOUNTS = "accounts"
    """No account could serve: points, time, access, credentials."""
    POE = "poe"
    """Poe failed, could not be reached, or answered with what can't be used."""
    GATEWAY = "gateway"
    """The gateway itself, its table included."""
    GONE = "gone"
    """The caller went away."""


# Others are told by their status: 4xx are the caller's, 5xx the gateway's.
_FAULTS: dict[Situation, Fault] = {
    **dict.fromkeys((RATE_LIMIT, QUOTA), Fault.LIMIT),
    **dict.fromkeys(
        (
            NO_POINTS,
            BOT_LIMIT,
            BUSY,
            WAITING,
            NO_ACCOUNTS,
            WRONG_KIND,
            CREDENTIALS_REFUSED,
            ACCOUNTS_DISABLED,
            NO_ACCESS,
            NOT_READY,
        ),
        Fault.ACCOUNTS,
    ),
    **dict.fromkeys((UPSTREAM, UNREACHABLE, UNUSABLE_ANSWER, OVERLOADED, CHALLENGE, TIMEOUT), Fault.POE),
}
_FIRST_SERVER_ERROR = 500


def fault_of(situation: Situation | None) -> Fault:
    """Whose part a failure is. Without a situation the caller went away."""
    if situation is None:
        return Fault.GONE
    known = _FAULTS.get(situation)
    if known is not None:
        return known
    return Fault.CALLER if situation.status < _FIRST_SERVER_ERROR else Fault.GATEWAY


class Bounded:
    """At most so many different values; what comes later is `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: set[str] = set()

    def __call__(self, value: str) -> str:
        """The value, or `other`."""
        # Those seen first keep their names: an alarm on a model must not change what it counts.
        if value not in self._seen and len(self._seen) >= self._most:
            return OTHER
        self._seen.add(value)
        return value


class RequestMetrics:
    """Makes the documents of one process."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._model = Bounded(MAX_MODELS)
        self._key = Bounded(MAX_KEYS)

    def document(
        self,
        values: dict[str, float],
        *,
        timestamp_ms: int,
        status: int,
        fault: str | None,
        model: str | None,
        key_id: str | None,
        account_kind: str | None,
    ) -> dict[str, Any]:
        """The document for one request. `model` is `None` where none was asked for, or where no list has it."""
        # Each combination of values is a metric that is paid for, so model, key and kind are never combined.
        dimensions = {"service": self._service, "status_class": f"{status // 100}xx"}
        directives = [_directive([["service"]], {**_EVERYWHERE, **_SPENT, **_TIMES}, values)]
        directives.append(_directive([["service", "status_class"]], {"Requests": "Count"}, values))
        # Requests without a key are counted, and can't make new dimensions: anybody could send them.
        if key_id is not None:
            dimensions |= {
                "model": OTHER if model is None else self._model(model.lower()),
                "key": self._key(key_id),
                "account_kind": account_kind or NONE,
            }
            sets = [["service", name] for name in ("model", "key", "account_kind")]
            directives.append(_directive(sets, {**_EVERYWHERE, **_SPENT}, values))
        if fault is not None:
            dimensions["fault"] = fault
            values = {**values, "Faults": 1}
            directives.append(_directive([["service", "fault"]], {"Faults": "Count"}, values))
        return {
            # One document with several directives: values are written once, and CloudWatch reads each set from it.
            "_aws": {"Timestamp": timestamp_ms, "CloudWatchMetrics": directives},
            **dimensions,
            **values,
        }


def _directive(dimensions: list[list[str]], units: Units, values: dict[str, float]) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items() if name in values]
    return {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": metrics}
