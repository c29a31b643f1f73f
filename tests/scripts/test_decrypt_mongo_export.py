"""The original's accounts, encrypted with Fernet, become what the import reads."""

from __future__ import annotations

import io
import json

import pytest
from cryptography.fernet import Fernet

from poegw.original import read_accounts
from scripts import decrypt_mongo_export

KEY = Fernet.generate_key().decode()
COOKIE = "the-cookie-of-an-account"


def document(key: str = KEY) -> dict[str, str]:
    credentials = {"poe_p_b": COOKIE, "poe_cf_clearance": "", "formkey": "f" * 32}
    return {"email": "me@example.org", "credentials": Fernet(key).encrypt(json.dumps(credentials).encode()).decode()}


def run(text, monkeypatch, capsys, key=KEY):
    monkeypatch.setenv("FERNET_KEY", key)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    status = decrypt_mongo_export.main()
    return status, capsys.readouterr()


@pytest.mark.parametrize("text", [json.dumps(document()), json.dumps([document()])], ids=["lines", "array"])
def test_the_import_takes_what_comes_out(text, monkeypatch, capsys):
    status, printed = run(text, monkeypatch, capsys)
    assert status == 0
    (account,) = read_accounts(printed.out)
    assert account["label"] == "me@example.org"
    assert account["credentials"] == {"p_b": COOKIE, "form_key": "f" * 32}


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        (json.dumps(document(Fernet.generate_key().decode())), KEY, "document 1 can't be opened with this key"),
        (json.dumps({"email": "a"}), KEY, "document 1 can't be opened"),
        ("not json", KEY, "no JSON export"),
        (json.dumps(document()), "short", "no Fernet key"),
        (json.dumps(document()), "", "no Fernet key"),
    ],
    ids=["another key", "no credentials", "no JSON", "short key", "no key"],
)
def test_what_can_not_be_opened_is_told_without_a_value(text, key, told, monkeypatch, capsys):
    status, printed = run(text, monkeypatch, capsys, key)
    assert status == 1
    assert told in printed.err
    assert not printed.out
    assert COOKIE not in printed.err
