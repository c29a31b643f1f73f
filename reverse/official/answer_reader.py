"""An answer from its bytes: events, the bound of its size, and where it ends. No I/O."""

from __future__ import annotations

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import Event, TextDelta
from reverse.official.decoding import AnswerDecoder
from reverse.official.json_values import parse_object
from reverse.official.sse import SSEParser


class AnswerReader:
    """Reads one answer: `feed` the bytes of a stream and call `end` at its end, or `read_whole` a body.

    `is_over` says that nothing more is to be read: the answer `is_complete`, or there is a `failure`, which is to be
    raised once the events before it were handed on.
    """

    def __init__(self, decoder: AnswerDecoder, config: PoeConfig) -> None:
        self.failure: PoeError | None = None
        self._decoder = decoder
        self._parser = SSEParser(config.max_frame_bytes)
        self._max_chars = config.max_answer_chars
        self._size = 0

    @property
    def is_complete(self) -> bool:
        """Whether the last event of the answer was returned."""
        return self._decoder.is_complete

    @property
    def is_over(self) -> bool:
        """Whether to stop reading."""
        return self._decoder.is_complete or self.failure is not None

    @property
    def awaits_trailer(self) -> bool:
        """Whether the answer is whole, and only usage or an end mark can follow."""
        return self._decoder.awaits_trailer

    def feed(self, data: bytes) -> list[Event]:
        """The events that the next bytes bring."""
        events: list[Event] = []
        decoder = self._decoder
        try:
            for sent in self._parser.feed(data):
                events += decoder.decode(sent)
                if decoder.is_complete:
                    break
        except PoeError as error:
            self.failure = error
        return self._counted(events)

    def end(self) -> list[Event]:
        """The last events, where the stream ended. Raises a `protocol` error when the answer had not."""
        return self._counted(self._decoder.end())

    def read_whole(self, body: bytes) -> list[Event]:
        """The events of an answer in one piece. Raises `PoeError`."""
        parsed = parse_object(body)
        if parsed is None:
            raise poe_error(ErrorCode.PROTOCOL, "the answer is not a JSON object", operation=self._decoder.operation)
        return self._counted(self._decoder.decode_whole(parsed))

    def _counted(self, events: list[Event]) -> list[Event]:
        """The events as far as the answer's size allows; each counts, so that empty ones without end are noticed."""
        for number, event in enumerate(events):
            self._size += len(event.text) + 1 if type(event) is TextDelta else _size_of(event)
            if self._size > self._max_chars:
                self.failure = poe_error(
                    ErrorCode.PROTOCOL, "the answer is larger than allowed", operation=self._decoder.operation
                )
                return events[:number]
        return events


def _size_of(event: Event) -> int:
    return len(getattr(event, "text", "")) + len(getattr(event, "arguments", "")) + 1
