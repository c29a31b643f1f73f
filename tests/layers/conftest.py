"""Artefacts as `sam build` makes them, by the same makefiles, in a folder of the test run."""

import functools
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.build_artefact import lambda_interpreter

ROOT = Path(__file__).parents[2]
MAKEFILES = {
    "StreamingRuntimeLayer": "layers/streaming_runtime",
    "ReverseLayer": "layers/reverse",
    "AccountsLayer": "layers/accounts",
    "PoolLayer": "layers/pool",
    "GatewayFunction": "functions/gateway",
    "RefreshPointsFunction": "functions/refresh_points",
}
MACHINE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def build(architecture, destination):
    for artefact, folder in MAKEFILES.items():
        target = destination / artefact
        target.mkdir(parents=True)
        subprocess.run(
            ["make", "--no-print-directory", "--makefile", ROOT / folder / "Makefile", f"build-{artefact}"],
            cwd=ROOT / "layers/targets" / architecture,
            env={**os.environ, "ARTIFACTS_DIR": str(target), "BUILD_PYTHON": sys.executable},
            check=True,
            timeout=300,
        )
    return destination


@pytest.fixture(scope="session")
def builds(tmp_path_factory):
    """Build for an architecture, once."""
    return functools.cache(lambda architecture: build(architecture, tmp_path_factory.mktemp(architecture)))


@pytest.fixture(params=["arm64", "x86_64"])
def architecture(request):
    return request.param


@pytest.fixture
def artefacts(architecture, builds):
    """All artefacts for each architecture that can be deployed."""
    return builds(architecture)


@pytest.fixture
def here(builds):
    """All artefacts for this machine, which can be imported."""
    return builds(MACHINE)


@pytest.fixture
def built_again(tmp_path):
    return build(MACHINE, tmp_path / "again")


@pytest.fixture(scope="session")
def lambda_python():
    interpreter = lambda_interpreter()
    if interpreter is None or sys.platform != "linux":
        pytest.skip("needs Linux and Lambda's version of Python")
    return interpreter


@pytest.fixture(scope="session")
def managed_runtime(tmp_path_factory):
    """What Lambda's own runtime brings: boto3 and what it stands on, and nothing else of this environment."""
    site = Path(next(path for path in sys.path if path.endswith("site-packages")))
    folder = tmp_path_factory.mktemp("runtime")
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"):
        source = site / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return folder


@pytest.fixture
def imports(lambda_python):
    """Run code in an interpreter that sees the given folders and the standard library, nothing else."""

    def run(code, *folders):
        preamble = f"import sys; sys.path[:0] = {[str(folder) for folder in folders]!r}\n"
        # -B and read-only folders are what Lambda has; the environment is empty but for what code may need.
        command = [lambda_python, "-I", "-S", "-B", "-c", preamble + code]
        done = subprocess.run(command, env={}, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
