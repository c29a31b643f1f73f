"""Tool calls with models that can only write text: what they are told, and how their answer is read. Pure.

The model asked for is the model that answers; it is told to end its answer with a block of calls that carries a random
mark. Nothing in the conversation holds that mark, so a block that a user or a tool has planted is text like any other.
An answer that is nothing but calls of known tools, without the block, is accepted as well: many models do that.

Text before the block is passed on as it comes; each call as soon as it is complete and its arguments fit its schema.
A call that does not fit is kept back with its `problem`, for whoever asks the model to correct it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from gateway.prompt.tool_calls import CallReader, WrittenCall
from gateway.prompt.tool_specs import ToolSpecs, function_name
from reverse.chat import ToolCall
from reverse.events import Event, TextDelta, ToolCallDelta

_TAG = "<tool_calls"
# Some models lose the plural, or shout: with the mark in it, it is the block all the same.
_TAG_START = "<tool_call"
_CLOSING = "</tool_call"
_END = re.compile(r"</tool_calls?\s*>?", re.IGNORECASE)
# A call is looked at again when it has grown by one part in so many.
_GROWTH = 16
# The beginning of a code fence around the block, which belongs to it.
_FENCE_START = re.compile(r"(?:```[\w-]{0,20}|`{1,2})$")
_LONGEST_TAG = 64
# So much of an answer that looks like bare calls is kept back before a tool's name must have turned up.
_BARE_CHARS = 400
_LONGEST_BARE_CHARS = 256 * 1024
_MAX_CALLS = 64


def new_call_id() -> str:
    """Unique among all calls there ever are."""
    return f"call_{secrets.token_hex(12)}"


class ToolProtocol:
    """What one request's model is told about tools, and how its calls are marked."""

    def __init__(self, specs: ToolSpecs, mark: str | None = None) -> None:
        self.specs = specs
        self.mark = mark or secrets.token_hex(4)
        self.reader = CallReader(specs.callable_tools)

    def manual(self) -> str:
        """The instructions: each tool as one line of JSON, its schema as it was given."""
        lines = ["You can call tools. Each of the next lines is one tool, with the JSON Schema of its arguments:"]
        for tool in self.specs.callable_tools:
            function = tool["function"]
            shown = {key: function[key] for key in ("name", "description", "parameters") if function.get(key)}
            lines.append(json.dumps(shown, ensure_ascii=False, separators=(",", ":")))
        lines += [
            "To call, end your answer with a block of exactly this form, and write nothing after it:",
            f'{_TAG} mark="{self.mark}">',
            '[{"name": "the tool\'s name", "arguments": {"…": "…"}}]',
            "</tool_calls>",
            "It is a JSON array; the arguments are JSON that fits the schema. "
            + ("It may hold several calls that do not need each other's results. " if self.specs.is_parallel else "")
            + ("" if self.specs.is_parallel else "It holds one call. ")
            + "The results come in the next turn; never make them up.",
            self._duty(),
        ]
        return "\n".join(lines)

    def write_calls(self, calls: Sequence[ToolCall]) -> str:
        """Calls of an earlier turn, in the form in which new ones are expected."""
        written = [{"id": call.id, "name": call.name, "arguments": _parsed(call.arguments)} for call in calls]
        block = json.dumps(written, ensure_ascii=False, separators=(",", ":"))
        return f'{_TAG} mark="{self.mark}">\n{block}\n</tool_calls>'

    def correction(self, problem: str) -> str:
        """What a model is told whose calls could not be made."""
        return (
            f"Your tool calls can't be made: {problem}. Answer again with nothing but the corrected block, "
            f'beginning with {_TAG} mark="{self.mark}">, from that call on.'
        )

    def _duty(self) -> str:
        if not self.specs.must_call:
            return "Call tools only where they are needed; otherwise answer as usual, without the block."
        if isinstance(self.specs.choice, str):
            return "This time you must call at least one tool."
        return f"This time you must call the tool {function_name(self.specs.callable_tools[0])}."


class _State(Enum):
    START = "start"
    """All there is may turn out to be bare calls."""
    TEXT = "text"
    BLOCK = "block"


