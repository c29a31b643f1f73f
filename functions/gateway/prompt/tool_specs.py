"""The tools of a request, whichever API they came through. Pure.

Tools that take plain text, which OpenAI calls custom tools, are told to models as functions with one string argument,
because Poe knows functions only: the text travels as the argument `input`, and callers get it back as text, in pieces
where the answer is streamed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from gateway.http.declared_body import Body, Field
from gateway.prompt.model_json import decode
from lazy_dataclasses import dataclass

Tool = Mapping[str, Any]
"""A function in OpenAI's shape: `type`, and `function` with `name` and `parameters`."""
# Agents with many servers of tools send some hundreds; Anthropic's API documents this limit.
MAX_TOOLS = 10_000
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
# OpenAI allows 64; Poe's bots are asked under the same name, so longer ones are left to the upstream to judge.
MAX_TOOL_NAME = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpecs:
    """What may be called, and what must be."""

    tools: tuple[Tool, ...] = field(default=(), repr=False)
    """In OpenAI's shape. Empty where nothing may be called."""
    choice: Any = None
    """A mode, or one named function, as the official API takes it. `None` where it was not said."""
    is_parallel: bool = True
    """Whether one answer may hold several calls."""
    is_legacy: bool = False
    """Whether the caller speaks of `functions`, and expects a `function_call`."""
    withheld: tuple[Tool, ...] = field(default=(), repr=False)
    """Tools that may not be called this time: a provider may want to know what earlier calls were of."""
    dropped: tuple[str, ...] = ()
    """What was left out, by its place."""
    web_searches: tuple[str, ...] = ()
    """Places of the hosted searches of the web, which some models have as an option."""
    must_search: bool = False
    """Whether the choice asks for such a search, or for a call of which nothing else is offered."""
    free_form: frozenset[str] = frozenset()
    """Names of the functions that stand for tools that take plain text (see `free_form`)."""

    @classmethod
    def offering(
        cls,
        tools: tuple[Tool, ...],
        choice: Any,
        *,
        is_parallel: bool = True,
        is_legacy: bool = False,
        dropped: tuple[str, ...] = (),
        free_form: frozenset[str] = frozenset(),
    ) -> ToolSpecs:
        """The specs for tools and a choice, which were checked: without tools, or with the choice `none`, no calls."""
        if choice == "none" or not tools:
            return cls(withheld=tools, dropped=dropped)
        return cls(
            tools=tools,
            choice=choice,
            is_parallel=is_parallel,
            is_legacy=is_legacy,
            dropped=dropped,
            free_form=free_form,
        )

    def searching(self, places: Iterable[str], choice: Any, *, must: bool = False) -> ToolSpecs:
        """The same with hosted searches of the web, unless the choice forbids all tools."""
        found = () if choice == "none" else tuple(places)
        return replace(self, web_searches=found, must_search=must and bool(found))

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call is not what was asked for."""
        # A named function must be called as well.
        return bool(self.tools) and (self.choice == "required" or isinstance(self.choice, Mapping))

    @property
    def has_strict(self) -> bool:
        """Whether arguments of some tool must fit its schema."""
        return any(tool["function"].get("strict") is True for tool in self.tools)

    @property
    def callable_tools(self) -> tuple[Tool, ...]:
        """The functions that may be called: the named one only, where one is named."""
        if isinstance(self.choice, Mapping):
            name = self.choice["function"]["name"]
            return tuple(tool for tool in self.tools if function_name(tool) == name)
        return self.tools


NO_TOOLS = ToolSpecs()


WEB_SEARCH = "web_search"


def is_web_search(kind: object) -> bool:
    """Whether a tool's type is a search of the web that a provider's servers run, in any version."""
    return isinstance(kind, str) and kind.startswith(WEB_SEARCH)


def function_name(tool: Tool) -> str:
    """The name of a tool's function."""
    name: str = tool["function"]["name"]
    return name


