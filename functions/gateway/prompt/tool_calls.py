"""Tool calls as models write them down: found, read in spite of small mistakes, and checked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gateway.prompt.json_schema import find_violation
from gateway.prompt.model_json import TooDeepError, decode, decode_tolerantly, is_too_deep
from gateway.prompt.schema_budget import Budget
from gateway.prompt.tool_specs import function_name
from lazy_dataclasses import dataclass

# A brace too many at the end of a call is one of the frequent mistakes.
_BETWEEN_CALLS = re.compile(r"(?:[\s,\[\]}]|```\w*+)*+")
_FENCE = re.compile(r"\s*+```[\w-]*+[ \t]*+\n(.*?)(?:\n?```\s*+)?", re.DOTALL)
_INCOMPLETE = "the block of calls is not complete, valid JSON"
_TOO_DEEP = "the arguments are nested too deeply"
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
    """Reads calls of the given tools. One reader serves one request: its checks share one budget."""

    def __init__(self, tools: Sequence[Mapping[str, Any]]) -> None:
        self._schemas: dict[str, Any] = {function_name(tool): tool["function"].get("parameters") for tool in tools}
        # Models write `get-weather` for `get_weather`, and change the case.
        self._by_folded = {_fold(name): name for name in self._schemas}
        self._budget = Budget()
        self.strict = frozenset(function_name(tool) for tool in tools if tool["function"].get("strict") is True)

    def read(self, text: str) -> list[WrittenCall] | None:
        """The calls of one object, or `None` if it is not quite JSON. Too deep a nesting is a problem of the call."""
        try:
            value = decode(text)
        except TooDeepError:
            return [_unusable(_TOO_DEEP)]
        except ValueError:
            return None
        return list(self._calls(value))

    def rest(self, text: str, *, is_first: bool) -> list[WrittenCall]:
        """The calls in what is left when nothing more comes: cut short, or not quite JSON.

        `is_first` says that no call was read before it: after calls, a remark is none.
        """
        begin = _BETWEEN_CALLS.match(text).end()  # type: ignore[union-attr]  # matches the empty string, too
        # The list's own bracket was passed over already, so one that closes it is left over.
        left = text[begin:].rstrip("` \t\r\n,]")
        # What has no object is a closing tag of the model's own making, for example.
        if not left or (not is_first and "{" not in left):
            return []
        value = decode_tolerantly(left)
        if value is None:
            value = decode_tolerantly("[" + left)  # several, of which the first is not quite JSON
        if value is None:
            return [_unusable(_TOO_DEEP if is_too_deep(left) else _INCOMPLETE)]
        return list(self._calls(value))

    def bare(self, text: str) -> list[WrittenCall]:
        """The calls in an answer that is nothing but calls, although not in the block; none if it is anything else."""
        fenced = _FENCE.fullmatch(text)
        value = decode_tolerantly(fenced[1] if fenced else text)
        if not isinstance(value, dict | list) or not value:
            return []
        calls = list(self._calls(value))
        # JSON that is no call must stay text: the user may have asked for JSON.
        return calls if calls and all(call.is_known for call in calls) else []

    def mentions_tool(self, text: str) -> bool:
        """Whether the text has a tool's name in quotes, as a call would."""
        return any(f'"{name}"' in text for name in self._schemas)

    def _calls(self, value: Any) -> Iterator[WrittenCall]:
        # A stack of its own instead of recursion; `reversed` keeps the order in which the model wrote them.
        pending = [value]
        while pending:
            item = pending.pop()
            if isinstance(item, list):
                pending += reversed(item)
            elif isinstance(item, dict) and isinstance(item.get("tool_calls"), list):
                pending += reversed(item["tool_calls"])
            elif isinstance(item, dict):
                yield self._call(item)
            else:
                yield _unusable("each call must be an object with 'name' and 'arguments'")

    def _call(self, item: Mapping[str, Any]) -> WrittenCall:
        # Models know many ways to write a call from their training; all of those seen are read.
        function = item.get("function")
        item = function if isinstance(function, dict) else item
        written = next((item[key] for key in _NAME_NAMES if isinstance(item.get(key), str)), None)
        written = function if written is None and isinstance(function, str) else written
        if not written:
            return _unusable("a call has no 'name'")
        name = self._known_name(written)
        arguments: Any = next((item[key] for key in _ARGUMENT_NAMES if key in item), {})
        # OpenAI's own form: the arguments as JSON text.
        if isinstance(arguments, str):
            arguments = {} if arguments.strip() in ("", "null") else decode_tolerantly(arguments)
        elif arguments is None:
            arguments = {}
        if name is None:
            return WrittenCall(written[:64], "{}", f"there is no tool named '{written[:64]}'", is_known=False)
        if not isinstance(arguments, dict):
            return WrittenCall(name, "{}", f"the arguments of '{name}' must be an object", is_known=False)
        problem = find_violation(arguments, self._schemas[name], self._budget)
        try:
            # Written anew, so that callers get valid JSON whatever was mended.
            text = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except ValueError:
            return WrittenCall(name, "{}", f"a number in the arguments of '{name}' is too large", is_known=False)
        return WrittenCall(name, text, problem and f"the arguments of '{name}' are wrong: {problem}")

    def _known_name(self, written: str) -> str | None:
        if written in self._schemas:
            return written
        # `functions.get_weather` is how some models name it.
        return self._by_folded.get(_fold(written)) or self._by_folded.get(_fold(written.rpartition(".")[2]))


def _fold(name: str) -> str:
    return name.strip().lower().replace("-", "_")


def _unusable(problem: str) -> WrittenCall:
    return WrittenCall("", "{}", problem, is_known=False)
