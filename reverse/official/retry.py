"""Whether and when to repeat a read of the documented API: one pure function.

Messages to bots are never repeated here.
"""

from __future__ import annotations

from reverse.errors import ErrorCode, PoeError

MAX_RETRIES = 2

# Poe asks for a backoff that starts at 250 ms, with jitter (docs/reference/poe-official.md#errors-and-limits).
_FIRST_DELAY_SECONDS = 0.25
_MAX_DELAY_SECONDS = 4.0

# Whoever reads has other things to do than to wait longer than this.
MAX_RETRY_AFTER_SECONDS = 5.0

# Failures that pass by themselves. A timeout is not among them: the time for the answer is used up. An account's or
# a request's fault is not either: the same question would be refused in the same way.
_PASSING = frozenset({ErrorCode.CONNECTION_FAILED, ErrorCode.UPSTREAM_FAILED, ErrorCode.OVERLOADED})


def retry_delay(error: PoeError, attempt: int, *, jitter: float, max_retries: int = MAX_RETRIES) -> float | None:
    """Seconds to wait before the next try, or `None` to give up and raise `error`.

    `attempt` counts the tries that failed before this one, `jitter` is random in 0..1.
    """
    if attempt >= max_retries or not error.retryable:
        return None
    wait = error.retry_after_seconds
    passing = error.code in _PASSING
    if error.code is ErrorCode.RATE_LIMITED:
        # Without a time the limit counts for a whole minute (500 requests a minute): waiting here would not help.
        passing = wait is not None
    if not passing or (wait is not None and wait > MAX_RETRY_AFTER_SECONDS):
        return None
    backoff = min(_FIRST_DELAY_SECONDS * 2.0**attempt, _MAX_DELAY_SECONDS) * (0.5 + jitter / 2)
    return max(wait or 0.0, backoff)
