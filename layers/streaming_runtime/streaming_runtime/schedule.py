"""When an invocation is pressed to end."""

from typing import NamedTuple


class Schedule(NamedTuple):
    """Times of the event loop's clock. Without a known deadline there are none: Lambda ends what takes too long."""

    # The application is cancelled.
    cancel_at: float | None = None
    # Its cleanup is waited for no longer.
    abandon_at: float | None = None
    # The response must have been delivered.
    end_at: float | None = None

    @classmethod
    def plan(cls, now: float, remaining_seconds: float, margin_seconds: float) -> "Schedule":
        """Two thirds of the margin for cleanup, the last third for the end of the response.

        The margin takes a third of the remaining time at most, so that a short timeout leaves time to work.
        """
        margin = min(margin_seconds, remaining_seconds / 3)
        end = now + remaining_seconds
        return cls(end - margin, end - margin / 3, end)


def find_deadline(given_ms: int | None, now_ms: int, timeout_seconds: float | None) -> int | None:
    """The deadline that holds, in milliseconds since the epoch; None where none is known.

    One that lies before the invocation came cannot be: emulators have sent 0, and times of their own start. Then the
    function's timeout counts from now, where it is known.
    """
    if given_ms is not None and given_ms > now_ms:
        return given_ms
    return None if timeout_seconds is None else now_ms + round(timeout_seconds * 1000)
