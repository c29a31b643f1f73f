"""Determines a file's type from its bytes, and from its name where the bytes are ambiguous. Pure."""

from __future__ import annotations

import io
import json
import re

OCTETS = "application/octet-stream"

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_OFFICE = {
    "xl/": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "word/": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "ppt/": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_BY_EXTENSION = {
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "json": "application/json",
    "html": "text/html",
    "htm": "text/html",
    "xml": "application/xml",
    "svg": "image/svg+xml",
    "css": "text/css",
    "js": "text/javascript",
    "py": "text/x-python",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "xls": "application/vnd.ms-excel",
    "doc": "application/msword",
    "ppt": "application/vnd.ms-powerpoint",
    "epub": "application/epub+zip",
    "zip": "application/zip",
}
_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "application/pdf": "pdf",
    "application/json": "json",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "video/mp4": "mp4",
    "text/plain": "txt",
    "text/html": "html",
    _OFFICE["xl/"]: "xlsx",
    _OFFICE["word/"]: "docx",
}
_TEXTUAL = r"text/.+|application/(json|xml|yaml)|image/svg\+xml"
_MPEG_LAYER_3 = rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"
_UNSAFE_NAME = r"[\x00-\x1f\x7f/\\:*?\"<>|\u2028\u2029\u202a-\u202e]+"
_MAX_JSON_BYTES = 1_000_000
_MAX_NAME_CHARS = 100


def sniff_type(data: bytes, name: str = "") -> str:
    """The media type of `data`. A name can refine what the bytes say, never contradict it."""
    found = _binary_type(data)
    by_name = _BY_EXTENSION.get(_extension(name), "")
    # Containers: the bytes say which kind, the name what is in it.
    if found in ("application/zip", "application/x-ole-storage") and by_name and not re.fullmatch(_TEXTUAL, by_name):
        return by_name
    if found is not None:
        return found
    text = _as_text(data)
    if text is None:
        return OCTETS
    # The name decides between texts, which bytes can't tell apart; it can't make an image of a text.
    return by_name if re.fullmatch(_TEXTUAL, by_name) else _text_type(text)


def safe_name(name: str, content_type: str) -> str:
    """A file name without anything that means something to a file system or a header; `file` where nothing is left.

    It gets the extension of its type when it has none.
    """
    # The end is kept, which has the extension.
    cleaned = re.sub(_UNSAFE_NAME, "_", name).strip(" ._")[-_MAX_NAME_CHARS:] or "file"
    extension = _EXTENSIONS.get(content_type)
    return cleaned if "." in cleaned or extension is None else f"{cleaned}.{extension}"


def _extension(name: str) -> str:
    return name.rsplit(".", 1)[-1].lower() if "." in name else ""


def _binary_type(data: bytes) -> str | None:
    for offset, magic, kind in _MAGIC:
        if data.startswith(magic, offset):
            return kind
    if data.startswith(b"RIFF"):
        return _RIFF.get(data[8:12])
    if data[4:8] == b"ftyp":
        # Of the many brands most are some MP4.
        return _BRANDS.get(data[8:12], "video/mp4")
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(data)
    return "audio/mpeg" if re.match(_MPEG_LAYER_3, data) else None


def _zip_type(data: bytes) -> str:
    import zipfile  # here, because few requests carry such a file and every cold start would pay for it

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            # The directory only: nothing is unpacked.
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return "application/zip"
    for prefix, kind in _OFFICE.items():
        if "[Content_Types].xml" in names and any(name.startswith(prefix) for name in names):
            return kind
    return "application/zip"


def _as_text(data: bytes) -> str | None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decoded(data, "utf-16")
    # A text has no zero bytes, unless it is UTF-16, whose mark was looked at above.
    return None if b"\x00" in data else _decoded(data, "utf-8-sig")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _text_type(text: str) -> str:
    start = text[:512].lstrip().lower()
    if start.startswith(("<!doctype html", "<html")):
        return "text/html"
    if start.startswith("<svg") or (start.startswith("<?xml") and "<svg" in start):
        return "image/svg+xml"
    if start.startswith("<?xml"):
        return "application/xml"
    # Parsed to be sure, and therefore bounded: parsing megabytes would hold up everything else.
    if start[:1] in ("{", "[") and len(text) <= _MAX_JSON_BYTES:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return "text/plain"
        return "application/json"
    return "text/plain"
