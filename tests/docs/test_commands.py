"""Every command in the documentation is one that exists, with options that it takes; every data block can be read.

Requests are sent by `tests/e2e/test_documentation.py`, which needs a running stack.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path

import botocore.session
import click
import pytest
import yaml
from botocore import xform_name

from poegw.main import poegw
from tests.docs.blocks import PAGES, ROOT, Block, all_blocks, commands, inline_commands, program

# Programs of the system that a reader has, with nothing of ours to check.
KNOWN = frozenset({".", "export", "git", "cd", "alias"})
ELSEWHERE = frozenset({"curl", "python"})
AWS_GLOBAL = frozenset({"--query", "--region", "--output", "--profile"})
TARGETS = frozenset(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
MAKE_VARIABLES = frozenset(re.findall(r"\b([A-Z_]+)=", (ROOT / "Makefile").read_text(encoding="utf-8")))


def check_make(words: list[str]) -> None:
    for word in words[1:]:
        name, is_variable, _ = word.partition("=")
        assert name == "NAME" or name in (MAKE_VARIABLES if is_variable else TARGETS), f"make knows no {name}"


def check_poegw(words: list[str], folder: Path) -> None:
    """Parsed by the commands themselves, without being carried out. Files that are named are made."""
    for word in words:
        if re.fullmatch(r"[\w-]+\.(jsonl?|txt)", word):
            (folder / word).write_text("{}", encoding="utf-8")
    command: click.Command = poegw
    with ExitStack() as stack:
        context = stack.enter_context(command.make_context("poegw", words[1:]))
        while isinstance(command, click.Group):
            rest = [*context._protected_args, *context.args]
            if not rest:
                assert command.invoke_without_command, f"{context.command_path} needs a command"
                return
            name, found, rest = command.resolve_command(context, rest)
            assert found is not None, f"no command {name}"
            # Files that options name are closed with their context.
            context = stack.enter_context(found.make_context(name, rest, parent=context))
            command = found


def check_aws(words: list[str]) -> None:
    """An operation of the service's published model, with parameters that it has."""
    _, service, operation, *options = words
    model = botocore.session.get_session().get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in names, f"aws {service} has no {operation}"
    members = {}
    if shape := model.operation_model(names[operation]).input_shape:
        members = {xform_name(name, "-"): member for name, member in shape.members.items()}
    for option in options:
        if option.startswith("--") and option not in AWS_GLOBAL:
            name = option.removeprefix("--")
            name = name.removeprefix("no-") if name not in members else name
            assert name in members, f"aws {service} {operation} has no {option}"


def check_python(words: list[str]) -> None:
    if words[1] == "-m":
        assert (ROOT / words[2] / "__main__.py").is_file(), f"no module {words[2]}"
    else:
        assert (ROOT / words[1]).is_file(), f"no script {words[1]}"


def check_command(words: list[str], folder: Path) -> None:
    words = program(words)
    if not words:
        return
    name = words[0].removeprefix(".venv/bin/")
    if name == "make":
        check_make(words)
    elif name == "poegw":
        check_poegw(words, folder)
    elif name == "aws":
        check_aws(words)
    elif name == "python":
        check_python(words)
    else:
        assert name in KNOWN | ELSEWHERE, f"nobody checks {name}"


@pytest.mark.parametrize("block", all_blocks("sh"), ids=str)
def test_the_commands_of_a_block_exist(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["bash", "-n"], input=block.text, check=True, text=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    found = commands(block.text)
    assert found
    for words in found:
        check_command(words, tmp_path)


@pytest.mark.parametrize("page", [page for page in PAGES if inline_commands(page)], ids=lambda page: page.name)
def test_commands_in_the_text_exist(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in inline_commands(page):
        if words[0] == "poegw":
            # Often only a command's name: with what it needs besides it is in a block.
            assert words[1].startswith("-") or poegw.get_command(click.Context(poegw), words[1]), words  # type: ignore[attr-defined]
        else:
            check_make(words)


@pytest.mark.parametrize("block", all_blocks("python"), ids=str)
def test_python_can_be_compiled(block: Block) -> None:
    compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("language", ["json", "toml", "yaml"])
def test_data_can_be_read(language: str) -> None:
    read = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}[language]
    found = all_blocks(language)
    assert found
    for block in found:
        assert read(block.text), str(block)


def test_every_block_has_a_language_that_is_checked() -> None:
    """A block without one is a drawing or an output."""
    languages = {block.language for language in ("", "text") for block in all_blocks(language)}
    assert languages <= {"", "text"}
    checked = {"sh", "python", "json", "toml", "yaml", "", "text"}
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert set(re.findall(r"^ *```(\w+)$", text, re.MULTILINE)) <= checked


@pytest.mark.parametrize(
    "text",
    [
        "make no-such-target",
        "make run NO_SUCH=1",
        "poegw no-such-command",
        "poegw keys create --no-such-option",
        "poegw accounts",
        "aws dynamodb no-such-operation",
        "aws dynamodb delete-table --no-such-option x",
        "python scripts/no_such_script.py",
        "no-such-program",
    ],
)
def test_what_does_not_exist_is_found(text: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, click.ClickException, click.exceptions.Exit)):
        check_command(commands(text)[0], tmp_path)


def test_commands_are_read_as_a_shell_reads_them() -> None:
    text = "A=1 make run # why\ncurl x \\\n  -d '{\n}'\n\n# nothing\n"
    assert commands(text) == [["A=1", "make", "run"], ["curl", "x", "-d", "{\n}"]]
    assert program(["A=1", "make", "run"]) == ["make", "run"]
    with pytest.raises(ValueError, match="unfinished"):
        commands("echo 'never closed")


def test_scripts_of_the_documentation_run(tmp_path: Path) -> None:
    """Those named in the text at least say what they do."""
    named = set(re.findall(r"`(scripts/\w+\.py)`", (ROOT / "docs/from-the-original.md").read_text(encoding="utf-8")))
    assert len(named) >= 4
    for script in named - {"scripts/smoke.py", "scripts/example.py"}:
        done = subprocess.run(
            [sys.executable, str(ROOT / script), "--help"], cwd=tmp_path, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
