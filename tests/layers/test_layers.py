"""The artefacts as Lambda gets them: complete, small, quick to import, and each layer on its own feet."""

import os
import subprocess

import pytest

pytestmark = pytest.mark.sam

BUDGET_BYTES = 25_000_000
MODULES = """
import importlib, pkgutil
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, {package!r} + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_function_and_layers_together_stay_far_below_what_lambda_takes(artefacts):
    parts = [path for path in artefacts.iterdir() if path.name != "RefreshPointsFunction"]
    assert len(parts) == 5
    assert sum(path.stat().st_size for part in parts for path in files(part)) < BUDGET_BYTES


def test_nothing_is_in_them_that_no_import_reads(artefacts):
    names = {path.name for path in files(artefacts)} | {part for path in files(artefacts) for part in path.parts}
    assert not {"Makefile", "requirements.txt", "requirements.in", "tests", "RECORD", "py.typed"} & names
    code = [path for path in files(artefacts) if ".dist-info" not in str(path)]
    assert not {path.suffix for path in code} & {".pyi", ".c", ".h", ".md", ".in"}


def test_the_poe_layer_trusts_certifis_list_without_parsing_it(here, imports):
    layer = here / "ReverseLayer" / "python"
    code = """
import sys
from reverse.tls import HASHED_CERTIFICATES, tls_context
context = tls_context()
print(len(list(HASHED_CERTIFICATES.iterdir())), "certifi" in sys.modules, context.get_ca_certs())
"""
    bundle = (layer / "certifi" / "cacert.pem").read_text(encoding="utf-8")
    assert imports(code, layer).split(maxsplit=2) == [str(bundle.count("BEGIN CERTIFICATE")), "False", "[]\n"]


def test_every_module_is_precompiled_and_trusted_without_a_look_at_its_source(artefacts, lambda_python):
    """Flag 1 of a .pyc: bound to its source by hash, but not checked."""
    for source in (path for path in files(artefacts) if path.suffix == ".py"):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00"
    stray = [path for path in files(artefacts) if path.suffix == ".pyc" and not path.name.endswith(".cpython-313.pyc")]
    assert not stray


def test_byte_code_tells_nothing_of_the_machine_that_built_it(artefacts):
    """It would also make every build of the same code another artefact."""
    assert not [path for path in files(artefacts) if str(artefacts).encode() in path.read_bytes()]


def test_libraries_are_for_the_architecture_and_hold_no_debug_symbols(architecture, artefacts):
    machine = {"arm64": 183, "x86_64": 62}[architecture]
    libraries = [path for path in files(artefacts) if path.suffix == ".so"]
    assert {path.name.split(".")[0] for path in libraries} >= {"_quickjs", "_pydantic_core"}
    for path in libraries:
        content = path.read_bytes()
        assert int.from_bytes(content[18:20], "little") == machine
        assert int.from_bytes(content[40:48], "little") == 0


def test_building_again_gives_the_same_bytes(here, built_again):
    """So a deployment without a change uploads nothing and publishes no layer version."""
    first = {path.relative_to(here): path.read_bytes() for path in files(here)}
    assert first == {path.relative_to(built_again): path.read_bytes() for path in files(built_again)}


def test_the_streaming_runtime_imports_alone_and_its_wrapper_can_be_executed(here, imports):
    layer = here / "StreamingRuntimeLayer"
    imports(MODULES.format(package="streaming_runtime"), layer / "python")
    assert os.access(layer / "streaming-runtime", os.X_OK)
    check = subprocess.run(["sh", "-n", layer / "streaming-runtime"], capture_output=True, text=True, check=False)
    assert check.returncode == 0, check.stderr


def test_the_poe_client_imports_alone_and_its_javascript_engine_runs(here, imports):
    layer = here / "ReverseLayer/python"
    imports(MODULES.format(package="reverse"), layer)
    imports("import websockets.speedups", layer)
    assert imports("import quickjs; print(quickjs.Context().eval('6 * 7'))", layer) == "42\n"


def test_the_account_store_imports_with_what_the_runtime_brings(here, imports, managed_runtime):
    imports(MODULES.format(package="accounts"), here / "AccountsLayer/python", managed_runtime)


def test_the_gateway_imports_in_the_order_of_lambdas_path(here, imports, managed_runtime):
    layers = [
        here / name / "python" for name in ("StreamingRuntimeLayer", "ReverseLayer", "AccountsLayer", "PoolLayer")
    ]
    imports(MODULES.format(package="gateway"), here / "GatewayFunction", *layers, managed_runtime)


def test_the_scheduled_job_imports_in_the_order_of_lambdas_path(here, imports, managed_runtime):
    layers = [here / name / "python" for name in ("ReverseLayer", "AccountsLayer", "PoolLayer")]
    imports(MODULES.format(package="refresh_points"), here / "RefreshPointsFunction", *layers, managed_runtime)
