"""The files of a request, before any account is asked: fetched where only their address is known, and checked.

What is wrong with a file is the caller's doing: it is found here, answered with 400, and no account is touched.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit

from gateway.http.errors import GatewayError, gateway_error, invalid
from gateway.models.capabilities import ModelFacts
from reverse.chat import Attachment, Message
from reverse.errors import ErrorCode, PoeError

MAX_FILES = 20
MAX_FILE_BYTES = 20 * 1024 * 1024
# A function of 256 MB holds the body, the files and their encoded forms at the same time.
MAX_TOTAL_BYTES = 32 * 1024 * 1024
FETCH_SECONDS = 20.0
# Each may be as large as a file can be before its size is known.
_AT_A_TIME = 4
# Chat applications send the same address with every turn.
_CACHED_BYTES = 16 * 1024 * 1024
# What is behind an address may change, and who may see it: a signed one often ends after some minutes.
CACHED_SECONDS = 300.0
_LONGEST_HOST = 100
_OCTETS = "application/octet-stream"
_TEXTS = ("text/", "application/json", "application/xml")


class Fetched(Protocol):
    """A file that was fetched."""

    @property
    def data(self) -> bytes: ...

    @property
    def content_type(self) -> str: ...

    @property
    def name(self) -> str: ...


Fetch = Callable[[str], Awaitable[Fetched]]


async def guarded_fetch(url: str) -> Fetched:
    """Fetch a file, with the guards against hostile addresses. Raises `PoeError`."""
    # Few requests bring an address; the fetcher and its network library are loaded for those.
    from reverse.fetch import fetch

    return await fetch(url, max_bytes=MAX_FILE_BYTES, timeout_seconds=FETCH_SECONDS)


class AttachmentReader:
    """Turns the attachments of a conversation into bytes with a type that is by their content."""

    def __init__(self, fetch: Fetch = guarded_fetch, *, clock: Callable[[], float] = time.time) -> None:
        # By the wall clock: it goes on while Lambda has frozen the sandbox, which the other clock need not do.
        self._clock = clock
        self._fetch = fetch
        # With the time until which each is kept; the first one was used longest ago.
        self._cache: OrderedDict[str, tuple[Attachment, float]] = OrderedDict()
        self._cached_bytes = 0

    async def read(
        self,
        turns: Sequence[Message],
        facts: ModelFacts,
        *,
        places: Mapping[int, str] | None = None,
        param: str = "messages",
    ) -> tuple[Message, ...]:
        """The turns with their files. Raises `GatewayError` (400, naming the place).

        `places` are where the caller wrote the turns with files, by their index; `param` is the field with all turns.
        """
        places = places or {}
        # Where each file is first; the order is that of the turns.
        found: dict[Attachment, str] = {}
        for index, turn in enumerate(turns):
            for file in turn.attachments:
                found.setdefault(file, places.get(index, f"{param}[{index}].content"))
        if not found:
            return tuple(turns)
        # Counted before anything is fetched: the request is refused anyway.
        if len(found) > MAX_FILES:
            raise invalid(f"A request takes at most {MAX_FILES} files.", param=param, code="too_many_files")
        read = await self._read_all(found, param)
        for file, place in found.items():
            _check_modality(read[file], facts, place)
        return tuple(
            replace(turn, attachments=tuple(read[file] for file in turn.attachments)) if turn.attachments else turn
            for turn in turns
        )

    async def _read_all(self, places: Mapping[Attachment, str], param: str) -> dict[Attachment, Attachment]:
        """Each once, several at a time; no more of them once they are too large together."""
        gate = asyncio.Semaphore(_AT_A_TIME)
        total = 0

        async def read(file: Attachment, place: str) -> Attachment:
            nonlocal total
            async with gate:
                found = await self._read_one(file, place)
                # While others are still being read: the sum is known to be too large before all of them are in memory.
                total += len(found.data or b"")
                if total > MAX_TOTAL_BYTES:
                    raise invalid("The files are too large together.", param=param, code="file_too_large")
                return found

        tasks = {file: asyncio.create_task(read(file, place), name="read-file") for file, place in places.items()}
        try:
            await asyncio.gather(*tasks.values())
        finally:
            for task in tasks.values():
                # One that failed ends the request, so the others must not go on reading into memory.
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {file: task.result() for file, task in tasks.items()}

    async def _read_one(self, file: Attachment, place: str) -> Attachment:
        if file.data is not None:
            read = _typed(file.name, file.content_type, file.data)
        else:
            read = await self._fetched(file, place)
        host = _host(file)
        if not read.data:
            raise _bad_file(place, "is empty", "empty_file", host)
        if file.content_type.startswith("image/") and read.content_type.startswith(_TEXTS):
            # Often the page that a site shows in place of its picture.
            raise _bad_file(place, "is not an image", "invalid_image", host)
        # A fetched file was bounded while it came; this is for one that came along.
        if len(read.data) > MAX_FILE_BYTES:
            raise _bad_file(place, "is too large", "file_too_large", host)
        return read

    async def _fetched(self, file: Attachment, place: str) -> Attachment:
        url = file.url or ""
        # A signed address is a secret, and its hash does as well.
        key = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
        # Before the look-up, so that nothing is served from the cache beyond its time.
        self._expire()
        # The cache is of one sandbox and its callers. Whoever has a signed address may read what is behind it.
        if (cached := self._cache.get(key)) is not None:
            self._cache.move_to_end(key)
            return cached[0]
        try:
            fetched = await self._fetch(url)
        except PoeError as error:
            # The cause holds the whole address, which may be signed.
            raise _not_fetched(error, place, _host(file)) from None
        read = _typed(fetched.name or file.name, fetched.content_type, fetched.data)
        self._remember(key, read)
        return read

    def _remember(self, key: str, file: Attachment) -> None:
        size = len(file.data or b"")
        # The same address may have been fetched twice at the same time, under two names.
        if size > _CACHED_BYTES // 2 or key in self._cache:
            return
        self._cache[key] = (file, self._clock() + CACHED_SECONDS)
        self._cached_bytes += size
        while self._cached_bytes > _CACHED_BYTES:
            self._drop(next(iter(self._cache)))

    def _expire(self) -> None:
        """Drop what is too old. Being used does not make a file any younger."""
        now = self._clock()
        # A clock that was set back must not keep anything longer.
        for key in [key for key, (_, until) in self._cache.items() if not now < until <= now + CACHED_SECONDS]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        file, _ = self._cache.pop(key)
        self._cached_bytes -= len(file.data or b"")


def _typed(name: str, declared: str, data: bytes) -> Attachment:
    """The file with the type that its bytes show; what they leave open is as declared."""
    from reverse.file_types import safe_name, sniff_type

    # What the caller says may be wrong, and a provider that is sent a PNG as JPEG refuses the request.
    found = sniff_type(data, name)
    if found in (_OCTETS, "text/plain") and declared not in ("", _OCTETS) and not declared.startswith("image/"):
        found = declared
    return Attachment(safe_name(_fitting_name(name, found), found), found, data)


def _fitting_name(name: str, content_type: str) -> str:
    """The name without an extension that says something else than the bytes: Poe judges files by their names, too."""
    # Its tables are read from the system's files at the first use: only where a file has to be judged.
    import mimetypes

    kind = content_type.partition("/")[0]
    if kind not in ("image", "audio", "video"):
        return name
    guessed = mimetypes.guess_type(name, strict=False)[0] or ""
    fits = guessed == content_type if kind == "image" else guessed.partition("/")[0] == kind
    return name if fits else name.rpartition(".")[0].replace(".", "_") or name


_MODALITIES = {"image": "image", "audio": "audio", "video": "video"}


def _check_modality(file: Attachment, facts: ModelFacts, place: str) -> None:
    """Raises `GatewayError` (400) where the model is known not to take such a file."""
    modality = _MODALITIES.get(file.content_type.partition("/")[0])
    # `is False`: where nobody said what the model takes, Poe decides.
    if modality is not None and facts.accepts(modality) is False:
        raise _bad_file(place, f"is of a kind ({modality}) that the model does not accept", "unsupported_file")


def _bad_file(place: str, problem: str, code: str, host: str = "") -> GatewayError:
    origin = f" from {host}" if host else ""
    return invalid(f"A file of '{place}'{origin} {problem}.", param=place, code=code)


def _not_fetched(error: PoeError, place: str, host: str) -> GatewayError:
    """The error for an address that leads to no file. The fetcher's messages are ours, and hold nothing of the file."""
    failure = gateway_error(error)
    # Others (a timeout, a 404 of that server) are no errors of Poe, and must not get the codes that they would have
    # there.
    is_unsafe = error.code in (ErrorCode.UNSAFE_URL, ErrorCode.FILE_TOO_LARGE)
    problem = f"could not be fetched: {error}"
    return _bad_file(place, problem, failure.code if is_unsafe else "file_not_fetched", host)


def _host(file: Attachment) -> str:
    """Where the file is, without anything of its address that could be a secret; empty for one that was sent along."""
    if file.data is not None or not file.url:
        return ""
    try:
        host = urlsplit(file.url).hostname or ""
    except ValueError:
        return ""
    return "".join(
        character if character.isalnum() or character in ".-:" else "_" for character in host[:_LONGEST_HOST]
    )
