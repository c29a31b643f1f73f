"""The clients, what is tried with each, and how to run them."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from environments import HERE, ROOT, NodeEnvironment, NotInstalled, PythonEnvironment


@dataclass(frozen=True)
class Row:
    """One check of a client."""

    name: str
    ok: bool
    error: str | None = None


@dataclass(frozen=True)
class Suite:
    """One client. `command` makes the environment, too; `read` makes rows of what it printed."""

    name: str
    client: str
    version: str
    tried: str
    command: Callable[[], list[str]]
    read: Callable[[str], list[Row]]
    needs_stack: bool = True
    seconds: float = 240.0


def read_json_rows(output: str) -> list[Row]:
    """Of the scripts that use `reporting`."""
    rows = []
    for line in output.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue  # the client prints, too
        if isinstance(value, dict) and "check" in value:
            rows.append(Row(value["check"], value["ok"], value["error"]))
    return rows


def read_text_rows(output: str) -> list[Row]:
    """Of tables for people, one check in a line, which says `ok` or `FAILED`."""
    found = re.findall(r"^(?=.*\b(ok|FAILED)\b)(?!\d+ of)(.*)$", output, re.MULTILINE)
    return [Row(re.sub(r"\b(ok|FAILED)\b", "", line).strip(), word == "ok") for word, line in found]


def read_pytest_rows(output: str) -> list[Row]:
    """Of pytest's last line."""
    rows = [Row("operations", True)] * sum(map(int, re.findall(r"(\d+) passed", output)))
    return rows + [Row("operations", False)] * sum(map(int, re.findall(r"(\d+) (?:failed|error)", output)))


def locked_version(requirements: Path, package: str) -> str:
    """Which version a requirements file locks."""
    found = re.search(rf"^{re.escape(package)}==([^ \n;]+)", requirements.read_text(), re.MULTILINE)
    return found[1] if found else "?"


def _node(name: str, package: str, tried: str, seconds: float = 240.0) -> Suite:
    version = json.loads((HERE / name / "package.json").read_text())["dependencies"][package]
    return Suite(name, package, version, tried, NodeEnvironment(name).command, read_json_rows, seconds=seconds)


def _python(name: str, package: str, tried: str) -> Suite:
    version = locked_version(HERE / name / "requirements.txt", package)
    return Suite(name, package, version, tried, PythonEnvironment(name).command, read_json_rows)


def _own(name: str, package: str, tried: str) -> Suite:
    """One that starts what it needs itself, against a simulator without the gateway."""
    version = locked_version(HERE / name / "requirements.txt", package)
    command = [sys.executable, str(HERE / name / "run.py")]
    return Suite(name, package, version, tried, lambda: command, read_text_rows, needs_stack=False, seconds=600.0)


_DESCRIPTION_TEST = "tests/gateway/test_openapi.py"


def _runtime(name: str, package: str, tried: str, tests: str) -> Suite:
    """Tests of the streaming runtime that run something else beside it or around it."""
    version = locked_version(ROOT / "requirements" / "test.txt", package)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/streaming_runtime/{tests}"]
    return Suite(name, package, version, tried, lambda: command, read_pytest_rows, needs_stack=False, seconds=480.0)


def _aws_emulator() -> Suite:
    """AWS's own emulator, which the SAM CLI ships as a binary."""
    folder = HERE / "aws_emulator"

    def command() -> list[str]:
        packages = PythonEnvironment("aws_emulator", without_dependencies=True).python().parents[1] / "lib"
        machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
        for binary in packages.glob(f"python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"):
            test = ["tests/streaming_runtime/test_emulator.py", "-q", "-p", "no:cacheprovider"]
            return ["env", f"LAMBDA_RIE={binary}", sys.executable, "-m", "pytest", *test]
        raise NotInstalled("the SAM CLI ships no emulator for this machine")

    version = locked_version(folder / "requirements.txt", "aws-sam-cli")
    tried = "the streaming runtime under AWS's Runtime Interface Emulator, which the SAM CLI ships"
    return Suite("aws_emulator", "aws-lambda-rie", version, tried, command, read_pytest_rows, needs_stack=False)


