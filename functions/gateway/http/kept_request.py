"""The log of requests that an owner reads: one item per request in the table, without a word of prompt or answer.

A request with one answer is written along with the release of its lease, which costs no write of its own. What has no
release, or several, is written before the last byte leaves: Lambda freezes the sandbox right after.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from accounts import RequestRecord as KeptRequest
from gateway.http.request_log import RequestRecord

_OK = 200


class RequestKeeper:
    """Makes items of records. `seconds` is how long they are kept; 0 keeps nothing."""

    def __init__(
        self,
        seconds: float = 0.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._now = now

    def is_wanted(self, record: RequestRecord) -> bool:
        """Whether the request is still to be kept: it had a key and a model, and is no part of another."""
        is_known = record.key_id is not None and record.model is not None
        return self._seconds > 0 and is_known and not record.is_part and not record.is_kept

    def item(self, record: RequestRecord, *, status: int | None = None, code: str | None = None) -> KeptRequest | None:
        """What is kept of a request, which is noted as kept; `None` if nothing is to be."""
        if not self.is_wanted(record):
            return None
        record.is_kept = True
        usage = record.usage
        return KeptRequest(
            request_id=record.request_id,
            at=self._now(),
            key_id=record.key_id or "",
            model=(record.model or "").lower(),
            surface=record.surface,
            status=status or record.status or _OK,
            code=code or record.error,
            cause=record.cause,
            account_id=record.account,
            attempts=record.attempts,
            first_token_seconds=_between(record.started_at, record.first_token_at),
            total_seconds=_between(record.started_at, self._clock()),
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            points=record.points,
            is_estimated=bool(usage.get("estimated", True)),
            ttl_seconds=self._seconds,
        )


def _between(start: float, end: float | None) -> float | None:
    return None if end is None else round(max(0.0, end - start), 3)
