"""The wrapper script that Lambda starts."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAYER = Path(__file__).parents[2] / "layers" / "streaming_runtime"


def run(script: Path, *arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments], capture_output=True, text=True, timeout=20, check=False, env={"PATH": path}
    )


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    """The layer as it is mounted at /opt: the script beside `python/`."""
    shutil.copy(LAYER / "streaming-runtime", tmp_path)
    shutil.copytree(LAYER / "streaming_runtime", tmp_path / "python" / "streaming_runtime")
    return tmp_path / "streaming-runtime"


@pytest.fixture
def fake_python(tmp_path: Path) -> Path:
    """An interpreter that tells how it was started."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "python3"
    script.write_text('#!/bin/sh\necho "$@" "$PYTHONPATH"\n')
    script.chmod(0o755)
    return script


def test_it_is_executable():
    assert os.access(LAYER / "streaming-runtime", os.X_OK)


def test_it_starts_the_loop_with_lambdas_interpreter(layer: Path, fake_python: Path):
    result = run(layer, str(fake_python), "/var/runtime/bootstrap.py", path="/usr/bin:/bin")
    assert result.stdout == f"-m streaming_runtime {layer.parent / 'python'}\n"
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.skipif(Path("/var/lang/bin/python3").exists(), reason="this machine has Lambda's own interpreter")
def test_without_arguments_it_says_so_and_looks_for_an_interpreter(layer: Path, fake_python: Path):
    result = run(layer, path=f"{fake_python.parent}:/usr/bin:/bin")
    assert result.stdout.startswith("-m streaming_runtime")
    assert "called without an interpreter" in result.stderr


def test_without_its_package_it_says_so(tmp_path: Path):
    shutil.copy(LAYER / "streaming-runtime", tmp_path)
    result = run(tmp_path / "streaming-runtime", sys.executable, path="/usr/bin:/bin")
    assert result.returncode == 127 and "the package streaming_runtime is not in" in result.stderr


def test_the_built_layer_starts_with_the_real_interpreter(layer: Path):
    result = run(layer, sys.executable, path="/usr/bin:/bin")
    assert result.returncode == 1 and "AWS_LAMBDA_RUNTIME_API=''" in result.stderr


def test_a_function_that_carries_the_package_has_a_wrapper_in_it(tmp_path: Path, fake_python: Path):
    shutil.copytree(LAYER / "streaming_runtime", tmp_path / "task" / "streaming_runtime")
    wrapper = tmp_path / "task" / "streaming_runtime" / "exec-wrapper"
    result = run(wrapper, str(fake_python), "/var/runtime/bootstrap.py", path="/usr/bin:/bin")
    assert result.stdout == f"-m streaming_runtime {tmp_path / 'task'}\n" and result.stderr == ""
    result = run(wrapper, sys.executable, path="/usr/bin:/bin")
    assert result.returncode == 1 and "AWS_LAMBDA_RUNTIME_API=''" in result.stderr


@pytest.mark.parametrize(("arguments", "handler"), [(["main.app"], "main.app"), ([], "")])
def test_a_container_image_names_the_application_as_an_argument(arguments: list[str], handler: str):
    """Without a Runtime API to report to, the log has the reason."""
    result = subprocess.run(
        [sys.executable, "-m", "streaming_runtime", *arguments],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={"PYTHONPATH": str(LAYER), "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "_HANDLER": ""},
    )
    wanted = "Unable to import module 'main'" if handler else "Bad handler ''"
    assert result.returncode == 1 and wanted in result.stdout
