"""Reads files that a user names on their own machine: a path, an https address or a `data:` URL."""

from __future__ import annotations

from pathlib import Path

from reverse.chat import Attachment
from reverse.web._upload import attachment_from_path


def attachment_from(source: str | Path | Attachment) -> Attachment:
    """The attachment behind what somebody typed; reads a path at once, and blocks meanwhile.

    Addresses are fetched later, by the client, under its guards. For programs whose user names the file, never for a
    service. Raises `OSError` where a path can't be read.
    """
    if isinstance(source, Attachment):
        return source
    if isinstance(source, str) and source.lower().startswith(("http://", "https://", "data:")):
        return Attachment("", "", url=source)
    return attachment_from_path(Path(source).expanduser())