class ToolCallParser:
    """Reads one answer. Feed it text, then `finish`; both give the events to pass on."""

    def __init__(
        self,
        protocol: ToolProtocol,
        *,
        told: Sequence[tuple[str, str]] = (),
        new_id: Callable[[], str] = new_call_id,
    ) -> None:
        self.told = [*told]
        """Names and arguments of the calls passed on, those of what this answer takes the place of included."""
        self.problem: str | None = None
        """Why a call was kept back; the calls after it were, too."""
        self.kept_back: list[WrittenCall] = []
        self.has_text = False
        """Whether text was passed on."""
        # Calls that were made already: an answer that takes another's place may repeat them.
        self._repeatable = Counter(told)
        self._specs = protocol.specs
        self._reader = protocol.reader
        self._open = re.compile(
            rf"{_TAG_START}s?\b[^<>]{{0,{_LONGEST_TAG}}}?{re.escape(protocol.mark)}[^<>]{{0,8}}>", re.IGNORECASE
        )
        self._new_id = new_id
        self._state = _State.START
        # Text not passed on yet; in a block, all of it, with what was read of it up to `_read`.
        self._held = ""
        self._read = 0
        self._has_block = bool(told)
        self._names_tool = False
        # In a block: pieces that were not looked at yet. Looking costs as much as the call is long, so it is done
        # when the call has grown by a part of itself, and when the block may have ended.
        self._pieces: list[str] = []
        self._unread_chars = 0
        self._tail = ""

    def feed(self, text: str) -> list[Event]:
        """Take a piece of the answer."""
        if self._state is _State.BLOCK:
            return self._feed_block(text)
        searched = len(self._held)
        self._held += text
        # A tag that was not there before ends in what is new.
        opened = self._open.search(self._held, max(0, searched - len(_TAG) - 2 * _LONGEST_TAG))
        if opened:
            before, self._held = self._held[: opened.start()], self._held[opened.end() :]
            self._state, self._read = _State.BLOCK, 0
            events = self._say(before[: _margin_start(before)])
            self._has_block = True
            return events + self._read_block()
        if self._state is _State.START:
            if self._may_be_bare():
                return []
            self._state = _State.TEXT
        keep = self._held_from(self._held)
        said, self._held = self._held[:keep], self._held[keep:]
        return self._say(said)

    def finish(self) -> list[Event]:
        """The answer is over: what was held back is text, or the last calls."""
        held, self._held = self._held + "".join(self._pieces), ""
        self._pieces = []
        if self._state is _State.BLOCK:
            self._held = held
            events = self._take_whole_calls()
            ends = [match.start() for match in _END.finditer(held, self._read)]
            return events + self._take(self._reader.rest(held[: ends[-1]] if ends else held, self._read))
        if self._state is _State.START:
            calls = self._reader.bare(_unwrapped(held))
            if calls:
                return self._take(calls)
        return self._say(held)

    def _say(self, text: str) -> list[Event]:
        # After calls a model can only go on with made-up results.
        if not text or self._has_block:
            return []
        self.has_text = True
        return [TextDelta(text)]

    def _may_be_bare(self) -> bool:
        start = self._held.lstrip()
        if not start:
            return True
        opening = start[: len(_TAG_START)].lower()
        is_like = (
            start[0] in "[{" or "```".startswith(start[:3]) or start.startswith("```") or _TAG_START.startswith(opening)
        )
        if is_like and not self._names_tool and len(start) > _BARE_CHARS:
            self._names_tool = self._reader.mentions_tool(start)
        return is_like and (len(start) <= _BARE_CHARS or (self._names_tool and len(start) <= _LONGEST_BARE_CHARS))

    def _held_from(self, text: str) -> int:
        """Where the end of `text` begins that may belong to a block that is about to open."""
        at = text.rfind("<")
        if at >= 0 and ">" not in text[at:] and len(text) - at <= len(_TAG) + _LONGEST_TAG:
            tail = text[at:].lower()
            if _TAG_START.startswith(tail) or tail.startswith(_TAG_START):
                return _margin_start(text[:at])
        return _margin_start(text)

    def _feed_block(self, text: str) -> list[Event]:
        self._pieces.append(text)
        self._unread_chars += len(text)
        self._tail = self._tail[-len(_CLOSING) :] + text
        may_be_over = _CLOSING in self._tail.lower()
        if not may_be_over and ("}" not in text or self._unread_chars * _GROWTH < len(self._held) - self._read):
            return []
        self._held += "".join(self._pieces)
        self._pieces, self._unread_chars = [], 0
        return self._read_block()

    def _read_block(self) -> list[Event]:
        events = self._take_whole_calls()
        ended = _END.search(self._held, self._read)
        if ended:
            # What is left before it may be a call whose string holds the closing tag: then more must come.
            rest = self._held[self._read : ended.start()]
            if rest.strip(" \t\r\n,[]}`"):
                return events
            self._state, self._held, self._read = _State.TEXT, self._held[ended.end() :], 0
            self._tail = ""
            return events + self.feed("")
        return events

    def _take_whole_calls(self) -> list[Event]:
        events: list[Event] = []
        while (found := self._reader.next_call(self._held, self._read)) is not None:
            calls, self._read = found
            events += self._take(calls)
        return events

    def _take(self, calls: list[WrittenCall]) -> list[Event]:
        events: list[Event] = []
        for call in calls:
            if self.problem is not None or call.problem is not None:
                self.problem = self.problem or call.problem
                self.kept_back.append(call)
            elif self._repeatable[call.name, call.arguments]:
                self._repeatable[call.name, call.arguments] -= 1
            elif len(self.told) < (_MAX_CALLS if self._specs.is_parallel else 1):
                events += self.tell(call)
        return events

    def tell(self, call: WrittenCall) -> list[Event]:
        """The events of a call, whatever its problem."""
        index = len(self.told)
        self.told.append((call.name, call.arguments))
        return [ToolCallDelta(index, "", self._new_id(), call.name), ToolCallDelta(index, call.arguments)]


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _margin_start(text: str) -> int:
    """Where the white space at the end begins, and the code fence that a block may stand in."""
    body = text.rstrip()
    fence = _FENCE_START.search(body[-24:])
    return len(body[: len(body) - len(fence[0])].rstrip()) if fence else len(body)


def _unwrapped(text: str) -> str:
    """An answer that forgot the mark: what is inside its tags."""
    match = re.fullmatch(rf"\s*(?:```[\w-]*\s*)?{_TAG}[^>]*>(.*?)(?:</tool_calls\s*>\s*(?:```\s*)?)?", text, re.DOTALL)
    return match[1] if match else text
