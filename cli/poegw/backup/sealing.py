"""Encrypts the credentials in a backup: a key from a passphrase by scrypt, AES-256-GCM for each account.

Uses `cryptography` (extra `backup`). Each account's credentials are bound to the backup and to the account, so that
none can be taken for another's.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from poegw.errors import CommandError, Exit

MIN_PASSPHRASE_CHARACTERS = 12
# 128 MB and some tenths of a second for each guess.
_COST, _BLOCK, _PARALLEL = 2**17, 8, 1
_LEAST_COST, _MAX_COST = 2**14, 2**20
_SALT_BYTES, _NONCE_BYTES, _KEY_BYTES = 16, 12, 32
WRONG = "The passphrase is wrong, or the file was changed."


class Seal:
    """Encrypts and decrypts with the keys of one backup."""

    def __init__(self, passphrase: str, header: Mapping[str, Any], backup_id: str) -> None:
        """`header` is what `new_header` made. Raises `CommandError` for one that can't be."""
        scrypt, aesgcm = _library()
        if header.get("kdf") != "scrypt" or header.get("cipher") != "AES-256-GCM":
            raise CommandError("The file's encryption is not known.", hint="Use a newer poegw.")
        cost, salt = header.get("n"), header.get("salt")
        # What a file asks for is bounded: it may be anybody's.
        is_power = isinstance(cost, int) and _LEAST_COST <= cost <= _MAX_COST and not cost & (cost - 1)
        if not is_power or not isinstance(salt, str):
            raise CommandError("The file's encryption can't be used: its parameters are out of range.")
        try:
            derived = scrypt(salt=b64decode(salt, validate=True), length=2 * _KEY_BYTES, n=cost, r=_BLOCK, p=_PARALLEL)
        except ValueError:
            raise CommandError("The file's encryption can't be used: its salt is damaged.") from None
        keys = derived.derive(passphrase.encode())
        # Two keys: one encrypts, the other authenticates the whole file.
        self._cipher = aesgcm(keys[:_KEY_BYTES])
        self._mac_key = keys[_KEY_BYTES:]
        self._id = backup_id

    @staticmethod
    def new_header() -> dict[str, Any]:
        """What a file says of its encryption."""
        salt = b64encode(secrets.token_bytes(_SALT_BYTES)).decode()
        return {"kdf": "scrypt", "n": _COST, "r": _BLOCK, "p": _PARALLEL, "salt": salt, "cipher": "AES-256-GCM"}

    def seal(self, account_id: str, credentials: Mapping[str, str]) -> dict[str, str]:
        """Encrypt the credentials of an account."""
        # At random: among so few accounts two of them never meet.
        nonce = secrets.token_bytes(_NONCE_BYTES)
        text = json.dumps(dict(credentials), sort_keys=True).encode()
        sealed = self._cipher.encrypt(nonce, text, self._bound_to(account_id))
        return {"nonce": b64encode(nonce).decode(), "data": b64encode(sealed).decode()}

    def open(self, account_id: str, sealed: Mapping[str, Any]) -> dict[str, str]:
        """Decrypt them. Raises `CommandError` for a wrong passphrase, or another account's."""
        from cryptography.exceptions import InvalidTag

        try:
            nonce, data = (b64decode(str(sealed[name]), validate=True) for name in ("nonce", "data"))
            found: dict[str, str] = json.loads(self._cipher.decrypt(nonce, data, self._bound_to(account_id)))
        except (InvalidTag, ValueError, KeyError, TypeError):
            # One answer for both: which it was would help only somebody who guesses.
            raise CommandError(WRONG, status=Exit.REFUSED) from None
        return found

    def mac(self, digest: str) -> str:
        """Authenticates the digest of a file's lines."""
        import hmac

        return hmac.new(self._mac_key, digest.encode(), "sha256").hexdigest()

    def _bound_to(self, account_id: str) -> bytes:
        return f"poe-gateway-backup/1:{self._id}:{account_id}".encode()


def _library() -> tuple[Any, Any]:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    except ImportError:
        raise CommandError(
            "Secrets in a backup need cryptography.",
            hint="Install it with: uv tool install 'poe-gateway[backup]'.",
            status=Exit.USAGE,
        ) from None
    return Scrypt, AESGCM
