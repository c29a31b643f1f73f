"""The commands of `python -m local`, except those that have tests of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def command(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "local", *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("which", ["web", "official"])
def test_a_simulator_runs_alone_until_it_is_told_to_end(which):
    with command("simulate", which, "--port", "0") as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 0


def test_a_folder_that_can_not_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with command("run", STATE=str(tmp_path / "file" / "state"), PORT="0") as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert errors.startswith(
        f"Can't write to {tmp_path}/file/state (Not a directory). Make room, or use another folder: STATE=..."
    )
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "said"),
    [
        (["refresh"], {}, 1, "start `make run` in another terminal first"),
        (["run"], {"UPSTREAM": "poe"}, 1, "UPSTREAM='poe' is not allowed"),
        (["run", "--fast"], {}, 2, "unrecognized arguments: --fast"),
        (["simulate", "other"], {}, 2, "invalid choice"),
    ],
)
def test_what_can_not_be_done_is_said(tmp_path, arguments, environment, status, said):
    with command(*arguments, STATE=str(tmp_path), **environment) as process:
        _, errors = process.communicate(timeout=20)
    assert process.returncode == status
    assert said in errors
    assert "Traceback" not in errors
