"""Optional fields that an upstream refuses: it is asked again without them, and the caller is told.

Many programs send a reasoning effort with every request, and what a model takes is often not known before it is asked.
The upstream checks a request before it begins to answer, so that the refused one costs nothing but its round trip.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Set
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from reverse.chat import ChatRequest, PoeClient
from reverse.errors import ErrorCode, PoeError
from reverse.events import Event

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

    def stream(self, client: PoeClient, request: ChatRequest) -> AsyncGenerator[Event, None]:
        """The answer's events, asked for without what was refused. Raises `PoeError`."""
        request = _without(request, self.names)
        if self.doubtful.isdisjoint(request.parameters):
            return client.stream(request)
        return self._stream(client, request)

    async def _stream(self, client: PoeClient, request: ChatRequest) -> AsyncGenerator[Event, None]:
        while True:
            is_silent = True
            try:
                async with aclosing(client.stream(request)) as events:
                    async for event in events:
                        is_silent = False
                        yield event
                return
            except PoeError as error:
                refused = self._refused(error, request) if is_silent else frozenset()
                if not refused:
                    raise
            self.names |= refused
            request = _without(request, refused)

    def _refused(self, error: PoeError, request: ChatRequest) -> Set[str]:
        """What of the request the upstream blames; the effort where it does not say, because that is what it checks."""
        if error.code not in _REFUSALS:
            return frozenset()
        name = _BLAMED.get(error.param, error.param) if error.param else _EFFORT
        return {name} & self.doubtful & request.parameters.keys()


def _without(request: ChatRequest, names: Set[str]) -> ChatRequest:
    if names.isdisjoint(request.parameters):
        return request
    return replace(request, parameters={name: value for name, value in request.parameters.items() if name not in names})