def normalise_function(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition whose arguments have a schema with properties: providers behind Poe refuse one without."""
    parameters = dict(definition.get("parameters") or {})
    # A schema made of others may be no object at its top, so nothing is added to it.
    if not any(name in parameters for name in ("$ref", "anyOf", "oneOf", "allOf")):
        parameters = {**_NO_ARGUMENTS, **parameters}
    return {**definition, "parameters": parameters}


ARGUMENT = "input"
_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {ARGUMENT: {"type": "string", "description": "The tool's whole input, as plain text."}},
    "required": [ARGUMENT],
    "additionalProperties": False,
}
# The beginning of the arguments up to the text itself.
_OPENING = re.compile(rf'\s*+\{{\s*+"{ARGUMENT}"\s*+:\s*+"')
# Longer than any opening that models write.
_LONGEST_OPENING = 64
# Whole characters of a JSON string, of which the first half of a surrogate pair is none.
_CHARACTERS = re.compile(
    r'(?:[^"\\]++|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\[^u])*+', re.DOTALL
)


def function_of(name: str, description: str | None, grammar: tuple[str, str] | None = None) -> dict[str, Any]:
    """The function that stands for a tool of this name. `grammar` is the syntax and the definition of its input."""
    lines = [description] if description else []
    if grammar is not None:
        syntax, definition = grammar
        lines.append(f"The input must fit this {syntax} grammar:\n{definition}")
    shown = {"description": "\n\n".join(lines)} if lines else {}
    return {"name": name, **shown, "parameters": _PARAMETERS}


def grammar_of(given: Any) -> tuple[str, str] | None:
    """Syntax and definition of a `format`, in the form of either of OpenAI's APIs; `None` for plain text."""
    if not isinstance(given, Mapping) or given.get("type") != "grammar":
        return None
    inner = given.get("grammar")
    found = inner if isinstance(inner, Mapping) else given
    syntax, definition = found.get("syntax"), found.get("definition")
    return (str(syntax), definition) if isinstance(definition, str) else None


def arguments_field() -> Field[str]:
    """The field of a call's arguments in a caller's request: JSON text."""
    return Field(_read_arguments, lambda: {"type": "string"}, default="{}", description="JSON text.")


def _read_arguments(value: Any, body: Body, name: str) -> str:
    # Some clients send the object itself.
    if isinstance(value, dict):
        return json.dumps(value)
    if not isinstance(value, str):
        raise body.wrong(name, "a string")
    # Functions without parameters are often called with an empty text.
    return value or "{}"


def to_arguments(text: str) -> str:
    """The function's arguments for a text."""
    return json.dumps({ARGUMENT: text}, ensure_ascii=False)


def to_text(arguments: str) -> str:
    """The text in a function's arguments, as far as it came; the arguments themselves where they hold no such text."""
    try:
        value = decode(arguments)
    except ValueError:
        # Cut short: what there is of the text is worth more than an error.
        return TextReader().feed(arguments) if arguments.lstrip().startswith("{") else arguments
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        if isinstance(value.get(ARGUMENT), str):
            return str(value[ARGUMENT])
        # Some models name the argument as they like; with one text in it there is no doubt which is meant.
        texts = [item for item in value.values() if isinstance(item, str)]
        if len(texts) == len(value) == 1:
            return texts[0]
    return "" if value in ({}, None) else arguments


class TextReader:
    """Reads the text out of arguments that arrive in pieces; each character is looked at once."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._sent: list[str] = []
        # What was not read yet: the opening, then the beginning of an escaped character.
        self._held = ""
        self._is_inside = False
        # Whether nothing more is read before the end: the text is complete, or the arguments are of another form.
        self._is_done = False

    def feed(self, piece: str) -> str:
        """The text that a piece of the arguments completes."""
        self._pieces.append(piece)
        if self._is_done:
            return ""
        held = self._held + piece
        if not self._is_inside:
            opening = _OPENING.match(held)
            if opening is None:
                self._is_done = len(held) > _LONGEST_OPENING
                self._held = held
                return ""
            self._is_inside = True
            held = held[opening.end() :]
        end = _CHARACTERS.match(held).end()  # type: ignore[union-attr]  # matches the empty string, too
        self._held = held[end:]
        self._is_done = self._held[:1] == '"' or len(self._held) > _LONGEST_OPENING
        text = _unescaped(held[:end])
        if text is None:
            self._is_done = True
            return ""
        self._sent.append(text)
        return text

    def finish(self) -> str:
        """What is left when the arguments are complete."""
        sent, whole = "".join(self._sent), to_text("".join(self._pieces))
        # If the pieces were another text than the whole, nothing that was sent can be taken back.
        return whole.removeprefix(sent) if whole.startswith(sent) else ""


def _unescaped(raw: str) -> str | None:
    if "\\" not in raw:
        return raw
    try:
        return str(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return None
