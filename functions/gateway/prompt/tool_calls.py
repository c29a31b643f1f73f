"""Tool calls as models write them down: found, read in spite of small mistakes, and checked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.prompt.json_schema import find_violation
from gateway.prompt.tool_specs import function_name


def _refuse_constant(name: str) -> None:
    """NaN and Infinity would make arguments that no caller's parser reads."""
    raise ValueError(name)


# Raw line breaks inside strings are a frequent mistake that changes nothing.
_DECODER = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)
# A brace too many at the end of a call is one of the frequent mistakes.
_BETWEEN_CALLS = re.compile(r"(?:[\s,\[\]}]|```\w*)*")
_FENCE = re.compile(r"\s*```[\w-]*[ \t]*\n(.*?)(?:\n?```\s*)?", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_ARGUMENT_NAMES = ("arguments", "parameters", "args", "input")
_NAME_NAMES = ("name", "tool", "tool_name", "function_name")


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call as it was read. `problem` says, for the model, why it can't be made as it is; `None` if it can."""

    name: str
    arguments: str
    """A JSON object."""
    problem: str | None = None
    is_known: bool = True
    """Whether there is such a tool and its arguments are an object at all."""


class CallReader:
    """Reads calls of the given tools."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._schemas: dict[str, Any] = {function_name(tool): tool["function"].get("parameters") for tool in tools}
        self._by_folded = {_fold(name): name for name in self._schemas}
        self.strict = frozenset(function_name(tool) for tool in tools if tool["function"].get("strict") is True)

    def next_call(self, text: str, start: int) -> tuple[list[WrittenCall], int] | None:
        """The next complete object from `start` on, as calls, and where it ends; `None` while there is none."""
        begin = _BETWEEN_CALLS.match(text, start).end()  # type: ignore[union-attr]  # matches the empty string, too
        if text[begin : begin + 1] != "{":
            return None
        try:
            value, end = _DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError):
            return None
        return list(self._calls(value)), end

    def rest(self, text: str, start: int) -> list[WrittenCall]:
        """The calls in what is left when nothing more comes: cut short, or not quite JSON."""
        begin = _BETWEEN_CALLS.match(text, start).end()  # type: ignore[union-attr]
        # The list's own bracket was passed over already, so one that closes it is left over.
        left = text[begin:].rstrip("` \t\r\n,]")
        # After calls, a remark is none, and so is a closing tag of the model's own making.
        if not left or (start and "{" not in left):
            return []
        value = _read_tolerantly(left)
        if value is None:
            value = _read_tolerantly("[" + left)  # several, of which the first is not quite JSON
        if value is None:
            return [WrittenCall("", "{}", "the block of calls is not complete, valid JSON", is_known=False)]
        return list(self._calls(value))

    def bare(self, text: str) -> list[WrittenCall]:
        """The calls in an answer that is nothing but calls, although not in the block; none if it is anything else."""
        fenced = _FENCE.fullmatch(text)
        value = _read_tolerantly(fenced[1] if fenced else text)
        if not isinstance(value, dict | list) or not value:
            return []
        calls = list(self._calls(value))
        return calls if calls and all(call.is_known for call in calls) else []

    def mentions_tool(self, text: str) -> bool:
        """Whether the text has a tool's name in quotes, as a call would."""
        return any(f'"{name}"' in text for name in self._schemas)

    def _calls(self, value: Any) -> Iterator[WrittenCall]:
        if isinstance(value, list):
            for item in value:
                yield from self._calls(item)
        elif isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
            yield from self._calls(value["tool_calls"])
        elif isinstance(value, dict):
            yield self._call(value)
        else:
            yield WrittenCall("", "{}", "each call must be an object with 'name' and 'arguments'", is_known=False)

    def _call(self, item: Mapping[str, Any]) -> WrittenCall:
        function = item.get("function")
        item = function if isinstance(function, dict) else item
        written = next((item[key] for key in _NAME_NAMES if isinstance(item.get(key), str)), None)
        written = function if written is None and isinstance(function, str) else written
        if not written:
            return WrittenCall("", "{}", "a call has no 'name'", is_known=False)
        name = self._known_name(written)
        arguments: Any = next((item[key] for key in _ARGUMENT_NAMES if key in item), {})
        if isinstance(arguments, str):
            arguments = _read_tolerantly(arguments) if arguments.strip() else {}
        arguments = {} if arguments is None else arguments
        if name is None:
            return WrittenCall(written[:64], "{}", f"there is no tool named '{written[:64]}'", is_known=False)
        if not isinstance(arguments, dict):
            return WrittenCall(name, "{}", f"the arguments of '{name}' must be an object", is_known=False)
        problem = find_violation(arguments, self._schemas[name])
        try:
            text = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except ValueError:
            return WrittenCall(name, "{}", f"a number in the arguments of '{name}' is too large", is_known=False)
        return WrittenCall(name, text, problem and f"the arguments of '{name}' are wrong: {problem}")

    def _known_name(self, written: str) -> str | None:
        if written in self._schemas:
            return written
        return self._by_folded.get(_fold(written)) or self._by_folded.get(_fold(written.rpartition(".")[2]))


def _fold(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _read_tolerantly(text: str) -> Any:
    """JSON, if need be without trailing commas and with what was opened closed; `None` if that is not enough."""
    text = text.strip()
    for attempt in (text, _without_trailing_commas(text), _closed(_without_trailing_commas(text))):
        try:
            return _DECODER.decode(attempt)
        except (ValueError, RecursionError):
            continue
    return None


def _without_trailing_commas(text: str) -> str:
    """Outside of strings, commas before a closing bracket say nothing."""
    pieces: list[str] = []
    end = 0
    for match in _STRING.finditer(text):
        pieces += [_TRAILING_COMMA.sub(r"\1", text[end : match.start()]), match[0]]
        end = match.end()
    return "".join(pieces) + _TRAILING_COMMA.sub(r"\1", text[end:])


def _closed(text: str) -> str:
    """Closed brackets for the open ones. A string that was cut stays cut: its end can't be made up."""
    closers: list[str] = []
    for bracket in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        if bracket in "[{":
            closers.append("]" if bracket == "[" else "}")
        elif closers and closers[-1] == bracket:
            closers.pop()
    return text + "".join(reversed(closers))
