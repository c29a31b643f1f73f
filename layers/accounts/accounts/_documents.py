"""JSON documents as they are stored: compressed, and small enough for one item. Pure."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

# DynamoDB's limit of 400 KB (409,600 bytes) is for the whole item: keys and attribute names need their share.
MAX_DOCUMENT_BYTES = 400_000


def pack(document: Mapping[str, Any]) -> bytes:
    """Compress a document. Raises `ValueError` when it can't fit one item even so."""
    packed = zlib.compress(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(), 6)
    if len(packed) > MAX_DOCUMENT_BYTES:
        raise ValueError(f"the document needs {len(packed)} bytes, {MAX_DOCUMENT_BYTES} are allowed")
    return packed


def unpack(packed: bytes) -> dict[str, Any]:
    """The document that was packed."""
    document: dict[str, Any] = json.loads(zlib.decompress(packed))
    return document
