"""What a newcomer is told on a machine where something is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/create-venv"
NEW_ENOUGH = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
OLD = """#!/bin/sh
case "$*" in *platform*) echo 3.9.6 ;; *) exit 1 ;; esac
"""
ABSENT_SHIM = "#!/bin/sh\necho 'command not found' >&2\nexit 127\n"
WITHOUT_VENV = f"""#!/bin/sh
case "$*" in *ensurepip*) exit 1 ;; esac
exec "{sys.executable}" "$@"
"""


@pytest.fixture
def machine(tmp_path):
    """A machine that has only the given interpreters on its path, each a shell script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "touch", "mkdir"):
        (folder / tool).symlink_to(next(p for p in (Path("/bin") / tool, Path("/usr/bin") / tool) if p.exists()))

    def run(interpreters, *arguments):
        for name, script in interpreters.items():
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)
        environment = {**os.environ, "PATH": str(folder)}
        venv = tmp_path / "venv"
        command = [SCRIPT, venv, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False), venv

    return run


def test_it_names_the_version_that_is_too_old_and_the_one_that_is_needed(machine):
    done, venv = machine({"python3": OLD})
    assert done.returncode == 1
    assert "'python3' is Python 3.9.6, and 3.11 or later is needed" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not venv.exists()


def test_it_says_that_there_is_no_python_at_all(machine):
    done, _ = machine({})
    assert done.returncode == 1
    assert "'python3' does not start a Python here" in done.stderr


def test_a_shim_for_a_version_that_is_not_installed_does_not_count(machine):
    done, _ = machine({"python3": ABSENT_SHIM, "python3.13": ABSENT_SHIM})
    assert done.returncode == 1
    assert "does not start a Python here" in done.stderr


def test_it_says_how_to_get_the_venv_module(machine):
    done, venv = machine({"python3": WITHOUT_VENV})
    assert done.returncode == 1
    assert "has no venv module" in done.stderr
    assert "apt-get install python3-venv" in done.stderr
    assert not venv.exists()


def test_the_one_that_was_named_is_the_only_one_tried(machine):
    done, _ = machine({"python3": NEW_ENOUGH, "mine": OLD}, "mine")
    assert done.returncode == 1
    assert "'mine' is Python 3.9.6" in done.stderr


def test_a_newer_one_beside_an_old_python3_is_found_and_used(machine):
    """The usual case on macOS: the system's python3 is old, an installed python3.12 is not."""
    done, venv = machine({"python3": OLD, "python3.12": NEW_ENOUGH})
    assert done.returncode == 0, done.stderr
    assert "Creating a virtual environment in" in done.stdout
    assert (venv / ".created").exists()
    assert (venv / "bin/python").exists()
