"""The tools of a request, whichever API they came through. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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

    @property
    def must_call(self) -> bool:
        """Whether an answer without a call is not what was asked for."""
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


def function_name(tool: Tool) -> str:
    """The name of a tool's function."""
    name: str = tool["function"]["name"]
    return name


def normalise_function(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition whose arguments have a schema with properties: providers behind Poe refuse one without."""
    parameters = dict(definition.get("parameters") or {})
    if not any(name in parameters for name in ("$ref", "anyOf", "oneOf", "allOf")):
        parameters = {**_NO_ARGUMENTS, **parameters}
    return {**definition, "parameters": parameters}
