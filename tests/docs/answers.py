"""Compares answers that the documentation shows with those that come."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase

from tests.docs.blocks import Block

# What depends on when, and by which account, an example is answered: only that it is there counts.
_VARYING = frozenset({"points", "points_estimated", "estimated", "resets_at", "completed_at", "left"})


def answers(found: list[Block]) -> dict[Block, Block]:
    """The answers of a page by their requests: a request's answer is the block behind it. Takes a page's blocks."""
    return {
        request: answer
        for request, answer in itertools.pairwise(found)
        if request.language == "sh" and "curl " in request.text and answer.language in ("json", "text")
    }


def unlike(shown: str, came: str) -> list[str]:
    """Where an answer differs from the one that is shown; `…` stands for any text, a number for any other."""
    if not shown.startswith(("{", "data: ")):
        return [] if shown.strip() == came.strip() else [f"{came.strip()!r} instead of {shown.strip()!r}"]
    if shown.startswith("{"):
        return list(_differences(json.loads(shown), json.loads(came), ""))
    expected, events = _events(shown), _events(came)
    if (wanted := _text(expected)) != (got := _text(events)):
        return [f"the text {got!r} instead of {wanted!r}"]
    if not came.rstrip().endswith("data: [DONE]"):
        return ["no [DONE]"]
    # How many pieces leave as one chunk is a matter of time; each has a form that is shown.
    return [f"unlike any that is shown: {event}" for event in events if all(_differ(one, event) for one in expected)]


def _events(stream: str) -> list[dict[str, object]]:
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def _text(events: list[dict[str, object]]) -> str:
    return "".join(event["choices"][0]["delta"].get("content", "") for event in events)  # type: ignore[index]


def _differ(shown: object, came: object) -> bool:
    return any(not where.endswith(".content") for where, _ in _found(shown, came, ""))


def _differences(shown: object, came: object, where: str) -> Iterator[str]:
    for place, what in _found(shown, came, where):
        yield f"{place or 'the answer'}: {what}"


def _found(shown: object, came: object, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(shown, dict) and isinstance(came, dict):
        for name in shown.keys() ^ came.keys():
            yield f"{where}.{name}", "only in one of them"
        for name in shown.keys() & came.keys() - _VARYING:
            yield from _found(shown[name], came[name], f"{where}.{name}")
    elif isinstance(shown, list) and isinstance(came, list) and len(shown) == len(came):
        for number, (one, other) in enumerate(zip(shown, came, strict=True)):
            yield from _found(one, other, f"{where}[{number}]")
    elif isinstance(shown, str) and isinstance(came, str):
        if not fnmatchcase(came, shown.replace("[", "[[]").replace("?", "[?]").replace("*", "[*]").replace("…", "*")):
            yield where, f"{came!r} instead of {shown!r}"
    elif type(shown) is not type(came) or (shown != came and not _is_number(shown)):
        yield where, f"{came!r} instead of {shown!r}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
