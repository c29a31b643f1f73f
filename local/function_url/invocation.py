"""One request on its way through a sandbox: what the runtime posts goes in, pieces of an HTTP answer come out."""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import Protocol

from local.function_url.function import MAX_BUFFERED_BYTES, MAX_STREAMED_BYTES, InvocationOutcome
from local.function_url.response import (
    STREAMING_CONTENT_TYPE,
    BadResponseError,
    BufferedDecoder,
    Decoder,
    PreludeDecoder,
    RawDecoder,
    ResponseHead,
)

logger = logging.getLogger(__name__)


class ClientResponse(Protocol):
    """Where an answer goes: the client's side. All calls return at once; after `fail` and `end` nothing follows."""

    def start(self, head: ResponseHead) -> None:
        """Raises `BadResponseError`, with nothing sent, if this can't be said in HTTP."""

    def write(self, data: bytes) -> None: ...

    def end(self) -> None: ...

    def fail(self) -> None:
        """A 502 if nothing was sent yet, a cut connection otherwise."""


class Source(Protocol):
    """Where an answer comes from; a client that reads slowly makes it pause."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class _State(Enum):
    WAITING = auto()
    """Handed to the runtime, or about to be."""
    ANSWERING = auto()
    """The runtime posts its answer; some of it may be with the client."""
    ANSWERED = auto()
    """Everything was said, well or badly."""


class Invocation:
    """The state between an event handed to a runtime and the runtime's next poll."""

    def __init__(
        self, *, request_id: str, trace_id: str, event: bytes, deadline_epoch_ms: int, answer: ClientResponse
    ) -> None:
        self.request_id = request_id
        self.trace_id = trace_id
        self.event = event
        self.deadline_epoch_ms = deadline_epoch_ms
        self.outcome = InvocationOutcome.SUCCESS
        self._answer = answer
        self._state = _State.WAITING
        self._decoder: Decoder | None = None
        self._is_started = False
        self._body_bytes = 0
        # The runtime's connection while it posts; kept to pass the client's backpressure on.
        self._source: Source | None = None

    @property
    def is_waiting(self) -> bool:
        return self._state is _State.WAITING

    @property
    def is_answered(self) -> bool:
        return self._state is _State.ANSWERED

    def response_started(self, *, streaming: bool, content_type: str, source: Source) -> None:
        self._state = _State.ANSWERING
        self._source = source
        if not streaming:
            self._decoder = BufferedDecoder(MAX_BUFFERED_BYTES)
        elif content_type.partition(";")[0].strip().lower() == STREAMING_CONTENT_TYPE:
            self._decoder = PreludeDecoder()
        else:
            self._decoder = RawDecoder(content_type)

    def response_received(self, data: bytes) -> None:
        if self._state is not _State.ANSWERING or self._decoder is None:
            return
        try:
            body = self._decoder.feed(data)
            self._pass_on(body)
        except BadResponseError as error:
            self.fail(error.code)

    def response_ended(self, error_type: str | None) -> None:
        """The post is complete. `error_type` is the trailer of a runtime whose function failed in mid-stream."""
        if self._state is not _State.ANSWERING or self._decoder is None:
            return
        # The body is whole as HTTP has it, and still not what was meant: the client must not take it for that.
        if error_type is not None:
            self.fail(error_type)
            return
        try:
            self._pass_on(self._decoder.finish())
        except BadResponseError as error:
            self.fail(error.code)
            return
        if self._state is _State.ANSWERING:
            self._state = _State.ANSWERED
            self._answer.end()

    def fail(self, code: str, outcome: InvocationOutcome = InvocationOutcome.ERROR) -> None:
        """The answer will not come, or not come whole. After the end of the answer only the outcome changes.

        That a sandbox died explains a broken answer, which is usually noticed first.
        """
        if self.outcome is InvocationOutcome.SUCCESS or outcome in (
            InvocationOutcome.CRASHED,
            InvocationOutcome.TIMEOUT,
        ):
            self.outcome = outcome
            logger.warning("invocation.failed request_id=%s code=%s outcome=%s", self.request_id, code, outcome)
        if self._state is not _State.ANSWERED:
            self._state = _State.ANSWERED
            self._answer.fail()

    def abandon(self) -> None:
        """Whoever asked for it ends the sandbox: what still comes, or no longer comes, is nobody's failure."""
        if self._state is not _State.ANSWERED:
            self.outcome = InvocationOutcome.ERROR
            self._state = _State.ANSWERED

    def set_paused(self, paused: bool) -> None:
        """The client's side is full (or not any more)."""
        if self._source is not None:
            if paused:
                self._source.pause_reading()
            else:
                self._source.resume_reading()

    def _pass_on(self, body: bytes) -> None:
        if not self._is_started:
            head = self._decoder.head if self._decoder is not None else None
            if head is None:
                return
            self._answer.start(head)
            self._is_started = True
        if body:
            self._body_bytes += len(body)
            if self._body_bytes > MAX_STREAMED_BYTES:
                self.fail("Function.ResponseSizeTooLarge", InvocationOutcome.TOO_LARGE)
                return
            self._answer.write(body)
