"""Conversations as callers send them, and the message that a web account gets for each, in files to be read.

A file of `golden/` holds the request's body (JSON) and, after a line of `=`, the message. `UPDATE_GOLDEN=1` writes the
second half anew; read the difference before it is committed.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

import pytest

from accounts import AccountKind
from gateway.prompt.turns import flatten
from gateway.surfaces.chat.request import read_chat_request
from reverse.chat import Message

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.golden"))
LINE = "\n" + "=" * 80 + "\n"


def write(body: dict[str, Any]) -> str:
    """The message, with its files named below."""
    message = read_chat_request({"model": "m", **body}).build("m", AccountKind.WEB).messages[0]
    files = "".join(f"\n+ {file.name} ({file.content_type})" for file in message.attachments)
    return message.text + files


@pytest.mark.parametrize("path", GOLDEN, ids=[path.stem for path in GOLDEN])
def test_golden(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = iter(["m4rk", "0ther", "th1rd", "f0urth"])
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(marks))
    body, _, expected = path.read_bytes().decode().partition(LINE)
    written = write(json.loads(body)).encode("utf-8", "backslashreplace").decode()
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_bytes(f"{body}{LINE}{written}\n".encode())
    assert written + "\n" == expected


def test_there_are_enough_of_them() -> None:
    assert len(GOLDEN) >= 40


def test_a_megabyte_is_told_in_full_and_soon() -> None:
    text = "0123456789abcde\n" * 65_536
    turns = [Message("system", "Be brief."), Message("user", text), Message("assistant", text), Message("user", "Now?")]
    told = flatten(turns, new_mark=iter(["m4rk"]).__next__).text
    assert told.count(text) == 2
    assert len(told) < len(text) * 2 + 1000


def test_a_thousand_turns_keep_their_order() -> None:
    turns = [Message(("user", "assistant")[number % 2], f"turn {number}.") for number in range(1001)]  # type: ignore[arg-type]
    told = flatten(turns).text
    places = [told.index(f"turn {number}.") for number in range(1001)]
    assert places == sorted(places)
