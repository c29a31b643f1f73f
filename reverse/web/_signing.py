"""Computes the header `poe-tag-id`, which signs a GraphQL request with the form key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

Signer = Callable[[str, str], str]
"""(exact text of the payload, form key or "") -> value of `poe-tag-id`."""

# The same in both generations (docs/reference/poe-web.md#request-signature).
_SALT = "4LxgHM6KpFqokX0Ox"


def tag_id(payload: str, form_key: str) -> str:
    """Sign the payload text exactly as it is sent; of a multipart request, the text of its `queryInfo` field."""
    return hashlib.md5((payload + form_key + _SALT).encode(), usedforsecurity=False).hexdigest()


def swapped_tag_id(payload: str, form_key: str) -> str:
    """The variant that a later public client reports: the same digest with hex digits 20 and 24 exchanged."""
    digits = list(tag_id(payload, form_key))
    digits[20], digits[24] = digits[24], digits[20]
    return "".join(digits)
