"""Files that a media bot puts into its answer as text. Pure.

Image bots answer `![name](url)`, an empty line and the address again; audio and video bots answer with the bare
address (docs/reference/poe-official.md#media-in-chat, recorded March and April 2026). An ordinary answer may hold any
link, so a link counts as a file only in one of these forms, or where it points to Poe's own file host.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from reverse.events import FileAttached

_URL = r"https?://[^\s<>\"')\]]{1,2000}"
_IMAGE = re.compile(rf"!\[(?P<name>[^\[\]\n]{{0,300}}+)\]\((?P<url>{_URL})\)(?P<again>\s++(?P=url)(?=\s|$))?")
_BARE_ADDRESS = re.compile(_URL)
_POE_FILE_HOST = ".poecdn.net"

_CONTENT_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "pdf": "application/pdf",
}


def find_media(text: str) -> list[FileAttached]:
    """The files that the whole answer `text` hands over, each once, in order."""
    stripped = text.strip()
    if _BARE_ADDRESS.fullmatch(stripped):
        return [_file(stripped, None)]
    found = {
        match["url"]: _file(match["url"], match["name"] or None)
        for match in _IMAGE.finditer(text)
        if match["again"] or _is_poe_file(match["url"])
    }
    return list(found.values())


def _file(url: str, name: str | None) -> FileAttached:
    path = _split(url)[1]
    last = unquote(path.rsplit("/", 1)[-1])
    extension = last.rsplit(".", 1)[-1].lower()
    return FileAttached(url=url, content_type=_CONTENT_TYPES.get(extension), name=name or last or None)


def _is_poe_file(url: str) -> bool:
    return _split(url)[0].endswith(_POE_FILE_HOST)


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.path
    except ValueError:
        return "", ""
