"""The file of a backup: JSON lines, a header first, and an end that tells whether the rest is whole.

    {"format": "poe-gateway-backup", "version": 1, "id": …, "created_at": …, "gateway": …, "secrets": null or {…}}
    {"section": "accounts", "data": {…}, "sealed": {…}}      sealed: the credentials, if the file has them
    {"section": "keys", "data": {…}}
    {"section": "settings", "data": {…}}
    {"section": "ledger", "data": {…}}
    {"end": {"lines": N, "sha256": …, "mac": …}}

The digest is of every line before the end. With secrets the end also has a MAC of it, so that a change is noticed and
not only damage. A file is checked whole before anything of it is used; neither side holds more than a line.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from poegw.backup.sealing import WRONG, Seal
from poegw.errors import CommandError, Exit

FORMAT, VERSION = "poe-gateway-backup", 1
SECTIONS = ("accounts", "keys", "settings", "ledger")
"""In the order in which they are written and come back."""
MAX_LINE_BYTES = 2 * 1024 * 1024


class Writer:
    """Writes a backup that appears under its name when it is whole, readable by its owner alone.

    As a context: leaving it by an exception leaves nothing. Raises `CommandError` when it can't be written.
    """

    def __init__(self, path: Path, *, gateway: str, gateway_version: str | None, passphrase: str | None) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._digest = hashlib.sha256()
        self._lines = 0
        backup_id = secrets.token_hex(16)
        header = Seal.new_header() if passphrase is not None else None
        self.seal = Seal(passphrase, header, backup_id) if passphrase is not None and header is not None else None
        self._header = {
            "format": FORMAT,
            "version": VERSION,
            "id": backup_id,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "gateway": gateway,
            "gateway_version": gateway_version,
            "secrets": header,
        }

    def __enter__(self) -> Writer:
        # Of an export that was killed.
        self._part.unlink(missing_ok=True)
        try:
            # Exclusive, so that no link that somebody has laid there is followed.
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise _cannot("written", self._path, error) from None
        self._file: BinaryIO = os.fdopen(descriptor, "wb")
        self._line(self._header)
        return self

    def add(self, section: str, data: Mapping[str, Any], sealed: Mapping[str, str] | None = None) -> None:
        """Add one thing of a section."""
        line: dict[str, Any] = {"section": section, "data": data}
        self._line(line | ({"sealed": sealed} if sealed is not None else {}))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                digest = self._digest.hexdigest()
                mac = self.seal.mac(digest) if self.seal is not None else None
                self._write({"end": {"lines": self._lines, "sha256": digest, "mac": mac}})
                self._file.flush()
                # Before the name: after a power cut an empty file would stand for a backup.
                os.fsync(self._file.fileno())
                self._part.replace(self._path)
        except OSError as failure:
            raise _cannot("written", self._path, failure) from None
        finally:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def _line(self, value: Mapping[str, Any]) -> None:
        self._digest.update(self._write(value))
        self._lines += 1

    def _write(self, value: Mapping[str, Any]) -> bytes:
        line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        try:
            self._file.write(line)
        except OSError as error:
            raise _cannot("written", self._path, error) from None
        return line


class Backup:
    """A backup that was read once and is whole. Raises `CommandError` for anything else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts = dict.fromkeys(SECTIONS, 0)
        digest, lines, end = hashlib.sha256(), 0, None
        header: dict[str, Any] | None = None
        for raw in self._lines():
            if end is not None:
                raise _damaged("there is something after its end")
            value = _object(raw)
            if header is None:
                header = _checked_header(value)
            elif "end" in value:
                end = value["end"]
                continue
            else:
                self._count(value)
            digest.update(raw)
            lines += 1
        if header is None:
            raise _foreign()
        if not isinstance(end, dict):
            raise _damaged("its end is missing")
        if end.get("lines") != lines or end.get("sha256") != digest.hexdigest():
            raise _damaged("it is not what was written")
        self.header = header
        self._digest, self._mac = digest.hexdigest(), end.get("mac")

    @property
    def has_secrets(self) -> bool:
        return self.header.get("secrets") is not None

    def unlock(self, passphrase: str) -> Seal:
        """What opens its credentials. Raises `CommandError` for a wrong passphrase, and for a file that was changed."""
        seal = Seal(passphrase, self.header["secrets"], str(self.header["id"]))
        if not isinstance(self._mac, str) or not hmac.compare_digest(
            self._mac.encode(), seal.mac(self._digest).encode()
        ):
            raise CommandError(WRONG, status=Exit.REFUSED)
        return seal

    def items(self, section: str) -> Iterator[dict[str, Any]]:
        """The lines of a section, one at a time. Raises `CommandError` if the file is another one by now."""
        digest = hashlib.sha256()
        for number, raw in enumerate(self._lines()):
            value = _object(raw)
            if "end" in value:
                break
            digest.update(raw)
            if number and value["section"] == section:
                yield value
        # Read anew for each section: the file must still be the one that was checked.
        if digest.hexdigest() != self._digest:
            raise _damaged("it was changed while it was read")

    def _count(self, value: Mapping[str, Any]) -> None:
        section = value.get("section")
        if section not in SECTIONS or not isinstance(value.get("data"), dict):
            raise _damaged("it has a line of an unknown kind")
        self.counts[section] += 1

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                while raw := file.readline(MAX_LINE_BYTES + 1):
                    if len(raw) > MAX_LINE_BYTES:
                        raise _damaged("a line is too long")
                    yield raw
        except OSError as error:
            raise _cannot("read", self._path, error) from None


def _checked_header(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("format") != FORMAT:
        raise _foreign()
    version = value.get("version")
    if version != VERSION:
        raise CommandError(
            f"This backup has version {version!r}; this poegw reads version {VERSION}.", hint="Use a newer poegw."
        )
    if not isinstance(value.get("id"), str) or not isinstance(value.get("secrets"), dict | None):
        raise _damaged("its header can't be read")
    return dict(value)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _damaged("a line is no JSON object") if raw.startswith(b"{") else _foreign()
    return value


def _foreign() -> CommandError:
    return CommandError(
        "This file is no backup of a gateway.",
        hint="`poegw export` makes them. Accounts of the original gateway come in by `poegw import --mongo-export`.",
        status=Exit.USAGE,
    )


def _damaged(how: str) -> CommandError:
    return CommandError(f"The backup is damaged: {how}. Nothing was imported.", hint="Use another copy.")


def _cannot(what: str, path: Path, error: OSError) -> CommandError:
    return CommandError(f"{path} can't be {what}: {error.strerror or type(error).__name__}.")
