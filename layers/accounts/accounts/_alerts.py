"""What owners are told of: an alert begins, is told once by each channel, and is over when its cause is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field, replace

from lazy_dataclasses import dataclass

OPEN_SECONDS, ENDED_SECONDS = 30 * 86_400.0, 7 * 86_400.0
"""How long the table keeps an alert after its last change. One whose cause lasts longer is told again then."""
QUIET_SECONDS = 6 * 3_600.0
"""A cause that comes back within this time after its end was told already."""
CLAIM_SECONDS = 120.0
"""Who tells an alert has so long; then somebody else may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One cause. `text` says what is the matter and what to do."""

    id: str
    """Names the cause: the same one has the same id."""
    kind: str
    text: str
    account_id: str | None = None
    key_id: str | None = None
    since: float = 0.0
    told: Mapping[str, float] = field(default_factory=dict)
    """When each channel was told."""
    claimed_until: float = 0.0
    """Until when somebody else is telling it."""
    ended_at: float | None = None
    version: int = 0

    @property
    def kept_seconds(self) -> float:
        return OPEN_SECONDS if self.is_open else ENDED_SECONDS

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    def begun(self, known: Alert | None, now: float) -> Alert | None:
        """What is to be kept now that its cause is there; `None` if nothing changes. `known` is what is kept."""
        if known is None:
            return replace(self, since=now)
        if known.ended_at is None:
            return None
        # What it told stays, so that a cause that comes and goes is told once.
        if now - known.ended_at < QUIET_SECONDS:
            return replace(known, text=self.text, ended_at=None)
        # The version goes on: the item is still there, and is replaced only by who has seen it.
        return replace(self, since=now, version=known.version)

    def over(self, now: float) -> Alert:
        """What is to be kept when its cause is gone."""
        return replace(self, ended_at=now)

    def untold(self, channels: Collection[str], now: float) -> frozenset[str]:
        """The channels that are still to be told, by whoever claims it."""
        # A claim that expired may have been told: twice is better than never.
        if self.ended_at is not None or self.claimed_until > now:
            return frozenset()
        # A channel that was set up later is told what is still open.
        return frozenset(channels) - self.told.keys()

    def claimed(self, now: float) -> Alert:
        """As it is kept while somebody tells it."""
        return replace(self, claimed_until=now + CLAIM_SECONDS)

    def told_by(self, channels: Collection[str], now: float) -> Alert:
        """As it is kept after these channels were told."""
        return replace(self, told={**self.told, **dict.fromkeys(channels, now)}, claimed_until=0.0)
