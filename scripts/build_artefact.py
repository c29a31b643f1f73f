"""Build one artefact of the deployment, a layer's or a function's, the way Lambda wants it.

`sam build` reaches this through the makefile of the artefact. It needs no container and no Python of Lambda's version:
wheels are chosen by platform tag, so a laptop of either architecture builds for either.
"""

import argparse
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "functions"))

from gateway.console.files import write_compressed
from scripts.hashed_certificates import write_hashed

PYTHON_VERSION = "3.13"
METADATA_KEPT = {"METADATA", "entry_points.txt", "licenses"}
"""Vulnerability scanners read METADATA, OpenTelemetry finds its context by entry point; the rest is for installers."""
DROPPED_FOLDERS = {"__pycache__", "test", "tests"}
DROPPED_SUFFIXES = {".c", ".h", ".in", ".md", ".pxd", ".pxi", ".pyc", ".pyi", ".pyx"}
DROPPED_NAMES = {"Makefile", "py.typed", "requirements.txt"}
POWERTOOLS_UNUSED = (
    *("auth_alpha", "batch", "circuit_breaker", "data_classes", "data_masking", "feature_flags", "idempotency"),
    *("kafka", "metadata", "parameters", "parser", "streaming", "validation"),
)
DROPPED_PATHS = {
    "bin",  # command-line entry points
    "websockets/legacy",
    "websockets/sync",
    "websockets/trio",
    "pydantic/v1",  # FastAPI and pydantic do without where it is missing
    # For other uses: tests, type checkers, terminals, servers of WebSockets, another event loop.
    *("anyio/pytest_plugin.py", "anyio/_backends/_trio.py", "httpx/_main.py", "pydantic/mypy.py"),
    *("fastapi/templating.py", "fastapi/testclient.py", "starlette/templating.py", "starlette/testclient.py"),
    *("websockets/__main__.py", "websockets/asyncio/router.py", "websockets/asyncio/server.py", "websockets/cli.py"),
    "websockets/server.py",
    *("annotated_types/test_cases.py", "pydantic/experimental/pipeline.py", "uvloop/_testbase.py"),
    "idna/uts46data.py",  # for `uts46=True` alone; httpx encodes names of hosts without it, before anyio sees them
    *("reverse/__main__.py", "reverse/terminal"),
    "aws_lambda_powertools/event_handler",  # a second web framework, with the scripts of its API browser
    *(f"aws_lambda_powertools/utilities/{name}" for name in POWERTOOLS_UNUSED),
}
"""What no function imports, most of it parts of dependencies: 9 MB with their byte code."""


def main() -> None:
    """Install, copy, strip and precompile one artefact; exit non-zero with pip's words if a wheel is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("destination", type=Path, help="folder that becomes part of sys.path in Lambda")
    parser.add_argument("packages", type=Path, nargs="+", help="packages of this repository to copy")
    parser.add_argument("--requirements", type=Path, help="lock file; none for an artefact without dependencies")
    parser.add_argument("--certificates", type=Path, help="folder in the destination for certifi's list, by hash")
    parser.add_argument("--platforms", type=Path, required=True, help="file of wheel platform tags, best first")
    arguments = parser.parse_args()
    destination: Path = arguments.destination
    destination.mkdir(parents=True, exist_ok=True)
    if arguments.requirements:
        install(arguments.requirements, arguments.platforms.read_text().split(), destination)
    for package in arguments.packages:
        shutil.copytree(package, destination / package.name, dirs_exist_ok=True)
    if arguments.certificates:
        write_hashed(destination / "certifi" / "cacert.pem", destination / arguments.certificates)
    strip(destination)
    compress(destination)
    precompile(destination)


def install(requirements: Path, platforms: list[str], destination: Path) -> None:
    """Install exactly the locked wheels, checked by hash, for Lambda's interpreter and architecture."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--root-user-action=ignore", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"]
    command += ["--implementation=cp", f"--python-version={PYTHON_VERSION}"]
    command += [f"--platform={platform}" for platform in platforms]
    subprocess.run([*command, "--target", str(destination), "--requirement", str(requirements)], check=True)


def strip(root: Path) -> None:
    """Remove what no import ever reads: tests, type stubs, C sources, installer records, debug symbols."""
    for path in list(unused(root)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for library in root.rglob("*.so"):
        strip_debug_symbols(library)


def compress(root: Path) -> None:
    """Put a `.gz` beside each text that the console serves, so that no cold start has to make it."""
    for folder in root.glob("*/console/static"):
        write_compressed(folder)


def strip_debug_symbols(library: Path) -> None:
    """Cut an ELF64 little-endian library after the last byte that the loader maps, which is where debug sections start.

    What `strip` does, for either architecture on either; one wheel brings 7 MB of symbols for 1 MB of code. Raises
    `ValueError` for a file that is no such library.
    """
    content = bytearray(library.read_bytes())
    if content[:6] != b"\x7fELF\x02\x01":
        raise ValueError(f"{library.name} is not an ELF64 little-endian library")
    first, size, count = *struct.unpack_from("<Q", content, 32), *struct.unpack_from("<HH", content, 54)
    segments = (struct.unpack_from("<QQQQ", content, first + size * index + 8) for index in range(count))
    end = max(offset + length for offset, _, _, length in segments)
    struct.pack_into("<Q", content, 40, 0)  # where the section headers were: loaders read segments only
    struct.pack_into("<HHH", content, 58, 0, 0, 0)
    library.write_bytes(content[:end])


def unused(root: Path) -> Iterator[Path]:
    """Yield the files and folders under `root` that an import does not need; outer folders come first."""
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        if here.suffix == ".dist-info":
            yield from (here / name for name in [*folders, *files] if name not in METADATA_KEPT)
            folders.clear()
            continue
        inside = here.relative_to(root)
        dropped = {name for name in folders if name in DROPPED_FOLDERS or (inside / name).as_posix() in DROPPED_PATHS}
        yield from (here / name for name in dropped)
        folders[:] = [name for name in folders if name not in dropped]
        for name in files:
            is_dropped = name in DROPPED_NAMES or Path(name).suffix in DROPPED_SUFFIXES
            if is_dropped or (inside / name).as_posix() in DROPPED_PATHS:
                yield here / name


def precompile(root: Path) -> None:
    """Write byte code that Python trusts without looking at the source.

    `/opt` and `/var/task` are read-only, so without it every cold start compiles everything again. Byte code belongs to
    one version of Python: where that one is missing the artefact works all the same, it only starts later.
    """
    interpreter = lambda_interpreter()
    if interpreter is None:
        print(f"No Python {PYTHON_VERSION} here: {root.name} is not precompiled and will start more slowly.")
        return
    command = [interpreter, "-I", "-m", "compileall", "-q", "--invalidation-mode=unchecked-hash"]
    subprocess.run([*command, "-s", str(root), str(root)], check=True)


def lambda_interpreter() -> str | None:
    """Find an interpreter of Lambda's version; one that is only a shim for an absent version does not count."""
    candidates = (sys.executable, shutil.which(f"python{PYTHON_VERSION}"), *pyenv_interpreters())
    for candidate in filter(None, candidates):
        version = "import sys; print('%d.%d' % sys.version_info[:2])"
        command = [candidate, "-I", "-c", version]
        if subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() == PYTHON_VERSION:
            return candidate
    return None


def pyenv_interpreters() -> list[str]:
    """List pyenv's interpreters of Lambda's version, which are on nobody's path unless chosen."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    return [str(path) for path in sorted(root.glob(f"versions/{PYTHON_VERSION}.*/bin/python{PYTHON_VERSION}"))]


if __name__ == "__main__":
    main()
