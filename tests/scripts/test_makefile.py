"""What `make` says where it can't work."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("target", ["build", "deploy", "sam-local", "sam-test"])
def test_a_missing_sam_is_said_before_anything_is_installed(tmp_path, target):
    shutil.copy(ROOT / "Makefile", tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "uname"):
        (tools / name).symlink_to(shutil.which(name))
    environment = {"PATH": str(tools), "HOME": str(tmp_path)}
    make = [shutil.which("make"), target]
    done = subprocess.run(make, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "This needs the SAM CLI: https://" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_build_in_a_folder_with_a_space_says_so(tmp_path):
    """The makefiles of the artefacts are named by absolute path, which make cuts at the space."""
    folder = tmp_path / "my projects"
    (folder / ".venv").mkdir(parents=True)
    (folder / ".venv/.created").touch()
    shutil.copy(ROOT / "Makefile", folder)
    (tmp_path / "sam").write_text("#!/bin/sh\nexit 0\n")
    (tmp_path / "sam").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    for name in ("MAKEFLAGS", "MFLAGS", "VENV"):
        environment.pop(name, None)
    done = subprocess.run(["make", "build"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "a folder without a space in its path" in done.stderr
