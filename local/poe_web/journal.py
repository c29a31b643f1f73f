"""What the simulator saw and sent, for tests and measurements. All times are seconds of `time.monotonic`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from local import journal

_KEPT = 20_000


@dataclass(slots=True)
class RequestRecord:
    """One HTTP request or WebSocket handshake.

    `account` is the simulated account's `p_b`, None if the request carried none that is known. `status` is None until
    the answer left, and stays None if the connection was dropped instead. `ended` is when the answer had left. `note`
    says why a request was refused, which the wire does not.
    """

    time: float
    method: str
    path: str
    query_name: str | None = None
    account: str | None = None
    status: int | None = None
    ended: float | None = None
    note: str | None = None
    user_agent: str | None = None

    def __iter__(self) -> Iterator[float | str | int | None]:
        """The first six fields, to unpack."""
        return iter((self.time, self.method, self.path, self.query_name, self.account, self.status))


@dataclass(frozen=True, slots=True)
class SentRecord:
    """One event put on an account's channel.

    `sockets` is how many connections it went to at once (0: replayed later, if ever).
    """

    time: float
    account: str
    chat: int
    name: str
    text_length: int
    state: str | None
    sequence: int
    sockets: int


class Journal(journal.Journal[RequestRecord, SentRecord]):
    """The two logs of this simulator."""

    def __init__(self) -> None:
        super().__init__(_KEPT)


def sequential_round_trips(records: Iterable[RequestRecord], since: float, until: float) -> int:
    """How many network round trips a client made one after another in a period; overlapped ones count once.

    Each record is the interval from arrival to answer. The number is the size of the largest set of intervals of
    which no two overlap, that is, the longest chain that could not have been done at the same time. TCP and TLS
    handshakes are not seen. A request that is still open counts until `until`.
    """
    intervals = sorted(
        (until if record.ended is None else min(record.ended, until), record.time)
        for record in records
        if since <= record.time <= until
    )
    count, free_from = 0, float("-inf")
    for end, start in intervals:
        if start >= free_from:
            count, free_from = count + 1, end
    return count
