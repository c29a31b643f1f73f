"""Encrypts credentials with a KMS key, bound to account and purpose by the encryption context.

KMS encrypts at most 4,096 bytes in one call. Values are compressed first, and what is still larger is split into parts
whose number and count are part of the context, so that parts can be neither dropped, swapped nor repeated. That
needs no cryptography of our own, and one call in practice.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from accounts._aws import AwsCaller, AwsError, as_bytes
from accounts._exceptions import SealBrokenError, StoreUnavailableError
from accounts._vault import Purpose

PART_BYTES = 4_096
MAX_PARTS = 4
# Unsealed values kept in memory: a warm sandbox uses few accounts, a refresh run reads each once.
CACHED_VALUES = 64
_CHECKED = b"check"
# KMS's words for a ciphertext, or a context, that is not the one that was sealed.
_BROKEN = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class KmsVault:
    """Seals with one KMS key. What was sealed or unsealed lately is remembered, so that a warm chat calls nobody."""

    def __init__(self, aws: AwsCaller, key_id: str) -> None:
        self._aws = aws
        self._key_id = key_id
        self._known: OrderedDict[bytes, bytes] = OrderedDict()

    async def seal(self, values: Mapping[str, Any], *, account_id: str, purpose: Purpose) -> bytes:
        packed = zlib.compress(json.dumps(dict(values), separators=(",", ":")).encode(), 9)
        parts = [packed[start : start + PART_BYTES] for start in range(0, len(packed), PART_BYTES)]
        if len(parts) > MAX_PARTS:
            raise ValueError(f"{purpose} of {len(packed)} compressed bytes exceed {MAX_PARTS * PART_BYTES}")
        sealed = []
        for number, part in enumerate(parts, 1):
            context = _context(account_id, purpose, number, len(parts))
            answer = await self._call("Encrypt", {"KeyId": self._key_id, "Plaintext": part}, context)
            sealed.append(as_bytes(answer["CiphertextBlob"]))
        result = _join(sealed)
        self._remember(_fingerprint(result, account_id, purpose), packed)
        return result

    async def unseal(self, sealed: bytes, *, account_id: str, purpose: Purpose) -> dict[str, Any]:
        fingerprint = _fingerprint(sealed, account_id, purpose)
        packed = self._known.get(fingerprint)
        if packed is None:
            parts = _split(sealed)
            packed = b""
            for number, part in enumerate(parts, 1):
                context = _context(account_id, purpose, number, len(parts))
                answer = await self._call("Decrypt", {"KeyId": self._key_id, "CiphertextBlob": part}, context)
                packed += as_bytes(answer["Plaintext"])
        values = _unpack(packed)
        # After it was understood: what is damaged is never kept.
        self._remember(fingerprint, packed)
        return values

    async def check(self) -> None:
        context = _context("check", "config", 1, 1)
        sealed = await self._call("Encrypt", {"KeyId": self._key_id, "Plaintext": _CHECKED}, context)
        blob = as_bytes(sealed["CiphertextBlob"])
        opened = await self._call("Decrypt", {"KeyId": self._key_id, "CiphertextBlob": blob}, context)
        if as_bytes(opened["Plaintext"]) != _CHECKED:
            raise SealBrokenError("Decrypt", "damaged")

    async def _call(self, operation: str, payload: Mapping[str, Any], context: Mapping[str, str]) -> dict[str, Any]:
        try:
            return await self._aws.call("kms", operation, {**payload, "EncryptionContext": context})
        except AwsError as error:
            failure = SealBrokenError if error.code in _BROKEN else StoreUnavailableError
            raise failure(operation, error.code) from error

    def _remember(self, fingerprint: bytes, packed: bytes) -> None:
        self._known[fingerprint] = packed
        self._known.move_to_end(fingerprint)
        while len(self._known) > CACHED_VALUES:
            self._known.popitem(last=False)


def _unpack(packed: bytes) -> dict[str, Any]:
    """The values. Whoever sealed something else had the key: another version of this software, or a mistake."""
    try:
        values = json.loads(zlib.decompress(packed))
    except (zlib.error, ValueError):
        values = None
    if not isinstance(values, dict):
        # Not chained: the decoder's error has the credentials' text with it.
        raise SealBrokenError("Decrypt", "damaged")
    return values


def _context(account_id: str, purpose: Purpose, number: int, count: int) -> dict[str, str]:
    context = {"account_id": account_id, "purpose": str(purpose)}
    if count > 1:
        context["part"] = f"{number}/{count}"
    return context


def _fingerprint(sealed: bytes, account_id: str, purpose: Purpose) -> bytes:
    """Names a sealed value: another version of the same account's credentials has another one."""
    return hashlib.sha256(b"\0".join((account_id.encode(), purpose.encode(), sealed))).digest()


def _join(parts: list[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _split(sealed: bytes) -> list[bytes]:
    parts, position = [], 0
    while position < len(sealed):
        # Cut data gives parts that KMS refuses: nothing is checked here.
        length = int.from_bytes(sealed[position : position + 4], "big")
        parts.append(sealed[position + 4 : position + 4 + length])
        position += 4 + length
    return parts
