"""Uploads files to Poe: reads their bytes, and sends them in either of two forms.

The form belongs to the generation of operations: older clients put the bytes into the mutation's own multipart body,
newer ones send each file ahead and pass on the token that it is answered with
(docs/reference/poe-web.md#multipart-calls, docs/reference/poe-web.md#file-tokens; a later client reports a third
form, so an uploader can be replaced).
"""

from __future__ import annotations

import asyncio
import hashlib
import mimetypes
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Protocol

from lazy_dataclasses import dataclass
from reverse.chat import Attachment
from reverse.config import PoeConfig
from reverse.errors import ErrorCode, poe_error
from reverse.web._graphql import GraphQL
from reverse.web._transport import Part

# What Poe's total limit is in every known client (docs/reference/poe-web.md#attachment-types), in bytes.
_MAX_TOTAL_BYTES = 350_000_000
_MAX_FILES = 20
_MAX_NAME_CHARS = 100
# How long Poe honours a token is not known; a conversation's next turn usually comes within this.
_TOKEN_TRUST_SECONDS = 600.0
_MAX_KNOWN_TOKENS = 64

# The content types that browsers send (docs/reference/poe-web.md#attachment-types), where they differ from what the
# standard library would guess.
_TEXT = dict.fromkeys((".txt", ".ts", ".c", ".cs", ".cpp"), "text/plain")
_BINARY = dict.fromkeys((".md", ".lua", ".rs", ".rb", ".go", ".java"), "application/octet-stream")
_CONTENT_TYPES: Mapping[str, str] = {**_TEXT, **_BINARY, ".py": "text/x-python", ".js": "text/javascript"}


class Fetched(Protocol):
    """A file that was fetched from an address."""

    @property
    def data(self) -> bytes:
        """Its bytes."""

    @property
    def content_type(self) -> str:
        """Its media type, by its bytes."""

    @property
    def name(self) -> str:
        """Its name, by the address."""


class Fetch(Protocol):
    """Fetches what is behind an address, with the guards that an address from a stranger needs."""

    def __call__(self, url: str, *, max_bytes: int, timeout_seconds: float) -> Awaitable[Fetched]:
        """Fetch it. Raises `PoeError`."""


@dataclass(frozen=True, slots=True)
class FileBytes:
    """A file, ready to be sent."""

    name: str
    content_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the message mutation says about its files: labels, and either tokens or the parts of its own body."""

    labels: tuple[str, ...] = ()
    tokens: tuple[str, ...] = field(default=(), repr=False)
    parts: tuple[Part, ...] = ()


class Uploader(Protocol):
    """One form of upload."""

    async def upload(self, files: Sequence[FileBytes]) -> Uploaded:
        """Send files ahead of their message, or prepare them to go with it. Raises `PoeError`."""

    def forget(self, uploaded: Uploaded) -> None:
        """The message with these files was refused: they are not to be taken for sent the next time."""


def attachment_from_path(path: Path) -> Attachment:
    """Read a file of this machine; blocks. For programs whose user names the path, never for a service."""
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Attachment(path.name, content_type, path.read_bytes())


class Sources:
    """Turns attachments into bytes: given ones, `data:` URLs, and addresses, which go through the guarded fetcher."""

    def __init__(self, config: PoeConfig, fetch: Fetch | None = None) -> None:
        self._config = config
        self._fetch = fetch

    async def read(self, attachment: Attachment) -> FileBytes:
        """The file's bytes, name and content type. Raises `FILE_TOO_LARGE`, `UNSAFE_URL` or what fetching raises."""
        limit = self._config.max_attachment_bytes
        name, content_type, data = attachment.name, attachment.content_type, attachment.data
        if data is None:
            fetched = await self._fetched(attachment.url)
            name, content_type, data = name or fetched.name, fetched.content_type or content_type, fetched.data
        if len(data) > limit:
            raise poe_error(ErrorCode.FILE_TOO_LARGE)
        return FileBytes(_safe_name(name), _content_type(name, content_type), data)

    async def _fetched(self, url: str | None) -> Fetched:
        if url is None:
            raise poe_error(ErrorCode.INVALID_REQUEST, "an attachment needs bytes or an address")
        # Few messages bring an address; the fetcher and what it needs are loaded for those.
        from reverse.fetch import fetch, parse_data_url

        limit = self._config.max_attachment_bytes
        if url[:5].lower() == "data:":
            return parse_data_url(url, max_bytes=limit)
        timeout = self._config.request_timeout_seconds
        return await (self._fetch or fetch)(url, max_bytes=limit, timeout_seconds=timeout)

    async def read_all(self, attachments: Sequence[Attachment]) -> list[FileBytes]:
        """All of them, one after the other, so that only one is fetched at a time. Raises `PoeError`."""
        if len(attachments) > _MAX_FILES:
            raise poe_error(ErrorCode.INVALID_REQUEST, f"a message takes at most {_MAX_FILES} files")
        files = [await self.read(attachment) for attachment in attachments]
        if sum(len(file.data) for file in files) > _MAX_TOTAL_BYTES:
            raise poe_error(ErrorCode.FILE_TOO_LARGE)
        return files


