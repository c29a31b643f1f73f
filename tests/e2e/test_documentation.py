"""Requests and programs in the documentation, carried out as a reader would, beside a running stack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.answers import answers, unlike
from tests.docs.blocks import PAGES, Block, all_blocks, blocks, commands, program

# Programs that need what a test must not have: Poe itself.
OF_THE_CLIENT = "docs/poe-client.md"
# SDKs that are not among the tests' requirements; `make conformance` runs them.
NOT_INSTALLED = ("langchain_openai",)
_MODEL = re.compile(
    r"""(?:"model": "|model="|model_name: |\s-m |--model |^model = "|_MODEL=)([A-Z][\w.-]*)""", re.MULTILINE
)


ANSWERS = {
    request: answer
    for page in PAGES
    if page.parent.name == "api"
    for request, answer in answers(list(blocks(page))).items()
}


def curl_blocks() -> list[Block]:
    return [
        block for block in all_blocks("sh") if any(program(words)[:1] == ["curl"] for words in commands(block.text))
    ]


def programs() -> list[Block]:
    found = [block for block in all_blocks("python") if block.page != OF_THE_CLIENT]
    return [block for block in found if not any(name in block.text for name in NOT_INSTALLED)]


def environment(stack, folder: Path) -> dict[str, str]:
    """What a terminal has after `. .local/run.env`, and for Anthropic's SDK what docs/connect-apps.md says."""
    anthropic = {"ANTHROPIC_BASE_URL": stack.url, "ANTHROPIC_API_KEY": stack.api_key}
    return {**stack.variables, **anthropic, "PATH": "/usr/bin:/bin", "HOME": str(folder)}


@pytest.fixture
def folder(stack, tmp_path):
    """A folder with the file that a reader's has."""
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local/run.env").write_text((stack.state / "run.env").read_text())
    return tmp_path


def named_models() -> set[str]:
    return {name for page in PAGES for block in blocks(page) for name in _MODEL.findall(block.text)} - {"MODEL"}


@pytest.fixture(scope="module", autouse=True)
def _models_are_listed(stack):
    """The scheduled job reads the lists of both kinds of account beside the start of the stack."""

    def listed() -> bool:
        with stack.openai() as client:
            found = {model.id: model for model in client.models.list().data}
        return named_models() <= found.keys() and found["Echo"].model_extra["kinds"] == ["official", "web"]

    stack.wait_until(listed, 120)


@pytest.fixture(scope="module", autouse=True)
def _what_examples_add_is_removed(stack):
    before = {account["id"] for account in stack.accounts().values()}
    yield
    stack.admin("PUT", "/config/poe", json={})
    stack.admin("PUT", "/config/models", json={})
    for account in stack.accounts().values():
        if account["id"] not in before:
            stack.admin("DELETE", f"/accounts/{account['id']}")


@pytest.mark.parametrize("block", curl_blocks(), ids=str)
def test_a_request_is_answered(stack, folder, block):
    # As it is written, but for a refusal, which curl would otherwise pass over.
    text = re.sub(r"^curl ", "curl -sS --fail-with-body ", block.text, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment(stack, folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
    if answer := ANSWERS.get(block):
        assert unlike(answer.text, done.stdout) == []
    elif "data: " not in done.stdout:
        assert not json.loads(done.stdout).get("error")
    elif '"stream": true' in block.text:
        assert done.stdout.rstrip().endswith("data: [DONE]")


@pytest.mark.parametrize("block", programs(), ids=str)
def test_a_program_runs(stack, folder, block):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        cwd=folder,
        env=environment(stack, folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_models_in_examples_are_those_that_the_list_shows(stack):
    assert len(named_models()) >= 6
    with stack.openai() as client:
        assert named_models() <= {model.id for model in client.models.list().data}


def test_requests_and_programs_are_found():
    assert len(curl_blocks()) >= 16
    assert len(ANSWERS) >= 11
    assert len(programs()) >= 3
