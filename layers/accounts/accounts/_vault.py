"""The port for encrypting credentials before they are stored, and a plain version for stores that keep nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, Protocol

from accounts._exceptions import SealBrokenError

Purpose = Literal["credentials", "session", "config"]


class Vault(Protocol):
    """Seals small mappings so that only a holder of the key reads them, and only for the same account and purpose."""

    async def seal(self, values: Mapping[str, Any], *, account_id: str, purpose: Purpose) -> bytes:
        """Raises `ValueError` if the values are too large, `StoreUnavailableError` if the key can't be used."""

    async def unseal(self, sealed: bytes, *, account_id: str, purpose: Purpose) -> dict[str, Any]:
        """Raises `SealBrokenError` for another's or damaged data, `StoreUnavailableError` if the key can't be used."""

    async def check(self) -> None:
        """Seal something and open it again, past whatever is remembered.

        Raises `SealBrokenError` if it came back changed, `StoreUnavailableError` if the key can't be used for either.
        """


class PlainVault:
    """Seals nothing, but insists on the same binding: for values that never leave this process."""

    async def seal(self, values: Mapping[str, Any], *, account_id: str, purpose: Purpose) -> bytes:
        return json.dumps([account_id, purpose, dict(values)]).encode()

    async def unseal(self, sealed: bytes, *, account_id: str, purpose: Purpose) -> dict[str, Any]:
        owner, sealed_for, values = json.loads(sealed)
        # As KMS would refuse it, so that a mix-up is noticed without AWS.
        if (owner, sealed_for) != (account_id, purpose):
            raise SealBrokenError("Unseal", "sealed_for_another")
        result: dict[str, Any] = values
        return result

    async def check(self) -> None:
        """There is no key that could be missing."""
