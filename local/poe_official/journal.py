"""What the simulator saw and sent, for tests and measurements. Times are seconds of `time.monotonic`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from local import journal

_KEPT = 5_000


@dataclass(slots=True)
class RequestRecord:
    """One request. `account` is the key it came with, if that is known; `connection` is the client's port,
    which tells TCP connections apart.

    `status` is None until the answer begins and stays None if the connection was dropped instead. `ended` is when the
    answer had left or the client had gone, `completed` whether all of it left.
    """

    time: float
    method: str
    path: str
    account: str | None = None
    model: str | None = None
    status: int | None = None
    ended: float | None = None
    completed: bool = False
    connection: int = 0
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class SentRecord:
    """One frame of a streamed answer that was written."""

    time: float
    path: str
    part: str
    size: int


class Journal(journal.Journal[RequestRecord, SentRecord]):
    """The two logs of this simulator."""

    def __init__(self) -> None:
        super().__init__(_KEPT)