def _dynalite() -> Suite:
    """Another stand-in for DynamoDB."""
    folder, environment = HERE / "dynalite", NodeEnvironment("dynalite")
    version = json.loads((folder / "package.json").read_text())["dependencies"]["dynalite"]

    def command() -> list[str]:
        return [sys.executable, str(folder / "run.py"), environment.node(), str(environment.folder())]

    tried = "the contract of the account store; it has no transactions, which are made of its single writes"
    return Suite("dynalite", "dynalite", version, tried, command, read_pytest_rows, needs_stack=False, seconds=900.0)


_DESCRIPTION = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", _DESCRIPTION_TEST]

SUITES = (
    _node(
        "openai_node",
        "openai",
        "Node: chat, streams, tools (streamed, parallel, runner), structured output, vision, files, responses with "
        "their helpers, images, models, every error with class and number of requests, leaving in mid-stream",
    ),
    _node(
        "anthropic_node",
        "@anthropic-ai/sdk",
        "Node: messages, streams with the helper, tools, vision, token counts, errors",
    ),
    _node(
        "vercel_ai",
        "ai",
        "Node, with `@ai-sdk/openai-compatible`, `@ai-sdk/openai` (responses and chat) and `@ai-sdk/anthropic`: text, "
        "streams, reasoning, tools in steps, objects, vision, errors",
    ),
    _node("langchain_js", "@langchain/openai", "Node: invoke, stream, tools, structured output, errors"),
    _node(
        "codex",
        "@openai/codex",
        "`codex exec`: models that it knows and does not know, commands, `apply_patch`, 150 tools of an MCP server, "
        "pictures, `--output-schema`, a session that is resumed, over both kinds of account",
        seconds=900.0,
    ),
    _node(
        "claude_code",
        "@anthropic-ai/claude-code",
        "`claude -p`: models that it knows and does not know, commands, edits, 150 tools of an MCP server with and "
        "without tool search, pictures, a session that is resumed, over both kinds of account",
        seconds=900.0,
    ),
    _python("llm", "llm", "`extra-openai-models.yaml`: streams, conversation, tools, schemas, attachments, errors"),
    _python(
        "langchain_openai",
        "langchain-openai",
        "invoke, stream, batch, tools, structured output, vision, Responses API, errors",
    ),
    _python(
        "openai_agents",
        "openai-agents",
        "Responses API and chat: streams, tools, handoffs, output types, reasoning, conversations, errors",
    ),
    _python(
        "pydantic_ai",
        "pydantic-ai-slim",
        "Responses API, chat and Messages: text, streams, tools, three kinds of output types, pictures, history",
    ),
    _python(
        "instructor",
        "instructor",
        "`from_openai` and `from_provider`: tools, strict tools, JSON schema, partial and iterable answers, errors",
    ),
    _python(
        "litellm", "litellm", "as a client: completion, streams, tools, reasoning, vision, responses, images, errors"
    ),
    Suite(
        "chat_apps",
        "Open WebUI, LibreChat",
        "as their sources have it",
        "requests of their servers: models, chats, tools, pictures, titles, images, speech, web search",
        lambda: [sys.executable, str(HERE / "chat_apps" / "checks.py")],
        read_json_rows,
    ),
    Suite(
        "schemathesis",
        "schemathesis",
        locked_version(ROOT / "requirements" / "test.txt", "schemathesis"),
        "every operation of the gateway's own OpenAPI description, boundaries of every field",
        lambda: _DESCRIPTION,
        read_pytest_rows,
        needs_stack=False,
        seconds=480.0,
    ),
    Suite(
        "sends",
        "all of these",
        "as above",
        "their own retries: messages to Poe for one call, by what goes wrong ([retries.md](retries.md))",
        lambda: [sys.executable, str(HERE / "sends" / "run.py")],
        read_text_rows,
        needs_stack=False,
        seconds=900.0,
    ),
    _own("fastapi_poe", "fastapi-poe", "against the simulator of Poe's documented API, which it is to confirm"),
    _own("poe_api_wrapper", "poe-api-wrapper", "against the simulator of Poe's web API, which it is to confirm"),
    _own(
        "frameworks",
        "fastapi",
        "six frameworks on the streaming runtime, each through three doors, and the pages of `examples/runtime`",
    ),
    _own("cargo_lambda", "cargo-lambda", "the streaming runtime under its emulator: URL, every kind of event"),
    _aws_emulator(),
    _dynalite(),
    _runtime(
        "awslambdaric",
        "awslambdaric",
        "AWS's client beside the streaming runtime: context, logs, frames, exceptions, exits",
        "test_beside_awss_client.py",
    ),
)