class SeparateUploader:
    """The newer form: each file is sent ahead, all at once, and its token goes with the message.

    The token stands for the file's hash, so a file that was sent a short while ago is not sent again: conversations
    carry their files along from turn to turn.
    """

    def __init__(self, graphql: GraphQL) -> None:
        self._graphql = graphql
        # Tokens by file, with the time until which they are trusted; the oldest first.
        self._known: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    async def upload(self, files: Sequence[FileBytes]) -> Uploaded:
        """Send the files that are not known. Raises `PoeError`; what was sent without its message does no harm."""
        keys = [_file_key(file) for file in files]
        tokens = {key: token for key in keys if (token := self._token(key)) is not None}
        unknown = {key: file for key, file in zip(keys, files, strict=True) if key not in tokens}
        uploads = {
            key: asyncio.create_task(self._graphql.upload(Part("file", file.data, file.name, file.content_type)))
            for key, file in unknown.items()
        }
        try:
            await asyncio.gather(*uploads.values())
        finally:
            # One that failed ends all: the message can't be sent without its file.
            for upload in uploads.values():
                upload.cancel()
            await asyncio.gather(*uploads.values(), return_exceptions=True)
        for key, upload in uploads.items():
            tokens[key] = upload.result()
            # Only here, after all have succeeded: a failed one must not be taken for sent.
            self._known[key] = (tokens[key], time.monotonic() + _TOKEN_TRUST_SECONDS)
        while len(self._known) > _MAX_KNOWN_TOKENS:
            self._known.popitem(last=False)
        return Uploaded(_labels(files), tuple(tokens[key] for key in keys))

    def forget(self, uploaded: Uploaded) -> None:
        """Send these files again the next time."""
        for key in [key for key, (token, _) in self._known.items() if token in uploaded.tokens]:
            del self._known[key]

    def _token(self, key: bytes) -> str | None:
        token, until = self._known.get(key, (None, 0.0))
        return token if time.monotonic() < until else None


class InlineUploader:
    """The older form: the bytes are parts of the mutation's own body."""

    async def upload(self, files: Sequence[FileBytes]) -> Uploaded:
        """Prepare the parts, labelled as the mutation names them."""
        labels = _labels(files)
        parts = (Part(label, f.data, f.name, f.content_type) for label, f in zip(labels, files, strict=True))
        return Uploaded(labels, parts=tuple(parts))

    def forget(self, uploaded: Uploaded) -> None:
        """Nothing is remembered: the bytes go with each message."""


def uploader_for(config: PoeConfig, graphql: GraphQL) -> Uploader:
    """The uploader that belongs to the configured generation."""
    return InlineUploader() if config.operation_generation == "older" else SeparateUploader(graphql)


def _labels(files: Sequence[FileBytes]) -> tuple[str, ...]:
    return tuple(f"file{number}" for number in range(len(files)))


def _file_key(file: FileBytes) -> bytes:
    """The same for files that Poe can't tell apart."""
    return hashlib.sha256(f"{file.name}\n{file.content_type}\n".encode() + hashlib.sha256(file.data).digest()).digest()


def _content_type(name: str, given: str) -> str:
    known = _CONTENT_TYPES.get(PurePosixPath(name.lower()).suffix)
    # A header is made of it, so that it has to have the form of one.
    return known or (given if re.fullmatch(r"[\w.+-]+/[\w.+-]+", given) else "application/octet-stream")


def _safe_name(name: str) -> str:
    """A file name without directories and control characters; its end is kept, because it says what the file is."""
    name = re.sub(r"[\x00-\x1f\x7f\"\ud800-\udfff]", "_", re.split(r"[/\\]", name)[-1])
    return name[-_MAX_NAME_CHARS:] or "file"
