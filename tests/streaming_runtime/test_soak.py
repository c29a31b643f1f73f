"""A short soak; `make runtime-soak` runs the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "scripts" / "runtime_soak.py"


@pytest.mark.skipif(not SOAK.exists(), reason="not in the repository")
def test_a_process_in_which_everything_goes_wrong_goes_on_and_does_not_grow():
    pytest.importorskip("h11", reason="the emulator's")
    command = [sys.executable, str(SOAK), "--invocations", "80", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "80 invocations, seed 3" in done.stdout
