"""Build the streaming runtime as what others install: a wheel and a layer, in build/runtime/; then test them alone.

    python scripts/runtime_package.py [--no-tests] [pytest's own arguments]

The tests run in an environment that has the wheel and the locked test dependencies, and nothing else of this repository
on its path. The wheel is pure, and so are its dependencies: one layer serves both architectures.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LAYER = ROOT / "layers" / "streaming_runtime"
TESTS = ROOT / "tests" / "streaming_runtime"
BUILD = ROOT / "build" / "runtime"
ARCHITECTURE = "x86_64"
"""Which list of platforms pip is given; nothing that it installs depends on it."""
EPOCH = (2020, 1, 1, 0, 0, 0)
"""Of every file in the layer: the same content gives the same archive."""


def main() -> int:
    """Returns the exit status of the tests, 0 without them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-tests", action="store_true", help="build only")
    options, arguments = parser.parse_known_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    wheel = build_wheel()
    layer = build_layer()
    for made in (wheel, layer):
        print(f"{made.relative_to(ROOT)}  {made.stat().st_size:,} bytes", flush=True)
    return 0 if options.no_tests else run_tests(wheel, arguments)


def build_wheel() -> Path:
    """The wheel, by the build backend that pyproject.toml pins."""
    for old in BUILD.glob("*.whl"):
        old.unlink()
    source = BUILD / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(LAYER, source, ignore=shutil.ignore_patterns("__pycache__"))
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", str(BUILD), str(source)])
    (wheel,) = BUILD.glob("*.whl")
    return wheel


def build_layer() -> Path:
    """The layer as `sam build` makes it, zipped: `python/` and the wrapper script."""
    folder = BUILD / "layer"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    target = ROOT / "layers" / "targets" / ARCHITECTURE
    command = ["make", "--no-print-directory", "--makefile", str(LAYER / "Makefile"), "build-StreamingRuntimeLayer"]
    run(command, cwd=target, ARTIFACTS_DIR=str(folder), BUILD_PYTHON=sys.executable)
    archive = BUILD / "streaming-runtime-layer.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            packed.writestr(entry, path.read_bytes())
    return archive


def run_tests(wheel: Path, arguments: list[str]) -> int:
    """Run the tests against the installed wheel."""
    venv, requirements = BUILD / "venv", LAYER / "requirements-test.txt"
    python = venv / "bin" / "python"
    stamp = venv / "installed"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        shutil.rmtree(venv, ignore_errors=True)
        run([sys.executable, "-m", "venv", str(venv)])
        pip_install(python, "--require-hashes", "-r", str(requirements))
        stamp.write_text(requirements.read_text())
    pip_install(python, "--no-deps", "--no-index", "--force-reinstall", str(wheel))
    # Alone: without the fixtures that all tests of the repository share.
    where = ["-c", str(LAYER / "pyproject.toml"), "--rootdir", str(LAYER), "--confcutdir", str(TESTS)]
    command = [str(python), "-m", "pytest", *where, "-q", *arguments]
    return subprocess.run(command, cwd=LAYER, env=environment(), check=False).returncode


def pip_install(python: Path, *arguments: str) -> None:
    """Install into an environment of its own."""
    run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *arguments])


def run(command: list[str], *, cwd: Path = ROOT, **variables: str) -> None:
    """Run a command to its end. Raises `CalledProcessError`."""
    subprocess.run(command, cwd=cwd, env=environment() | variables, check=True)


def environment() -> dict[str, str]:
    """This process's, without the repository's folders."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


if __name__ == "__main__":
    sys.exit(main())
