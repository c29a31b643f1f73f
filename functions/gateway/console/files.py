"""The console's static files: read once, with a hash of all of them in their addresses, compressed.

They are served without anything that the gateway's answers need. `scripts/build_artefact.py` puts a `.gz` beside each
text; where there is none, as beside `make run`, it is made when the files are read.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import field
from pathlib import Path

from lazy_dataclasses import dataclass

FOLDER = Path(__file__).with_name("static")
INDEX = "index.html"
PLACEHOLDER = b"static/@/"
"""In the index, where the addresses of files have the hash."""
# No part begins with a dot: neither `..` nor a hidden file can be asked for.
_PART = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}"
_NAME = rf"{_PART}(?:/{_PART}){{0,5}}"
_DIGEST_CHARS = 16
_LEAST_TO_COMPRESS = 512

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
COMPRESSED = frozenset({".html", ".js", ".css", ".svg", ".json", ".txt", ".webmanifest"})
IMMUTABLE = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is sent."""

    body: bytes = field(repr=False)
    compressed: bytes | None = field(repr=False)
    """With gzip; `None` where that would not make it smaller."""
    media_type: str
    etag: str
    is_immutable: bool


@dataclass(frozen=True, slots=True)
class FileSet:
    """All files, and the hash that is in their addresses."""

    digest: str
    files: dict[str, File]
    index: File | None

    def find(self, path: str) -> File | None:
        """The file at `DIGEST/NAME`; `None` for what is not there, and for another digest."""
        # Another digest is a page of another version: a 404 makes it load anew, mixed modules would break it.
        digest, _, name = path.partition("/")
        return self.files.get(name) if digest == self.digest else None


def read_files(folder: Path = FOLDER) -> FileSet:
    """Read every file that may be served. A name that no address can have is left out, and so is another type."""
    # Read once and looked up by name: a request's path never reaches the file system.
    found = {name: path for path in sorted(folder.rglob("*")) if (name := _servable(path, folder)) is not None}
    bodies = {name: path.read_bytes() for name, path in found.items()}
    digest = _digest_of(bodies)
    files = {name: _file(body, name, found[name], is_immutable=True) for name, body in bodies.items() if name != INDEX}
    index = None
    if INDEX in bodies:
        body = bodies[INDEX].replace(PLACEHOLDER, f"static/{digest}/".encode())
        index = _file(body, INDEX, None, is_immutable=False)
    return FileSet(digest, files, index)


def write_compressed(folder: Path) -> None:
    """Put a `.gz` beside each text that is served as it is. The same content makes the same bytes."""
    for path in sorted(folder.rglob("*")):
        name = _servable(path, folder)
        # The index is changed when it is read, so that its compressed form can't be made ahead.
        if name is None or name == INDEX or path.suffix not in COMPRESSED:
            continue
        if (compressed := _compress(path.read_bytes())) is not None:
            path.with_name(f"{path.name}.gz").write_bytes(compressed)


def _servable(path: Path, folder: Path) -> str | None:
    name = path.relative_to(folder).as_posix()
    # A link could lead out of the folder.
    if path.is_symlink() or not path.is_file() or path.suffix not in TYPES or not re.fullmatch(_NAME, name):
        return None
    # One document: any other page would be one that the policy of the console does not know.
    return name if path.suffix != ".html" or name == INDEX else None


def _digest_of(bodies: dict[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, body in sorted(bodies.items()):
        # With the lengths, so that bytes can't move from one file to the next unseen.
        total.update(f"{name}\0{len(body)}\0".encode())
        total.update(body)
    return total.hexdigest()[:_DIGEST_CHARS]


def _file(body: bytes, name: str, path: Path | None, *, is_immutable: bool) -> File:
    suffix = f".{name.rpartition('.')[2]}"
    beside = path.with_name(f"{path.name}.gz") if path is not None else None
    compressed = None
    if beside is not None and beside.is_file():
        compressed = beside.read_bytes()
    # Images and fonts are compressed already.
    elif suffix in COMPRESSED:
        compressed = _compress(body)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return File(body, compressed, TYPES[suffix], etag, is_immutable)


def _compress(body: bytes) -> bytes | None:
    if len(body) < _LEAST_TO_COMPRESS:
        return None
    compressed = gzip.compress(body, 9, mtime=0)
    return compressed if len(compressed) < len(body) else None
