"""An answer from its bytes: events, the bound of its size, and where it ends. No I/O."""

from __future__ import annotations

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import Event, TextDelta
from reverse.json_text import parse_object
from reverse.official.decoding import AnswerDecoder
from reverse.official.sse import SSEParser


class ResponseReader:
    """Reads one answer: `feed` the bytes of a stream and call `end` at its end, or `read_whole` a body."""

    def __init__(self, decoder: AnswerDecoder, config: PoeConfig) -> None:
        # Plain attributes, because they are looked at for every piece of the answer.
        self.is_complete = False
        """Whether the last event of the answer was returned."""
        self.is_over = False
        """Whether to stop reading: the answer is complete, or there is a failure."""
        self.has_begun = False
        """Whether anything came of an answer before a failure, if only its frame."""
        self.awaits_trailer = False
        """Whether the answer is whole, and only usage or an end mark can follow."""
        self.failure: PoeError | None = None
        """What is to be raised once the events before it were handed on."""
        self._decoder = decoder
        self._parser = SSEParser(config.max_frame_bytes)
        self._max_chars = config.max_answer_chars
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """The events that the next bytes bring."""
        events: list[Event] = []
        decoder = self._decoder
        try:
            for sent in self._parser.feed(data):
                events += decoder.decode(sent)
                self.has_begun = True
                if decoder.is_complete:
                    break
        except PoeError as error:
            # Kept, not raised: the events of the same piece come before it, and may already be an answer to charge for.
            self.failure = error
        return self._noted(events)

    def end(self) -> list[Event]:
        """The last events, where the stream ended. Raises a `protocol` error when the answer had not."""
        return self._noted(self._decoder.end())

    def read_whole(self, body: bytes) -> list[Event]:
        """The events of an answer in one piece. Raises `PoeError`."""
        parsed = parse_object(body)
        if parsed is None:
            raise poe_error(ErrorCode.PROTOCOL, "the answer is not a JSON object", operation=self._decoder.operation)
        return self._noted(self._decoder.decode_whole(parsed))

    def _noted(self, events: list[Event]) -> list[Event]:
        """The events as far as the answer's size allows; each counts, so that empty ones without end are noticed."""
        decoder = self._decoder
        for event in events:
            self._size += len(event.text) + 1 if type(event) is TextDelta else _size_of(event)
        if self._size > self._max_chars:
            self.failure = poe_error(
                ErrorCode.PROTOCOL, "the answer is larger than allowed", operation=decoder.operation
            )
            while self._size > self._max_chars:
                self._size -= _size_of(events.pop())
        self.is_complete = decoder.is_complete
        self.is_over = self.is_complete or self.failure is not None
        self.awaits_trailer = decoder.awaits_trailer
        return events


def _size_of(event: Event) -> int:
    return len(getattr(event, "text", "")) + len(getattr(event, "arguments", "")) + 1
