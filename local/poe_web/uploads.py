"""Files on their way in: which a bot takes, and the forms in which they arrive.

Sources: docs/reference/poe-web.md#multipart-calls,
docs/reference/poe-web.md#file-tokens,
docs/reference/poe-web.md#attachment-types.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from local.poe_web.answers import Attachment
from local.poe_web.bots import Bot
from local.poe_web.world import World

_TEXT = dict.fromkeys((".txt", ".ts", ".c", ".cs", ".cpp"), "text/plain")
_BINARY = dict.fromkeys((".md", ".lua", ".rs", ".rb", ".go", ".java"), "application/octet-stream")
CONTENT_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".wav": "audio/wav",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".py": "text/x-python",
    ".js": "text/javascript",
    ".html": "text/html",
    ".css": "text/css",
    ".csv": "text/csv",
    **_TEXT,
    **_BINARY,
}


def refusal_for(file: Attachment, bot: Bot) -> str | None:
    """The mutation status with which a bot turns a file away, or None if it takes it."""
    if not bot.accepts_files or PurePosixPath(file.name).suffix.lower() not in CONTENT_TYPES:
        return "unsupported_file_type"
    return "file_too_large" if file.size > bot.upload_limit else None


class BadUpload(ValueError):
    """A multipart body that is none of the known forms."""


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file part of a multipart body."""

    name: str
    content_type: str
    data: bytes


Parts = dict[str, str | ReceivedFile]
"""The parts of a multipart body in their order: plain fields as text."""


async def read_parts(request: Request) -> Parts:
    """The whole body in memory. Raises `BadUpload` for a body that is no multipart, or whose parts share a name."""
    parts: Parts = {}
    try:
        async with request.form(max_part_size=16 * 1024 * 1024) as form:
            for name, value in form.multi_items():
                if name in parts:
                    raise BadUpload("parts are repeated")
                parts[name] = value if isinstance(value, str) else await _received(value)
    except HTTPException as error:
        raise BadUpload(error.detail) from None
    return parts


async def _received(file: UploadFile) -> ReceivedFile:
    if not file.filename or not file.content_type:
        raise BadUpload("a file needs a name and a content type")
    return ReceivedFile(file.filename, file.content_type, await file.read())


def query_in(parts: Parts) -> tuple[str, dict[str, ReceivedFile]]:
    """The payload text and the files by label, from `queryInfo` with `file…` or from `operations` with `map`.

    For the second form the labels are the paths of the map, such as `variables.attachments.0`. Raises `BadUpload`.
    """
    names = list(parts)
    if names[:1] == ["queryInfo"]:
        return _text(parts, "queryInfo"), {name: _file(parts, name) for name in names[1:]}
    if names[:2] == ["operations", "map"]:
        places = json.loads(_text(parts, "map"))
        if not isinstance(places, dict):
            raise BadUpload("map has to be an object")
        return _text(parts, "operations"), {_place(at): _file(parts, name) for name, at in places.items()}
    raise BadUpload("the first part has to be queryInfo, or operations and map")


def _place(paths: object) -> str:
    if not isinstance(paths, list) or len(paths) != 1 or not isinstance(paths[0], str):
        raise BadUpload("map has to name one path per file")
    return str(paths[0])


def _text(parts: Parts, name: str) -> str:
    value = parts[name]
    if not isinstance(value, str):
        raise BadUpload(f"{name} has to be a plain field")
    return value


def _file(parts: Parts, name: str) -> ReceivedFile:
    value = parts.get(name)
    if not isinstance(value, ReceivedFile):
        raise BadUpload(f"{name} has to be a file")
    return value


def keep(world: World, file: ReceivedFile) -> Attachment:
    """Store an uploaded file."""
    return world.store_file(file.name, file.content_type, file.data)


def token_for(file: ReceivedFile) -> str:
    """A token in the shape of a JWT that stands for an uploaded file."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"file_hash": hashlib.sha256(file.data).hexdigest(), "size": len(file.data), "name": file.name}
    return ".".join((part({"alg": "HS256", "typ": "JWT"}), part(claims), secrets.token_urlsafe(32)))
