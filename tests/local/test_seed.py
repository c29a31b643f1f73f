from __future__ import annotations

import logging
from pathlib import Path

import pytest

from local.seed import Seed


def test_a_first_run_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Seed(tmp_path / "seed.json").api_key.startswith("sk-local-")
    assert not caplog.records


@pytest.mark.parametrize(
    "content",
    [
        b'{"api_key": "sk-lo',
        b"",
        b"[]",
        b"{}",
        b'{"api_key": 5, "has_accounts": true}',
        b'{"api_key": "sk-x", "has_accounts": "yes"}',
        b'{"api_key": "", "has_accounts": true}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content)[:20],
)
def test_a_damaged_file_does_not_stop_the_next_run_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    path = tmp_path / "seed.json"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert Seed(path).api_key.startswith("sk-local-")
    assert "is damaged. It is made anew, with another API key" in caplog.text


def test_what_was_kept_is_used(tmp_path: Path) -> None:
    (tmp_path / "seed.json").write_text('{"api_key": "sk-local-kept", "has_accounts": true}')
    assert Seed(tmp_path / "seed.json").api_key == "sk-local-kept"
