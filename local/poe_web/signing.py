"""The two checks that every GraphQL call has to pass: form key and `poe-tag-id`.

Source: docs/reference/poe-web.md#request-signature.
"""

from __future__ import annotations

import hashlib
import hmac

_SALT = "4LxgHM6KpFqokX0Ox"


def tag_id(payload: str, form_key: str) -> str:
    """The signature of `payload`, which is the JSON text exactly as it was sent, never a new serialisation of it."""
    return hashlib.md5((payload + form_key + _SALT).encode(), usedforsecurity=False).hexdigest()


def is_signed(payload: str, form_key: str, received: str | None) -> bool:
    """Whether `received` is the tag id of `payload` under `form_key`."""
    return received is not None and hmac.compare_digest(received.encode(), tag_id(payload, form_key).encode())
