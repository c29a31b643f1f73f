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
from typing import Any

from gateway.prompt.model_json import CLOSING_TAG, BlockScanner, decode
from gateway.prompt.tool_calls import CallReader, WrittenCall
from gateway.prompt.tool_specs import ToolSpecs, function_name
from reverse.chat import ToolCall
from reverse.events import Event, TextDelta, ToolCallDelta

_TAG = "<tool_calls"
# Some models lose the plural, or shout: with the mark in it, it is the block all the same.
_TAG_START = "<tool_call"
# The beginning of a code fence around the block, which belongs to it.
_FENCE_START = re.compile(r"(?:```[\w-]{0,20}|`{1,2})$")
# A block whose tag has no mark.
_UNMARKED = re.compile(rf"\s*+(?:```[\w-]*+\s*+)?{_TAG}[^>]*+>(.*?)(?:</tool_calls\s*+>\s*+(?:```\s*+)?)?", re.DOTALL)
_LONGEST_TAG = 64
# So much white space before a block belongs to it.
_LONGEST_MARGIN = 1024
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
        # Random for each request: a block that was planted in a page or a file can't have it.
        self.mark = mark or secrets.token_hex(4)
        self.reader = CallReader(specs.callable_tools)

    def manual(self) -> str:
        """The instructions: each tool as one line of JSON, its schema as it was given."""
        lines = ["You can call tools. Each of the next lines is one tool, with the JSON Schema of its arguments:"]
        for tool in self.specs.callable_tools:
            function = tool["function"]
            # Fields such as `strict` mean nothing to a model that reads this as text.
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
        # With ids, by which the results that follow name their calls.
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


class _BareGuess:
    """The beginning of an answer, as long as all there is may turn out to be bare calls."""

    def __init__(self, opening: re.Pattern[str], mentions_tool: Callable[[str], bool]) -> None:
        self._opening = opening
        self._mentions_tool = mentions_tool
        self._pieces: list[str] = []
        # The first characters that are no white space, and how many there are after the white space.
        self._start = ""
        self._size = 0
        self._names_tool: bool | None = None
        self._tail = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._pieces)

    def add(self, piece: str) -> bool:
        """Take a piece. Whether all there is may still be bare calls."""
        self._pieces.append(piece)
        # Only as much as a tag may span: the search for one must not go through all of the text with each piece.
        tail = self._tail + piece
        self._tail = tail[-(len(_TAG) + 2 * _LONGEST_TAG) :]
        if self._size == 0:
            piece = piece.lstrip()
        self._start += piece[: _BARE_CHARS - len(self._start)]
        self._size += len(piece)
        return not self._size or (self._may_be_bare() and self._opening.search(tail) is None)

    def _may_be_bare(self) -> bool:
        start = self._start
        opening = start[: len(_TAG_START)].lower()
        if not (start[0] in "[{" or "```".startswith(start[:3]) or _TAG_START.startswith(opening)):
            return False
        if self._size <= _BARE_CHARS:
            return True
        # Asked once, of the same beginning: JSON that names no tool is an answer.
        if self._names_tool is None:
            self._names_tool = self._mentions_tool(start)
        return self._names_tool and self._size <= _LONGEST_BARE_CHARS


