"""API keys of the gateway: how they are made, recognised and limited. Pure."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
from collections import Counter
from dataclasses import replace
from typing import Any, Unpack

from accounts._key_model import ApiKey, KeySettings

PREFIX = "sk-poe-"
# 256 bits can't be guessed, so a plain SHA-256 suffices: slow hashes protect weak passwords.
SECRET_BYTES = 32
ID_LENGTH = 16
# What a given secret must have at least: a list of words that people use as passwords has far less.
MIN_LENGTH = 24
MIN_BITS = 64
_JUDGED_CHARS = 256
_REPEATED_CHARS = 4
_KEYBOARD_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
# DynamoDB's numbers have 38 digits; what is meant is far below.
MAX_LIMIT = 10**15
_COUNTS = (
    "requests_per_minute",
    "max_concurrent",
    "points_per_day",
    "points_per_month",
    "tokens_per_day",
    "tokens_per_month",
)


def new_secret() -> str:
    """A fresh secret with 256 bits from the operating system."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> str:
    """What is stored of a secret. Keys are found by this hash, so no comparison's duration tells anything."""
    return hashlib.sha256(secret.encode()).hexdigest()


def estimated_bits(secret: str) -> float:
    """How hard a secret is to guess at most.

    Repetitions, runs (`abc`, `321`, `qwe`, also two in turns: `1q2w3e`) and changes of case add nothing.
    """
    # What comes later can only make it harder, and nobody needs it that hard.
    secret = secret[:_JUDGED_CHARS]
    folded = secret.lower()
    told = [character for end, character in enumerate(secret, 1) if not _continues(folded[:end])]
    counts = Counter(told).values()
    # Shannon's entropy of what is left: an upper bound, which is what a refusal needs.
    return sum(-count * math.log2(count / len(told)) for count in counts)


def _continues(text: str) -> bool:
    """Whether the last character only goes on with a run, or with what came before."""
    # `abcdabcd` has what four letters have.
    is_repeated = len(text) > _REPEATED_CHARS and text[-_REPEATED_CHARS:] in text[:-1]
    return is_repeated or any(
        len(text) > 2 * step
        and _are_neighbours(text[-1], text[-1 - step])
        and _are_neighbours(text[-1 - step], text[-1 - 2 * step])
        # Neighbours, and every other character: `1q2w3e` is two runs in turns.
        for step in (1, 2)
    )


def _are_neighbours(one: str, other: str) -> bool:
    if abs(ord(one) - ord(other)) <= 1:
        return True
    return any(one in row and other in row and abs(row.index(one) - row.index(other)) == 1 for row in _KEYBOARD_ROWS)


def build_key(secret: str, *, now: float, **settings: Unpack[KeySettings]) -> ApiKey:
    """The key with this secret. Raises `ValueError` for an imported secret that could be guessed, and for settings."""
    if len(secret) < MIN_LENGTH or estimated_bits(secret) < MIN_BITS:
        raise ValueError(f"an API key needs at least {MIN_LENGTH} random characters")
    digest = hash_secret(secret)
    # Of the hash: whoever imports the same secret elsewhere finds the key by the same id.
    key = ApiKey(id=digest[:ID_LENGTH], name="", hash=digest, created_at=now)
    return replace(key, **_checked(settings))


def change_key(key: ApiKey, **changes: Unpack[KeySettings]) -> ApiKey:
    """The key with other settings, one version on. Raises `ValueError` for settings that can't be."""
    return replace(key, **_checked(changes), version=key.version + 1)


def is_usable(key: ApiKey, now: float) -> bool:
    """Whether the key is enabled, and neither it nor the secret that found it has expired."""
    ends = (key.expires_at, key.secret_expires_at)
    return key.enabled and all(end is None or end > now for end in ends)


def _checked(settings: KeySettings) -> dict[str, Any]:
    values: dict[str, Any] = dict(settings)
    if "models" in values:
        # Poe takes names in any case, and so do the key's rules.
        values["models"] = tuple(model.lower() for model in values["models"])
    if "routes" in values:
        values["routes"] = tuple(values["routes"])
        if not all(route.startswith("/") for route in values["routes"]):
            raise ValueError("routes are paths that begin with '/'")
    if "ip_ranges" in values:
        # Normal form: `10.0.0.1` becomes `10.0.0.1/32`. Raises `ValueError` itself.
        values["ip_ranges"] = tuple(str(ipaddress.ip_network(text, strict=False)) for text in values["ip_ranges"])
    for name in _COUNTS:
        if (value := values.get(name)) is not None and not 0 <= value <= MAX_LIMIT:
            raise ValueError(f"{name} is from 0 to {MAX_LIMIT}")
    return values
