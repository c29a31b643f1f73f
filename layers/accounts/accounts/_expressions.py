"""DynamoDB's expressions, parsed and evaluated: conditions, filters and updates. Pure.

Only what the store uses: comparisons, BETWEEN, `attribute_exists`, `attribute_not_exists`, `begins_with`, AND, OR, NOT;
SET with `+`, `-` and `if_not_exists`, REMOVE and ADD. Items and values are in DynamoDB's typed JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from lazy_dataclasses import dataclass

Wire = Mapping[str, Any]
"""An item, or a map of values, in typed JSON."""
Path = tuple[str, ...]
_TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),.+-]|[#:]?[A-Za-z0-9_]+)")
_COMPARATORS = ("=", "<>", "<", "<=", ">", ">=")


class ExpressionError(ValueError):
    """The expression can't be read, or does not fit the item: AWS's ValidationException."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the placeholders of an expression stand for."""

    names: Mapping[str, str]
    values: Wire

    def path(self, path: Path) -> Path:
        return tuple(self.names[part] if part.startswith("#") else part for part in path)


Condition = Callable[[Wire, Scope], bool]
Operand = Callable[[Wire, Scope], Any]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """A key condition: one partition, and what its sort keys must be like."""

    partition: str
    low: Any = None
    high: Any = None
    is_low_open: bool = False
    is_high_open: bool = False


def get(item: Wire, path: Path) -> Any:
    """The typed value at a path, or `None`."""
    value: Any = item.get(path[0])
    for part in path[1:]:
        value = value.get("M", {}).get(part) if isinstance(value, Mapping) else None
    return value


def plain(value: Any) -> Any:
    """A typed scalar as something that compares as DynamoDB compares it."""
    [(letter, content)] = value.items()
    return (letter, _number(content) if letter == "N" else content)


def _number(text: str) -> int | float:
    # Whole numbers stay exact; floats end at 53 bits.
    return int(text) if text.lstrip("-").isdigit() else float(text)


@lru_cache(maxsize=512)
def parse_condition(text: str) -> Condition:
    """The condition as a function. Raises `ExpressionError`."""
    parser = _Parser(text)
    condition = parser.either()
    parser.end()
    return condition


@lru_cache(maxsize=64)
def _key_parts(text: str) -> list[tuple[str, str, list[str]]]:
    parser = _Parser(text)
    parts = []
    while True:
        name, operator = parser.take(), parser.take()
        if operator == "BETWEEN":
            values = [parser.take()]
            parser.expect("AND")
            values.append(parser.take())
        else:
            values = [parser.take()]
        parts.append((name, operator, values))
        if parser.peek() != "AND":
            parser.end()
            return parts
        parser.take()


def key_range(text: str, scope: Scope, partition_name: str) -> KeyRange:
    """The range that a key condition describes."""
    partition, low, high, is_low_open, is_high_open = "", None, None, False, False
    for name, operator, operands in _key_parts(text):
        values = [plain(scope.values[operand])[1] for operand in operands]
        if scope.path((name,))[0] == partition_name:
            partition = values[0]
        elif operator == "BETWEEN":
            low, high = values
        elif operator in ("<", "<="):
            high, is_high_open = values[0], operator == "<"
        elif operator in (">", ">="):
            low, is_low_open = values[0], operator == ">"
        else:
            low = high = values[0]
    return KeyRange(partition, low, high, is_low_open, is_high_open)


@lru_cache(maxsize=512)
def _update_steps(text: str) -> list[tuple[str, Path, Operand | None]]:
    parser = _Parser(text)
    steps: list[tuple[str, Path, Operand | None]] = []
    while (verb := parser.peek()) is not None:
        parser.take()
        if verb not in ("SET", "REMOVE", "ADD"):
            raise ExpressionError(f"unknown clause {verb}")
        while True:
            path = parser.path()
            if verb == "SET":
                parser.expect("=")
                steps.append((verb, path, parser.sum()))
            else:
                steps.append((verb, path, parser.operand() if verb == "ADD" else None))
            if parser.peek() != ",":
                break
            parser.take()
    return steps


def apply_update(text: str, item: Wire, scope: Scope) -> dict[str, Any]:
    """The item after an update. Raises `ExpressionError`."""
    after = dict(item)
    for verb, raw_path, operand in _update_steps(text):
        path = scope.path(raw_path)
        # From the item as it was: all clauses see the state before the update.
        value = operand(item, scope) if operand else None
        if verb == "ADD":
            before = get(item, path)
            # ADD begins at zero where there is nothing, as in DynamoDB.
            value = {"N": repr(_as_number(before or {"N": "0"}) + _as_number(value))}
        # As AWS refuses it: a sum with an attribute that is not there.
        if verb == "SET" and value is None:
            raise ExpressionError("an operand of the update is not in the item")
        _assign(after, path, value)
    return after


