"""Finds the functions of the product that take text, bytes or JSON apart, and those that a run gets to."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "http_connections": ROOT / "http_connections",
    "reverse": ROOT / "reverse",
    "gateway": ROOT / "functions/gateway",
    "streaming_runtime": ROOT / "layers/streaming_runtime/streaming_runtime",
}
# What people type at their own terminal, and what a check prints there.
OUTSIDE = ("reverse/terminal/", "reverse/doctor/")
# Methods and functions that take something apart. Reading a field of an object that was parsed is none of them.
_METHODS = frozenset(
    "search match fullmatch finditer findall sub subn split rsplit splitlines partition rpartition rfind raw_decode"
    " loads b64decode urlsafe_b64decode decompress unquote unquote_to_bytes urlsplit urljoin parse_qs parse_qsl"
    " removeprefix removesuffix translate".split()
)
_FUNCTIONS = frozenset(
    "decode_json load_object decode decode_field unquote unquote_to_bytes urlsplit urljoin unescape".split()
)


def parsing_functions() -> dict[str, list[str]]:
    """Each function that calls one of those, or itself, as `package/module.py:qualified.name`, with the calls."""
    found: dict[str, list[str]] = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            module = f"{package}/{path.relative_to(folder).as_posix()}"
            if module.startswith(OUTSIDE):
                continue
            for name, function in _functions(ast.parse(path.read_text(encoding="utf-8")), ""):
                if calls := _parsing_calls(function):
                    found[f"{module}:{name}"] = sorted(calls)
    return found


def _functions(node: ast.AST, outer: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield outer + child.name, child
            yield from _functions(child, f"{outer}{child.name}.<locals>.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{outer}{child.name}.")
        else:
            yield from _functions(child, outer)


def _parsing_calls(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    calls: set[str] = set()
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute) and called.attr in _METHODS:
                calls.add(f".{called.attr}")
            elif isinstance(called, ast.Name) and called.id in _FUNCTIONS | {function.name}:
                calls.add(called.id)
        waiting += ast.iter_child_nodes(node)
    return calls


def reached_by(run: Callable[[], Any]) -> set[str]:
    """The product's functions that a run calls, by the same names.

    A tracer that traces no lines: a profiler would be told of each return and of each call of a built-in as well.
    """
    folders = {f"{folder}/": package for package, folder in PACKAGES.items()}
    codes: set[Any] = set()

    def note(frame: FrameType, _event: str, _argument: Any) -> None:
        codes.add(frame.f_code)

    before = sys.gettrace()
    sys.settrace(note)
    try:
        run()
    finally:
        sys.settrace(before)
    return {
        f"{package}/{code.co_filename.removeprefix(folder)}:{code.co_qualname}"
        for code in codes
        for folder, package in folders.items()
        if code.co_filename.startswith(folder)
    }
