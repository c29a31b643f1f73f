"""API keys of the gateway: how they are made, recognised and limited. Pure."""

from __future__ import annotations

import hashlib
import math
import secrets
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from accounts._model import ApiKey

PREFIX = "sk-poe-"
# 256 bits can't be guessed, so a plain SHA-256 suffices: slow hashes protect weak passwords.
SECRET_BYTES = 32
ID_LENGTH = 16
# What a given secret must have at least: a list of words that people use as passwords has far less.
MIN_LENGTH = 24
MIN_BITS = 64
MINUTE_SECONDS = 60
DAY_SECONDS = 86_400

LimitName = Literal["rate", "budget"]


class OverLimit(float):
    """Seconds to wait, with the limit that was reached."""

    limit: LimitName

    def __new__(cls, seconds: float, limit: LimitName) -> OverLimit:
        value = super().__new__(cls, seconds)
        value.limit = limit
        return value


def new_secret() -> str:
    """A fresh secret with 256 bits from the operating system."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """What is stored of a secret. Keys are found by this hash, so no comparison's duration tells anything."""
    return hashlib.sha256(secret.encode()).hexdigest()


def estimated_bits(secret: str) -> float:
    """How hard a secret is to guess at most: repetitions and runs like `abc` or `321` add nothing."""
    period = next((size for size in range(1, len(secret)) if secret.startswith(secret[size:])), len(secret))
    told = [
        character
        for before, character in zip(" " + secret, secret[:period], strict=False)
        if abs(ord(character) - ord(before)) > 1
    ]
    counts = Counter(told).values()
    return sum(-count * math.log2(count / len(told)) for count in counts)


def build_key(
    secret: str,
    *,
    name: str,
    models: Sequence[str],
    requests_per_minute: int | None,
    points_per_day: int | None,
    expires_at: float | None,
    now: float,
) -> ApiKey:
    """The key with this secret. Raises `ValueError` for an imported secret that could be guessed."""
    if len(secret) < MIN_LENGTH or estimated_bits(secret) < MIN_BITS:
        raise ValueError(f"an API key needs at least {MIN_LENGTH} random characters")
    digest = hash_secret(secret)
    return ApiKey(
        id=digest[:ID_LENGTH],
        name=name,
        hash=digest,
        models=tuple(model.lower() for model in models),
        requests_per_minute=requests_per_minute,
        points_per_day=points_per_day,
        expires_at=expires_at,
        created_at=now,
    )


def is_usable(key: ApiKey, now: float) -> bool:
    """Whether the key is enabled and has not expired."""
    return key.enabled and (key.expires_at is None or key.expires_at > now)


def utc_day(now: float) -> str:
    """The UTC day of a time, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")


def minute_of(now: float) -> int:
    """Number of the minute, which names a rate window."""
    return int(now // MINUTE_SECONDS)


def over_rate(now: float) -> OverLimit:
    """The wait until the next minute's window opens."""
    return OverLimit(MINUTE_SECONDS - now % MINUTE_SECONDS, "rate")


def over_budget(now: float) -> OverLimit:
    """The wait until the next UTC day's budget opens."""
    return OverLimit(DAY_SECONDS - now % DAY_SECONDS, "budget")
