"""Files on their way in: which a bot takes, and the forms in which they arrive (poe-web reference 3.2, 3.3, 4.12)."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import FormData, UploadFile

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


async def read_query(form: FormData) -> tuple[str, dict[str, UploadFile]]:
    """The payload text and the files by label, from `queryInfo` with `file…` or from `operations` with `map`.

    For the second form the labels are the paths of the map, such as `variables.attachments.0`.
    """
    names = [name for name, _ in form.multi_items()]
    if not names or len(set(names)) != len(names):
        raise BadUpload("parts are missing or repeated")
    if names[0] == "queryInfo":
        return _text(form, "queryInfo"), {n: _file(form, n) for n in names[1:]}
    if names[:2] == ["operations", "map"]:
        places = json.loads(_text(form, "map"))
        if not isinstance(places, dict):
            raise BadUpload("map has to be an object")
        return _text(form, "operations"), {place: _file(form, n) for n, (place,) in places.items()}
    raise BadUpload("the first part has to be queryInfo, or operations and map")


def _text(form: FormData, name: str) -> str:
    value = form[name]
    if not isinstance(value, str):
        raise BadUpload(f"{name} has to be a plain field")
    return value


def _file(form: FormData, name: str) -> UploadFile:
    value = form.get(name)
    if not isinstance(value, UploadFile) or not value.filename or not value.content_type:
        raise BadUpload(f"{name} has to be a file with a name and a content type")
    return value


async def keep(world: World, file: UploadFile) -> Attachment:
    """Store an uploaded file."""
    return world.store_file(file.filename or "file", file.content_type or "", await file.read())


def token_for(attachment: Attachment, data: bytes) -> str:
    """A token in the shape of a JWT that stands for an uploaded file."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"file_hash": hashlib.sha256(data).hexdigest(), "size": attachment.size, "name": attachment.name}
    return ".".join((part({"alg": "HS256", "typ": "JWT"}), part(claims), secrets.token_urlsafe(32)))
