"""The log that every simulator keeps of what it saw and sent, for tests and measurements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

Seen = TypeVar("Seen")
Sent = TypeVar("Sent")
Record = TypeVar("Record")


@dataclass(slots=True)
class Journal(Generic[Seen, Sent]):
    """Two logs; each keeps its latest `kept` entries at least, and twice as many at most."""

    kept: int
    requests: list[Seen] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)

    def add_request(self, record: Seen) -> None:
        """Enter a request when it arrives; the rest is filled in later."""
        self._add(self.requests, record)

    def add_sent(self, record: Sent) -> None:
        """Enter what was sent."""
        self._add(self.sent, record)

    def clear(self) -> None:
        """Forget everything."""
        self.requests.clear()
        self.sent.clear()

    def _add(self, log: list[Record], record: Record) -> None:
        log.append(record)
        if len(log) > 2 * self.kept:
            del log[: self.kept]
