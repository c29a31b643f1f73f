"""Write the tables of docs/errors.md from the code, and the causes and cures in docs/errors.toml.

    python scripts/error_codes.py [--check]

The codes, statuses and advice on repeating come from the code; cause and cure are written by hand. A code without a
text, or a text without a code, ends it with an error. With `--check` nothing is written, and the exit status is 1 when
a table is out of date.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/errors.md"
TEXTS = ROOT / "docs/errors.toml"
IMPORT_FOLDERS = (".", "functions", "layers/accounts", "layers/pool", "layers/streaming_runtime")
sys.path[:0] = [str(ROOT / folder) for folder in IMPORT_FOLDERS if str(ROOT / folder) not in sys.path]

from gateway.http.errors import GatewayError, gateway_error  # noqa: E402
from reverse.errors import POLICIES, ErrorCode, poe_error  # noqa: E402
from scripts.generated_page import write_page  # noqa: E402

GATEWAY = ROOT / "functions/gateway"
# The loop answers with these itself, when the application can't.
RUNTIME = ROOT / "layers/streaming_runtime/streaming_runtime/failures.py"
LOGS = (GATEWAY, ROOT / "functions/refresh_points", ROOT / "layers/streaming_runtime/streaming_runtime")
# What has a parameter `code` and is no error that a caller sees.
NOT_ANSWERED = frozenset({"Outcome", "Send", "SendRecord", "event", "failed"})
# Of failures that carry no situation: how a rejected answer is answered.
_SITUATIONS = {"Failure": "UNUSABLE_ANSWER", "AnswerRejectedError": "UNUSABLE_ANSWER"}
CODE = re.compile(r"[a-z][a-z0-9_]*")
EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
LOGGERS = frozenset({"event", "debug", "info", "warning", "error", "problem", "app_error", "level"})


@dataclass
class Answered:
    """How a code is answered: the statuses, and what `x-should-retry` says where the code decides it."""

    statuses: set[int] = field(default_factory=set)
    advice: set[bool | None] = field(default_factory=set)


def main() -> None:
    """Write the page, or check it."""
    write_page(__doc__, PAGE, tables)


def tables() -> dict[str, str]:
    """The tables by name. Raises `SystemExit` where code and texts differ."""
    texts = tomllib.loads(TEXTS.read_text(encoding="utf-8"))
    return {
        "codes": _codes_table(answered_codes(), texts["answers"]),
        "poe": _poe_table(texts["poe"]),
        "events": _events_table(log_events(), texts["events"]),
    }


def answered_codes() -> dict[str, Answered]:
    """Every code that an answer of the gateway may have, read from the source."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in [*sorted(GATEWAY.rglob("*.py")), RUNTIME]]
    situations = {name: found for tree in trees for name, found in _situations(tree)}
    codes: dict[str, Answered] = {}
    for status, code, advice in situations.values():
        _note(codes, code, status, advice)
    for tree in trees:
        for situation, own_status, code in _codes_of_calls(tree):
            status, _, advice = situations[situation]
            _note(codes, code, own_status or status, None if own_status else advice)
    return codes


def _note(codes: dict[str, Answered], code: str, status: int, advice: bool | None) -> None:
    found = codes.setdefault(code, Answered())
    found.statuses.add(status)
    found.advice.add(advice)


def _situations(tree: ast.Module) -> Iterator[tuple[str, tuple[int, str, bool | None]]]:
    """The rows of error tables, by the name that they are assigned to, or a made-up one."""
    names = {
        id(node.value): node.targets[0].id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) == "Situation":
            status, _, code, *rest = node.args
            advice = rest[1] if len(rest) > 1 else None
            assert isinstance(status, ast.Constant) and isinstance(code, ast.Constant), ast.unparse(node)
            value = advice.value if isinstance(advice, ast.Constant) else None
            yield names.get(id(node), f"line {node.lineno} of {code.value}"), (status.value, code.value, value)


def _codes_of_calls(tree: ast.Module) -> Iterator[tuple[str, int, str]]:
    """The situation's name, the status if the call names it itself, and the code, of each call that names a code."""
    positions = {"Failure": 1, "AnswerRejectedError": 1} | {
        node.name: [argument.arg for argument in node.args.args].index("code")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and "code" in [argument.arg for argument in node.args.args]
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _name(node.func)
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        code = named.get("code")
        if code is None and called in positions and len(node.args) > positions[called]:
            code = node.args[positions[called]]
        if code is None or called in NOT_ANSWERED:
            continue
        situation = _SITUATIONS.get(called) or (_name(node.args[0]) if called == "GatewayError" else "INVALID_REQUEST")
        status = named.get("status")
        for value in (code.body, code.orelse) if isinstance(code, ast.IfExp) else (code,):
            if isinstance(value, ast.Constant) and CODE.fullmatch(str(value.value)):
                yield situation, status.value if isinstance(status, ast.Constant) else 0, str(value.value)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def log_events() -> set[str]:
    """The names of the lines that both functions and the loop write."""
    found = set()
    for folder in LOGS:
        for path in sorted(folder.rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and (_name(node.func) in LOGGERS or isinstance(node.func, ast.IfExp)):
                    first = node.args[0] if node.args else None
                    if isinstance(first, ast.Constant) and EVENT.fullmatch(str(first.value)):
                        found.add(str(first.value))
    return found


def _same(kind: str, code: set[str], texts: set[str]) -> None:
    if missing := sorted(code - texts):
        raise SystemExit(f"{TEXTS.name} has no text for the {kind} {', '.join(missing)}")
    if stale := sorted(texts - code):
        raise SystemExit(f"{TEXTS.name} has texts for {kind} that are gone: {', '.join(stale)}")


def _codes_table(codes: Mapping[str, Answered], texts: Mapping[str, Mapping[str, str]]) -> str:
    _same("codes", set(codes), set(texts))
    lines = ["| code | status | cause | what to do | try again |", "|---|---|---|---|---|"]
    for code in sorted(codes, key=lambda code: (min(codes[code].statuses), code)):
        text, answered = texts[code], codes[code]
        statuses = ", ".join(map(str, sorted(answered.statuses)))
        advice = text.get("retry") or _advice(answered)
        lines.append(f"| `{code}` | {statuses} | {text['cause']} | {text['cure']} | {advice} |")
    return "\n".join(lines) + "\n"


def _advice(answered: Answered) -> str:
    """What `x-should-retry` says, or else what clients make of the status."""
    if answered.advice == {False} or max(answered.statuses) < 429:
        return "no"
    return "yes"


def _poe_table(texts: Mapping[str, str]) -> str:
    _same("codes of the Poe client", {code.value for code in ErrorCode}, set(texts))
    lines = ["| code | meaning | concerns | answered as | what to do |", "|---|---|---|---|---|"]
    for code in ErrorCode:
        answer: GatewayError = gateway_error(poe_error(code))
        policy = POLICIES[code]
        lines.append(
            f"| `{code.value}` | {policy.message} | {policy.scope.value} | {answer.status} `{answer.code}` "
            f"| {texts[code.value]} |"
        )
    return "\n".join(lines) + "\n"


def _events_table(events: set[str], texts: Mapping[str, str]) -> str:
    _same("log events", events, set(texts))
    lines = ["| line | meaning, and what to do |", "|---|---|"]
    lines += [f"| `{event}` | {texts[event]} |" for event in sorted(events)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
