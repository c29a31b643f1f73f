from __future__ import annotations

from local.seed import Seed


def test_a_file_that_was_being_written_when_a_run_was_killed_does_not_stop_the_next(tmp_path):
    path = tmp_path / "seed.json"
    path.write_text('{"api_key": "sk-lo')
    assert Seed(path).api_key.startswith("sk-local-")
