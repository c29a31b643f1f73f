"""Export and import by the command line, from one gateway into another."""

from __future__ import annotations

import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from poegw.backup.file import Backup, Writer
from poegw.backup.sealing import Seal
from poegw.errors import CommandError, Exit
from tests.cli.conftest import CommandLine, serving

SECRET = "poe-api-key-of-somebody"
PASSPHRASE = "correct horse battery"


class Moved:
    """Two gateways, and commands for either."""

    def __init__(self, poegw: CommandLine, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._poegw = poegw
        self._target = target
        self._monkeypatch = monkeypatch

    def typed(self, text: str) -> None:
        """What is on standard input."""
        self._monkeypatch.setattr("sys.stdin", io.StringIO(text))

    def source(self, *arguments: str, typed: str = "") -> Any:
        self.typed(typed)
        return self._poegw(*arguments)

    def target(self, *arguments: str, typed: str = "") -> Any:
        self.typed(typed)
        return self._poegw("--url", self._target, *arguments)


@pytest.fixture
def moved(poegw: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Moved]:
    with serving() as (_, url):
        both = Moved(poegw, url, monkeypatch)
        both.source("accounts", "add", "official", "--label", "moved", "--key-stdin", typed=SECRET)
        both.source("chat", "-m", "GPT-5", "hello")
        yield both
        both.source("accounts", "remove", "moved", "--yes")


def restored(ended: Any) -> dict[str, dict[str, int]]:
    assert ended.status == 0, ended.err
    return {row.pop("section"): row for row in json.loads(ended.out)}


def test_everything_moves_with_a_passphrase_and_again_changes_nothing(moved: Moved, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    written = moved.source("export", str(path), "--secrets", "--passphrase-stdin", typed=PASSPHRASE)
    assert written.status == 0, written.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    for secret in (SECRET, PASSPHRASE):
        assert secret not in text + written.out + written.err
    counts = moved.source("export", str(tmp_path / "plain.jsonl"), "--format", "json").json
    come = ("import", str(path), "--passphrase-stdin", "--yes", "--format", "json")
    first = restored(moved.target(*come, typed=PASSPHRASE))
    assert {section: row["created"] + row["same"] for section, row in first.items()} == {
        section: counts[section] for section in ("accounts", "keys", "settings", "ledger")
    }
    assert first["accounts"]["created"] == counts["accounts"] >= 1
    again = restored(moved.target(*come, typed=PASSPHRASE))
    assert {(row["created"], row["kept"]) for row in again.values()} == {(0, 0)}
    tested = moved.target("accounts", "test", "moved", "--format", "json").json
    assert tested["authenticated"] is True


def test_without_secrets_accounts_wait_for_new_ones(moved: Moved, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    assert "Credentials are not in it" in moved.source("export", str(path)).err
    assert SECRET not in path.read_text()
    ended = moved.target("import", str(path), "--yes")
    assert (ended.status, "without credentials" in ended.err) == (0, True)
    assert "credentials missing" in moved.target("accounts", "list").out
    added = moved.target("accounts", "add", "official", "--label", "moved", "--key-stdin", typed=SECRET)
    assert "active" in added.out


def test_a_wrong_passphrase_imports_nothing(moved: Moved, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    moved.source("export", str(path), "--secrets", "--passphrase-stdin", typed=PASSPHRASE)
    ended = moved.target("import", str(path), "--passphrase-stdin", "--yes", typed="something else entirely")
    assert (ended.status, "passphrase is wrong" in ended.err) == (Exit.REFUSED, True)
    assert moved.target("accounts", "list", "--format", "json").json == []
    assert moved.target("import", str(path), "--without-secrets", "--yes").status == 0


def test_a_passphrase_is_long_and_asked_for_where_somebody_is(moved: Moved, tmp_path: Path) -> None:
    path = str(tmp_path / "backup.jsonl")
    short = moved.source("export", path, "--secrets", "--passphrase-stdin", typed="short")
    assert (short.status, "at least 12" in short.err) == (Exit.USAGE, True)
    nobody = moved.source("export", path, "--secrets")
    assert (nobody.status, "--passphrase-stdin" in nobody.err) == (Exit.USAGE, True)
    assert not Path(path).exists()
    assert not list(tmp_path.glob(".*.part"))


def test_credentials_need_the_admin_key(moved: Moved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    created = moved.source("keys", "create", "--name", "deputy", "--role", "admin")
    monkeypatch.setenv("GATEWAY_ADMIN_KEY", created.out.strip())
    ended = moved.source("export", str(tmp_path / "b.jsonl"), "--secrets", "--passphrase-stdin", typed=PASSPHRASE)
    assert (ended.status, "GATEWAY_ADMIN_KEY" in ended.err) == (Exit.USAGE, True)
    assert moved.source("export", str(tmp_path / "b.jsonl")).status == 0, "the rest does not"


def test_a_file_that_is_there_is_not_replaced_unasked(moved: Moved, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    path.write_text("mine")
    assert moved.source("export", str(path)).status == Exit.USAGE
    assert path.read_text() == "mine"
    assert moved.source("export", str(path), "--yes").status == 0
    assert path.read_text() != "mine"


def test_a_file_can_be_checked_alone(moved: Moved, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    moved.source("export", str(path))
    ended = moved.target("import", str(path), "--dry-run")
    assert (ended.status, "The file is whole." in ended.err) == (0, True)
    assert moved.target("accounts", "list", "--format", "json").json == []


def test_what_is_in_the_way_stays_and_is_named(moved: Moved, tmp_path: Path) -> None:
    path = tmp_path / "backup.jsonl"
    moved.source("export", str(path))
    moved.target("accounts", "add", "official", "--label", "moved", "--key-stdin", typed="poe-another-api-key")
    ended = moved.target("import", str(path), "--yes")
    assert (ended.status, "Kept what is there instead of account 'moved'." in ended.err) == (0, True)


def test_one_of_two_files_is_given(moved: Moved, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("[]")
    assert moved.target("import").status == Exit.USAGE
    assert moved.target("import", str(tmp_path / "x"), "--mongo-export", str(tmp_path / "x")).status == Exit.USAGE


def written(path: Path, *, passphrase: str | None = None) -> bytes:
    with Writer(path, gateway="https://g", gateway_version="1", passphrase=passphrase) as writer:
        for number in range(3):
            sealed = writer.seal.seal(f"acct_{number}", {"api_key": SECRET}) if writer.seal else None
            writer.add("accounts", {"id": f"acct_{number}"}, sealed)
        writer.add("ledger", {"id": "e"})
    return path.read_bytes()


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "b"
    written(path, passphrase=PASSPHRASE)
    backup = Backup(path)
    assert backup.counts == {"accounts": 3, "keys": 0, "settings": 0, "ledger": 1}
    seal = backup.unlock(PASSPHRASE)
    items = list(backup.items("accounts"))
    assert [seal.open(item["data"]["id"], item["sealed"]) for item in items] == [{"api_key": SECRET}] * 3
    with pytest.raises(CommandError, match="passphrase"):
        seal.open("acct_0", items[1]["sealed"])


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-3],
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"\n".join(raw.split(b"\n")[:-2]) + b"\n",
        lambda raw: b"\n".join(line for n, line in enumerate(raw.split(b"\n")) if n != 2),
        lambda raw: raw.replace(b"acct_1", b"acct_9"),
        lambda raw: raw + b'{"section":"keys","data":{}}\n',
        lambda raw: raw.replace(b'"section":"ledger"', b'"section":"secret"'),
        lambda raw: raw.replace(b'"version":1', b'"version":2'),
        lambda raw: raw.split(b"\n")[0] + b"\n",
    ],
)
def test_a_damaged_file_is_refused_whole(tmp_path: Path, change: Any) -> None:
    path = tmp_path / "b"
    path.write_bytes(change(written(path)))
    with pytest.raises(CommandError):
        Backup(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"hello", b"\x00\xff\xfe", b'{"a": 1}\n', b"[" * 9999, b"PK"])
def test_a_foreign_file_is_called_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "b"
    path.write_bytes(content)
    with pytest.raises(CommandError, match="no backup"):
        Backup(path)


def test_a_changed_file_with_a_mended_digest_does_not_open(tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "b"
    lines = written(path, passphrase=PASSPHRASE).splitlines(keepends=True)
    lines[-2] = lines[-2].replace(b'"e"', b'"f"')
    end = json.loads(lines[-1])
    end["end"]["sha256"] = hashlib.sha256(b"".join(lines[:-1])).hexdigest()
    path.write_bytes(b"".join([*lines[:-1], json.dumps(end).encode() + b"\n"]))
    with pytest.raises(CommandError, match="the file was changed"):
        Backup(path).unlock(PASSPHRASE)


@pytest.mark.parametrize("cost", [2**30, 2**17 + 1, -1, "many", None, True])
def test_what_a_file_asks_for_is_bounded(cost: object) -> None:
    with pytest.raises(CommandError, match="out of range"):
        Seal(PASSPHRASE, {**Seal.new_header(), "n": cost}, "id")


def test_a_line_has_a_bounded_length(tmp_path: Path) -> None:
    path = tmp_path / "b"
    path.write_bytes(b"{" + b" " * 3_000_000)
    with pytest.raises(CommandError, match="too long"):
        Backup(path)


def test_a_failure_on_the_way_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "b"
    with pytest.raises(RuntimeError), Writer(path, gateway="g", gateway_version=None, passphrase=None) as writer:
        writer.add("accounts", {})
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CommandError, match="can't be written"):
        Writer(tmp_path / "no" / "b", gateway="g", gateway_version=None, passphrase=None).__enter__()
