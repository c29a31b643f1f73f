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
# The end of a Markdown image. What stands before it, the prompt as a rule, may hold brackets and line breaks.
_TARGET = re.compile(rf"\]\((?P<url>{_URL})\)(?P<again>\s++(?P=url)(?=\s|$))?")
_OPENING = "!["
_MAX_NAME_CHARS = 1000
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
    found: dict[str, FileAttached] = {}
    end = 0
    for match in _TARGET.finditer(text):
        opening = text.rfind(_OPENING, max(end, match.start() - _MAX_NAME_CHARS), match.start())
        if opening >= 0 and (match["again"] or _is_poe_file(match["url"])):
            name = text[opening + len(_OPENING) : match.start()].strip()
            found.setdefault(match["url"], _file(match["url"], name or None))
        # The next name may not begin inside this image.
        end = match.end()
    return list(found.values())


def _file(url: str, name: str | None) -> FileAttached:
    path = _split(url)[1]
    last = unquote(path.rsplit("/", 1)[-1])
    # Poe's own addresses have no extension; the name of an image may have one.
    content_type = _content_type(last) or _content_type(name or "")
    return FileAttached(url=url, content_type=content_type, name=name or last or None)


def _content_type(name: str) -> str | None:
    return _CONTENT_TYPES.get(name.rpartition(".")[2].lower())


def _is_poe_file(url: str) -> bool:
    return _split(url)[0].endswith(_POE_FILE_HOST)


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.path
    except ValueError:
        return "", ""
