"""`sam build`, then `sam local` beside a gateway that runs here with all its stand-ins."""

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.ports import free_port
from scripts.sam_local import read_environment

ROOT = Path(__file__).parents[2]
RUN_ENVIRONMENT = ROOT / ".local/run.env"
TEMPLATE = ROOT / ".aws-sam/test/template.yaml"
MACHINE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
START_SECONDS = 120


def wait_for(condition, what, process, log):
    """Wait until `condition()` is true; fail with the log of `process` when it ends or the time is over."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{what} did not start:\n{log.read_text()[-4000:]}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def answers(url):
    with contextlib.suppress(httpx.TransportError):
        httpx.get(url, timeout=60)
        return True
    return False


@pytest.fixture(scope="session")
def sam():
    """Run a command of the SAM CLI to its end and return what it did."""
    if shutil.which("sam") is None:
        pytest.skip("the SAM CLI is not installed")

    def run(*arguments):
        environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "BUILD_PYTHON": sys.executable}
        environment["AWS_DEFAULT_REGION"] = "us-east-1"
        command = ["sam", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False
        )

    return run


@pytest.fixture(scope="session")
def built(sam):
    """The path of a template that `sam build` has just built for this machine, without a container."""
    done = sam("build", "--build-dir", str(TEMPLATE.parent), "--parameter-overrides", f"Architecture={MACHINE}")
    assert done.returncode == 0, done.stderr
    return TEMPLATE


@pytest.fixture(scope="session")
def engine():
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no container engine answers")


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    """The variables of a gateway that runs here: of one that is running already, or else of one for these tests."""
    if RUN_ENVIRONMENT.exists():
        variables = read_environment(RUN_ENVIRONMENT.read_text())
        if answers(variables["OPENAI_BASE_URL"]):
            yield variables
            return
        RUN_ENVIRONMENT.unlink()  # left by one that was killed
    log = tmp_path_factory.mktemp("run") / "log"
    environment = {**os.environ, "PORT": str(free_port()), "UPSTREAM": "simulator"}
    command = [sys.executable, "-m", "local", "run"]
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(RUN_ENVIRONMENT.exists, "the local gateway", process, log)
        variables = read_environment(RUN_ENVIRONMENT.read_text())
        wait_for(lambda: answers(variables["OPENAI_BASE_URL"]), "the local gateway", process, log)
        yield variables
    finally:
        stop(process)


@pytest.fixture(scope="session")
def model(gateway):
    """A model that the stand-ins offer."""
    headers = {"authorization": f"Bearer {gateway['OPENAI_API_KEY']}"}
    answer = httpx.get(f"{gateway['OPENAI_BASE_URL']}/models", headers=headers, timeout=60)
    return answer.json()["data"][0]["id"]


def sam_local(*arguments):
    """The command that serves the built functions beside the local gateway."""
    return [sys.executable, "scripts/sam_local.py", "--template", str(TEMPLATE), *arguments]


@pytest.fixture(scope="module")
def api(built, engine, gateway, tmp_path_factory):
    """The base URL of `sam local start-api`; at the end no container may be left."""
    port, log = free_port(), tmp_path_factory.mktemp("api") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(sam_local("--port", str(port)), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/healthz"), "sam local start-api", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)
    left = subprocess.run(
        ["docker", "ps", "-q", "--filter", f"volume={TEMPLATE.parent}"], capture_output=True, check=True
    )
    assert left.stdout == b""


@pytest.fixture(scope="session")
def invoke(built, engine, gateway):
    """Invoke a built function once with an event file, in a container of its own; returns its output."""

    def run(function, event):
        command = sam_local("--", "invoke", function, "--event", str(event))
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=START_SECONDS, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run