def _assign(item: dict[str, Any], path: Path, value: Any) -> None:
    if len(path) > 1:
        inside = item.get(path[0])
        # DynamoDB makes no map by itself.
        if not isinstance(inside, Mapping) or "M" not in inside:
            raise ExpressionError("the path of the update is not in the item")
        # A copy, since items are shared with those who have read them.
        content = dict(inside["M"])
        item[path[0]] = {"M": content}
        _assign(content, path[1:], value)
    elif value is None:
        item.pop(path[0], None)
    else:
        item[path[0]] = value


def _as_number(value: Any) -> int | float:
    if not isinstance(value, Mapping) or "N" not in value:
        raise ExpressionError("an operand is no number")
    return _number(value["N"])


class _Parser:
    """A recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        self._tokens: list[str] = []
        position, text = 0, text.strip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ExpressionError(f"unexpected character in {text!r}")
            self._tokens.append(match.group(1))
            position = match.end()
        self._at = 0

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> str:
        token = self.peek()
        if token is None:
            raise ExpressionError("the expression ends too early")
        self._at += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise ExpressionError(f"expected {token}")

    def end(self) -> None:
        if self.peek() is not None:
            raise ExpressionError(f"unexpected {self.peek()}")

    def either(self) -> Condition:
        parts = [self._both()]
        while self.peek() == "OR":
            self.take()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda item, scope: any(part(item, scope) for part in parts)

    def _both(self) -> Condition:
        parts = [self._single()]
        while self.peek() == "AND":
            self.take()
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else lambda item, scope: all(part(item, scope) for part in parts)

    def _single(self) -> Condition:
        token = self.peek()
        if token == "NOT":  # noqa: S105 - a word of the grammar
            self.take()
            inner = self._single()
            return lambda item, scope: not inner(item, scope)
        if token == "(":  # noqa: S105
            self.take()
            inner = self.either()
            self.expect(")")
            return inner
        if token in ("attribute_exists", "attribute_not_exists"):
            self.take()
            self.expect("(")
            path = self.path()
            self.expect(")")
            is_wanted = token == "attribute_exists"  # noqa: S105
            return lambda item, scope: (get(item, scope.path(path)) is not None) is is_wanted
        if token == "begins_with":  # noqa: S105
            self.take()
            self.expect("(")
            text = self.operand()
            self.expect(",")
            start = self.operand()
            self.expect(")")
            return lambda item, scope: _begins_with(text(item, scope), start(item, scope))
        return self._comparison()

    def _comparison(self) -> Condition:
        left, operator = self.operand(), self.take()
        if operator == "BETWEEN":
            low = self.operand()
            self.expect("AND")
            high = self.operand()
            return lambda item, scope: (
                _compare(left(item, scope), ">=", low(item, scope))
                and _compare(left(item, scope), "<=", high(item, scope))
            )
        if operator not in _COMPARATORS:
            raise ExpressionError(f"unknown operator {operator}")
        right = self.operand()
        return lambda item, scope: _compare(left(item, scope), operator, right(item, scope))

    def sum(self) -> Operand:
        left = self.operand()
        if self.peek() not in ("+", "-"):
            return left
        sign = 1 if self.take() == "+" else -1
        right = self.operand()
        return lambda item, scope: {"N": repr(_as_number(left(item, scope)) + sign * _as_number(right(item, scope)))}

    def operand(self) -> Operand:
        token = self.peek()
        if token is not None and token.startswith(":"):
            self.take()
            return lambda _, scope: scope.values[token]
        if token == "if_not_exists":  # noqa: S105
            self.take()
            self.expect("(")
            path = self.path()
            self.expect(",")
            otherwise = self.operand()
            self.expect(")")
            # A typed value is never empty, whatever it holds.
            return lambda item, scope: get(item, scope.path(path)) or otherwise(item, scope)
        path = self.path()
        return lambda item, scope: get(item, scope.path(path))

    def path(self) -> Path:
        parts = [self.take()]
        while self.peek() == ".":
            self.take()
            parts.append(self.take())
        return tuple(parts)


def _begins_with(text: Any, start: Any) -> bool:
    return text is not None and "S" in text and str(text["S"]).startswith(start["S"])


def _compare(left: Any, operator: str, right: Any) -> bool:
    """Values of different types are never equal and never ordered; an absent one compares to nothing but `<>`."""
    if left is None or right is None:
        return operator == "<>"
    if operator in ("=", "<>"):
        # Through numbers: "1" and "1.0" are the same to DynamoDB.
        is_same = plain(left) == plain(right) if len(left) == len(right) == 1 else left == right
        return is_same is (operator == "=")
    (left_type, a), (right_type, b) = plain(left), plain(right)
    if left_type != right_type:
        return False
    return bool({"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[operator])
