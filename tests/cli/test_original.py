"""Accounts out of the original gateway's database."""

from __future__ import annotations

import json

import pytest

from poegw.errors import CommandError
from poegw.original import read_accounts
from tests.cli.conftest import CommandLine

DOCUMENT = {
    "_id": {"$oid": "1"},
    "email": "me@example.org",
    "poe_p_b": "cookie-secret-1",
    "p_lat": "lat",
    "status": "active",
}


@pytest.mark.parametrize("text", [json.dumps([DOCUMENT]), json.dumps(DOCUMENT) + "\n", f"{json.dumps(DOCUMENT)}\n\n"])
def test_both_forms_of_an_export_are_read(text: str) -> None:
    (account,) = read_accounts(text)
    assert account == {
        "kind": "web",
        "label": "me@example.org",
        "credentials": {"p_b": "cookie-secret-1", "p_lat": "lat"},
    }


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", '[{"email": "x"}]', '[{"poe_p_b": "cookie-secret"}]', '{"email": 5, "p_b": "c"}', "[" * 100_000],
)
def test_anything_else_is_refused_without_quoting_a_secret(text: str) -> None:
    if not text:
        assert read_accounts(text) == []
        return
    with pytest.raises(CommandError) as caught:
        read_accounts(text)
    assert "cookie-secret" not in caught.value.message


def test_accounts_are_brought_over(poegw: CommandLine, tmp_path: object) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "accounts.json"
    path.write_text(json.dumps([DOCUMENT]))
    dry = poegw("import", "--mongo-export", str(path), "--dry-run")
    assert "Would add me@example.org." in dry.err
    ended = poegw("import", "--mongo-export", str(path))
    assert (ended.status, "Added me@example.org." in ended.err) == (0, True)
    assert "cookie-secret" not in ended.out + ended.err
    assert "me@example.org" in poegw("accounts", "list").out
