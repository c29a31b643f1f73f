"""Options that the answering model turns out to refuse: left out of the next send, and told to the caller. Pure.

Many programs send a reasoning effort with every request, and what a model takes is often not known before it is asked.
The upstream checks a request before it begins to answer, so that the refused one costs nothing but its round trip.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field, replace

from reverse.chat import ChatRequest
from reverse.errors import ErrorCode, PoeError

_REFUSALS = frozenset({ErrorCode.INVALID_REQUEST, ErrorCode.UNSUPPORTED_FEATURE})
_EFFORT = "reasoning_effort"
# What the endpoints of the official API call the same thing.
_BLAMED = {"reasoning": _EFFORT, "reasoning.effort": _EFFORT, "output_config.effort": _EFFORT}


@dataclass(slots=True)
class RefusedOptions:
    """Of one request, which may be several generations."""

    doubtful: Set[str]
    """Fields that may be left out if need be: the model does not say that it takes them."""
    names: set[str] = field(default_factory=set)
    """Those that were refused so far."""

    def without(self, request: ChatRequest) -> ChatRequest:
        """The request without what was refused."""
        if self.names.isdisjoint(request.parameters):
            return request
        kept = {name: value for name, value in request.parameters.items() if name not in self.names}
        return replace(request, parameters=kept)

    def blamed(self, error: PoeError, request: ChatRequest) -> Set[str]:
        """What of the request the upstream blames; the effort where it does not say, because that is what it checks."""
        if error.code not in _REFUSALS:
            return frozenset()
        name = _BLAMED.get(error.param, error.param) if error.param else _EFFORT
        return {name} & self.doubtful & request.parameters.keys()
