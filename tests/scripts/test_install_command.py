"""`poegw` in the virtual environment, as `make run` puts it there."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_command_runs_from_anywhere(tmp_path):
    """Also where the folder's name has a space in it."""
    folder = tmp_path / "an environment/bin"
    folder.mkdir(parents=True)
    (folder / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "python").chmod(0o755)
    subprocess.run([str(ROOT / "scripts/install-command"), str(folder.parent)], check=True, cwd=tmp_path)
    done = subprocess.run(
        [str(folder / "poegw"), "--help"],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("Usage: poegw ")


def test_make_puts_it_beside_what_it_needs():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("$(VENV)/.run:", "$(VENV)/.test:"):
        rule = text.partition(target)[2].partition("\n\n")[0]
        assert rule.index("scripts/install $(VENV)") < rule.index("scripts/install-command $(VENV)")
