"""The examples of the streaming runtime: templates that CloudFormation takes, and pages that answer in the emulator.

All three are asked by `make conformance ARGS="--only frameworks"`, which brings their frameworks; here those that are
installed anyway.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from local.function_url import Function, FunctionUrl
from local.template import Template

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "runtime"
NAMES = ["fastapi", "django", "flask"]
NEEDS = {"fastapi": ["fastapi"], "django": ["django"], "flask": ["flask", "a2wsgi"]}


def test_each_folder_is_an_example():
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_template_is_valid(name: str):
    linter = str(Path(sys.executable).with_name("cfn-lint"))
    done = subprocess.run([linter, str(EXAMPLES / name / "template.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_template_puts_the_runtime_under_the_application(name: str):
    template = Template.load(EXAMPLES / name / "template.yaml")
    page = template.resources("AWS::Serverless::Function")["Page"]
    assert page["Environment"]["Variables"] == {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/streaming-runtime"}
    assert page["FunctionUrlConfig"]["InvokeMode"] == "RESPONSE_STREAM"
    layer = template.resources("AWS::Serverless::LayerVersion")["StreamingRuntime"]
    archive = (EXAMPLES / name / layer["ContentUri"]).resolve()
    assert archive == ROOT / "build/runtime/streaming-runtime-layer.zip"
    assert "streaming-runtime-layer.zip" in (ROOT / "scripts/runtime_package.py").read_text()
    module, _, attribute = page["Handler"].partition(".")
    source = (EXAMPLES / name / page["CodeUri"] / f"{module}.py").read_text()
    assert re.search(rf"^{attribute} = ", source, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_installed_is_what_the_application_imports(name: str):
    asked = (EXAMPLES / name / "app" / "requirements.txt").read_text()
    assert set(re.findall(r"^[a-z0-9]+", asked, re.MULTILINE)) == set(NEEDS[name])


@pytest.mark.parametrize("name", NAMES)
async def test_the_page_answers_in_the_emulator(name: str, tmp_path: Path):
    for package in NEEDS[name]:
        pytest.importorskip(package, reason="make conformance brings it")
    template = yaml.safe_load(re.sub(r"!\w+", "", (EXAMPLES / name / "template.yaml").read_text()))
    function = Function(
        name=name,
        handler=template["Resources"]["Page"]["Properties"]["Handler"],
        command=(str(ROOT / "layers/streaming_runtime/streaming-runtime"), sys.executable, "bootstrap"),
        task_root=EXAMPLES / name / "app",
        init_timeout_seconds=60,
        log=tmp_path / "log",
    )
    async with FunctionUrl(function, sandboxes=1) as url:
        async with httpx.AsyncClient(base_url=url.url, trust_env=False, timeout=60) as client:
            page, hello = await client.get("/"), await client.get("/hello/you")
    assert page.text.count("<p>part") == 5 and "text/html" in page.headers["content-type"]
    assert page.headers["transfer-encoding"] == "chunked" and hello.json() == {"hello": "you"}
