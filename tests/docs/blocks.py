"""Reads the examples out of the documentation: code blocks, and the commands of a shell block."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("docs/api/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# A command in the running text or in a table: `make run PORT=8001`, `poegw points`.
_INLINE = re.compile(r"`((?:make|poegw) [^`]+)`")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        indent = len(match[1])
        body = "".join(line[indent:] if line.strip() else line for line in match[3].splitlines(keepends=True))
        yield Block(page.relative_to(ROOT).as_posix(), text.count("\n", 0, match.start()) + 1, match[2], body)


def all_blocks(language: str) -> list[Block]:
    """The blocks of one language, of all pages."""
    return [block for page in PAGES for block in blocks(page) if block.language == language]


def commands(text: str) -> list[list[str]]:
    """The commands of a shell block as words, without comments. `$NAME` stays as it is. Raises `ValueError`."""
    found, waiting = [], ""
    for line in text.splitlines():
        waiting += line
        if waiting.endswith("\\"):
            waiting = waiting[:-1] + " "
            continue
        try:
            words = shlex.split(waiting, comments=True)
        except ValueError:
            waiting += "\n"  # a quoted text goes on in the next line
            continue
        waiting = ""
        if words:
            found.append(words)
    if waiting:
        raise ValueError(f"an unfinished command: {waiting[:80]}")
    return found


def inline_commands(page: Path) -> list[list[str]]:
    """Commands of ours in the running text."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [shlex.split(match[1]) for match in _INLINE.finditer(text)]


def program(words: list[str]) -> list[str]:
    """The command without the assignments in front of it; empty for assignments alone."""
    index = 0
    while index < len(words) and _ASSIGNMENT.fullmatch(words[index]):
        index += 1
    return words[index:]
