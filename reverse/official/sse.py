"""Server-sent events, incrementally: bytes in, whole events out. No I/O.

Follows the event stream format of the HTML standard: any of the three line endings, comments, several `data` lines,
a byte order mark. `id` and `retry` are ignored: Poe's streams can't be resumed.
"""

from __future__ import annotations

from dataclasses import field

from lazy_dataclasses import dataclass
from reverse.errors import ErrorCode, poe_error

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(slots=True)
class ServerSentEvent:
    """One event; `event` is `message` where the stream names none."""

    # Not shown: it is a piece of somebody's answer.
    data: str = field(repr=False)
    event: str = "message"


class SSEParser:
    """Feed it chunks of any size; it returns the events that each chunk completes.

    An event that the end of the stream cuts off is never returned. One parser serves one stream.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._line_parts: list[bytes] = []  # of the line that no chunk has ended yet
        self._data: list[str] = []
        self._event = ""
        self._size = 0  # of the unfinished event, in bytes
        self._ended_in_cr = False  # a line feed that opens the next chunk belongs to that line ending
        self._at_start = True

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take the next bytes. Raises a `protocol` error when one event grows past the limit."""
        if not chunk:
            return []
        if self._line_parts or self._size or self._ended_in_cr or self._at_start:
            return self._feed_lines(chunk)
        # The quick way, for events of one data line each that begin and end here, as nearly all do.
        wholes, rest = chunk, b""
        if chunk[-2:] != b"\n\n":
            end = chunk.rfind(b"\n\n") + 2
            wholes, rest = (chunk[:end], chunk[end:]) if end > 1 else (b"", chunk)
        events: list[ServerSentEvent] = []
        has_data = False
        for line in wholes.splitlines():
            if not has_data and line[:6] == b"data: " and len(line) < self._max_event_bytes - 1:
                # Broken bytes are replaced: one bad character must not end an answer that is paid for.
                events.append(ServerSentEvent(line[6:].decode("utf-8", "replace")))
                has_data = True
            elif has_data and not line:
                has_data = False
            else:
                # Anything else, such as a comment, takes the way that knows the whole format.
                return self._feed_lines(chunk)
        return events + self._feed_lines(rest) if rest else events

    def _feed_lines(self, chunk: bytes) -> list[ServerSentEvent]:
        if self._ended_in_cr:
            # The second half of a line ending that was cut in two.
            chunk = chunk.removeprefix(b"\n")
            self._ended_in_cr = False
        events: list[ServerSentEvent] = []
        for piece in chunk.splitlines(keepends=True):
            self._size += len(piece)
            # Counted before the event is complete, which one that never ends would not be.
            if self._size > self._max_event_bytes:
                raise poe_error(ErrorCode.PROTOCOL, "an event of the stream is larger than allowed")
            # Joined when the line ends: adding to one byte string would copy it with every chunk.
            self._line_parts.append(piece)
            if piece.endswith((b"\n", b"\r")):
                event = self._take_line(b"".join(self._line_parts).rstrip(b"\r\n"))
                self._line_parts.clear()
                if event is not None:
                    events.append(event)
        self._ended_in_cr = chunk.endswith(b"\r")
        return events

    def _take_line(self, line: bytes) -> ServerSentEvent | None:
        if self._at_start:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._at_start = False
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif not name and not self._data:
            self._size = 0  # a comment keeps the connection alive; many of them are no large event
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        data, event = self._data, self._event
        self._data, self._event, self._size = [], "", 0
        return ServerSentEvent("\n".join(data), event or "message") if data else None
