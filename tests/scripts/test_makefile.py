"""What `make` says where it can't work."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


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