class ToolCallParser:
    """Reads one answer. Feed it text, then `finish`; both give the events to pass on."""

    def __init__(
        self,
        protocol: ToolProtocol,
        *,
        emitted: Sequence[tuple[str, str]] = (),
        new_id: Callable[[], str] = new_call_id,
    ) -> None:
        self.emitted = [*emitted]
        """Names and arguments of the calls passed on, those of what this answer takes the place of included."""
        self.problem: str | None = None
        """Why a call was kept back; the calls after it were, too."""
        self.kept_back: list[WrittenCall] = []
        self.has_text = False
        """Whether text was passed on."""
        # Calls that were made already: an answer that takes another's place may repeat them.
        self._repeatable = Counter(emitted)
        self._specs = protocol.specs
        self._reader = protocol.reader
        self._open = re.compile(
            rf"{_TAG_START}s?\b[^<>]{{0,{_LONGEST_TAG}}}?{re.escape(protocol.mark)}[^<>]{{0,8}}>", re.IGNORECASE
        )
        self._new_id = new_id
        # The answer is its beginning, then text and blocks in turn. Outside of a block, `_held` is text not passed on.
        self._guess: _BareGuess | None = _BareGuess(self._open, self._reader.mentions_tool)
        self._block: BlockScanner | None = None
        self._held = ""
        self._has_block = bool(emitted)

    def feed(self, text: str) -> list[Event]:
        """Take a piece of the answer."""
        if self._guess is not None:
            if self._guess.add(text):
                return []
            text, self._guess = self._guess.text, None
        elif self._block is None:
            text, self._held = self._held + text, ""
        events: list[Event] = []
        at = 0
        while at < len(text):
            at = self._read_text(text, at, events) if self._block is None else self._read_block(text, at, events)
        return events

    def finish(self) -> list[Event]:
        """The answer is over: what was held back is text, or the last calls."""
        guess, block, held = self._guess, self._block, self._held
        self._guess, self._block, self._held = None, None, ""
        if guess is not None:
            calls = self._reader.bare(_unwrapped(guess.text))
            return self._take(calls) if calls else self._say(guess.text)
        if block is None:
            return self._say(held)
        rest = block.rest()
        # The last closing tag ends the block; earlier ones may stand in a string of the arguments.
        ends = [match.start() for match in CLOSING_TAG.finditer(rest)]
        return self._take(self._reader.rest(rest[: ends[-1]] if ends else rest, is_first=not block.has_objects))

    def _say(self, text: str) -> list[Event]:
        # After calls a model can only go on with made-up results.
        if not text or self._has_block:
            return []
        self.has_text = True
        return [TextDelta(text)]

    def _read_text(self, text: str, start: int, events: list[Event]) -> int:
        """Text up to the next block, or all of it but what may belong to one. Gives how far it was read."""
        opened = self._open.search(text, start)
        if opened is None:
            # White space and the fence before a block belong to it, so they wait for what follows.
            keep = _margin_start(text, start, _tag_start(text, start))
            events += self._say(text[start:keep])
            self._held = text[keep:]
            return len(text)
        events += self._say(text[start : _margin_start(text, start, opened.start())])
        self._has_block = True
        self._block = BlockScanner()
        return opened.end()

    def _read_block(self, text: str, start: int, events: list[Event]) -> int:
        """A block up to its next object, or its end. Gives how far it was read."""
        block = self._block
        if block is None:  # pragma: no cover - callers look first
            raise RuntimeError("there is no block")
        found, at = block.scan(text, start)
        if found is not None:
            calls = self._reader.read(found)
            if calls is None:
                # Not quite JSON: mending it needs the whole block, which may be cut anywhere here.
                block.give_up(found)
            else:
                block.take()
                events += self._take(calls)
        if block.is_closed:
            self._block = None
        return at

    def _take(self, calls: list[WrittenCall]) -> list[Event]:
        events: list[Event] = []
        for call in calls:
            # Everything behind a broken call is kept back, too: its correction may change what follows.
            if self.problem is not None or call.problem is not None:
                self.problem = self.problem or call.problem
                self.kept_back.append(call)
            elif self._repeatable[call.name, call.arguments]:
                self._repeatable[call.name, call.arguments] -= 1
            # A model that was told to make one call and writes several gets its first one made.
            elif len(self.emitted) < (_MAX_CALLS if self._specs.is_parallel else 1):
                events += self.tell(call)
        return events

    def tell(self, call: WrittenCall) -> list[Event]:
        """The events of a call, whatever its problem."""
        index = len(self.emitted)
        self.emitted.append((call.name, call.arguments))
        # Two events, as an upstream would send them: OpenAI's first piece of a call has its name, the next its
        # arguments.
        return [ToolCallDelta(index, "", self._new_id(), call.name), ToolCallDelta(index, call.arguments)]


def _parsed(arguments: str) -> Any:
    try:
        return decode(arguments)
    except ValueError:
        return arguments


def _tag_start(text: str, start: int) -> int:
    """Where a tag may begin that goes on after the end of `text`; the end if there is none."""
    at = text.rfind("<", max(start, len(text) - len(_TAG) - _LONGEST_TAG))
    if at >= 0 and ">" not in text[at:]:
        tail = text[at:].lower()
        if _TAG_START.startswith(tail) or tail.startswith(_TAG_START):
            return at
    return len(text)


def _margin_start(text: str, start: int, end: int) -> int:
    """Where, before `end`, the white space begins that belongs to a block, and the code fence that it may stand in."""
    start = max(start, end - _LONGEST_MARGIN)
    body = text[start:end].rstrip()
    fence = _FENCE_START.search(body[-24:])
    return start + (len(body[: len(body) - len(fence[0])].rstrip()) if fence else len(body))


def _unwrapped(text: str) -> str:
    """An answer that forgot the mark: what is inside its tags."""
    match = _UNMARKED.fullmatch(text)
    return match[1] if match else text
