"""What lets another terminal talk to a run, and only as long as there is one."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.run_file import StaleRunFileError, read_run_file, write_run_file


def source(path: Path, *, shell: str = "sh", then: str = 'echo "A is $A"') -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shell, "-c", f". '{path}' && {then}"], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_reads_it_while_the_run_lives(tmp_path: Path, shell: str) -> None:
    write_run_file(tmp_path / "run.env", {"A": "it's =1"})
    assert source(tmp_path / "run.env", shell=shell).stdout == "A is it's =1\n"


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_a_shell_takes_nothing_of_a_run_that_was_killed(tmp_path: Path, shell: str) -> None:
    path = tmp_path / "run.env"
    program = (
        f"from pathlib import Path; from local.run_file import *; write_run_file(Path({str(path)!r}), {{'A': '1'}})"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    read = source(path, shell=shell)
    assert (read.returncode, read.stdout) == (1, "")
    assert "left over from a run that was killed" in read.stderr


def test_a_program_takes_nothing_of_a_run_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "run.env"
    write_run_file(path, {"A": "1"})
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert read_run_file(path) == {"A": "1"}
    with pytest.raises(StaleRunFileError, match="left over from a run that was killed: start `make run` again"):
        read_run_file(path)


def test_nothing_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_run_file(tmp_path / "run.env")
