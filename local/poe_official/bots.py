"""The answers of the simulated bots. Pure: the same question gives the same answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.poe_official.schema_instances import instance_of


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a question, whatever the endpoint called its parts. `files` are names or kinds of attachments."""

    role: str
    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What a bot is asked. `store(name, content_type, data)` keeps a made file and returns its address."""

    turns: tuple[Turn, ...]
    tools: Sequence[Mapping[str, Any]] = ()
    """Function definitions: `name`, `parameters`."""
    tool_choice: Any = None
    schema: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    store: Callable[[str, str, bytes], str] = lambda name, _type, _data: f"http://files.invalid/{name}"
    marks_cache: bool = False
    """Whether it says what of it is worth keeping in the provider's cache."""

    @property
    def words(self) -> int:
        """How many words all turns have."""
        return sum(len(turn.text.split()) for turn in self.turns)

    @property
    def prompt(self) -> str:
        """The text of the last turn of the user."""
        return next((turn.text for turn in reversed(self.turns) if turn.role == "user"), "")


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that a bot made."""

    url: str
    content_type: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a bot says, in order: reasoning, what is replaced later, text, calls of (name, arguments as JSON), files."""

    text: str = ""
    reasoning: str = ""
    draft: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    files: tuple[MadeFile, ...] = ()
    suggestions: tuple[str, ...] = ()


Bot = Callable[[Question], Answer]


def pieces(text: str) -> list[str]:
    """Text word by word, as it is streamed."""
    return re.findall(r"\s*\S+\s*", text) or ([text] if text else [])


def said(prompt: str) -> str | None:
    """What stands in the last `[[say: … ]]` of a prompt."""
    found = re.findall(r"\[\[say:\s*(.*?)\s*\]\](?!\])", prompt, re.DOTALL)
    return found[-1] if found else None


def asked_calls(question: Question) -> tuple[tuple[str, str], ...]:
    """The calls that the prompt asks for with `[[call: {…}]]` or `[[call: name {…}]]`, for tools that were offered."""
    names = [str(tool.get("name")) for tool in question.tools]
    if not names or question.tool_choice == "none" or _is_answered(question):
        return ()
    found = re.findall(r"\[\[call:\s*([\w.-]*)\s*(\{.*?\})\s*\]\]", question.prompt, re.DOTALL)
    return tuple((name if name in names else names[0], arguments) for name, arguments in found)


def _is_answered(question: Question) -> bool:
    return bool(question.turns) and question.turns[-1].role == "tool"


def commanded(otherwise: Bot) -> Bot:
    """A bot that follows `[[call: …]]` and `[[say: …]]`, and is `otherwise` without them."""

    def bot(question: Question) -> Answer:
        calls, text = asked_calls(question), said(question.prompt)
        if calls:
            return Answer(calls=calls)
        if _is_answered(question):
            return Answer(f"The tool said: {question.turns[-1].text}")
        return otherwise(question) if text is None else Answer(text)

    return bot


def echo(question: Question) -> Answer:
    """Says what it was told, and names the files it was given."""
    files = "".join(f"\n[{name}]" for turn in question.turns for name in turn.files)
    return Answer(f"You said: {question.prompt}{files}")


def story(question: Question) -> Answer:
    """Numbered words: 40, or as many as the prompt says in "count 200" (at most 20,000)."""
    asked = re.findall(r"\bcount (\d{1,5})\b", question.prompt)
    count = min(int(asked[-1]), 20_000) if asked else 40
    return Answer(" ".join(f"w{n:04d}" for n in range(1, count + 1)))


def reasoner(question: Question) -> Answer:
    """Thinks visibly, then answers."""
    effort = question.parameters.get("reasoning_effort", "medium")
    return Answer(f"Answer: {question.prompt}", reasoning=f"Thinking with {effort} effort about {question.prompt}")


def muser(question: Question) -> Answer:
    """Keeps its thinking in the text of the answer, as some models do: a heading, quoted lines, the answer."""
    if question.parameters.get("enable_thinking") is False:
        return Answer(f"Answer: {question.prompt}")
    lines = f'The question is "{question.prompt}".\nPerhaps {{"draft": true}} would do.\n\nNo, it needs an answer.'
    quoted = "\n".join(f"> {line}".rstrip() for line in lines.split("\n"))
    return Answer(f"*Thinking...*\n\n{quoted}\n\nAnswer: {question.prompt}")


def toolcaller(question: Question) -> Answer:
    """Calls the first tool it is offered, or the one it must, with arguments that fit; without tools it echoes."""
    if not question.tools or question.tool_choice == "none":
        return echo(question)
    forced = question.tool_choice.get("name") if isinstance(question.tool_choice, dict) else None
    tool = next((tool for tool in question.tools if tool.get("name") == forced), question.tools[0])
    return Answer(calls=((str(tool.get("name")), json.dumps(instance_of(tool.get("parameters", {})))),))


def structured(question: Question) -> Answer:
    """Answers with the smallest instance of the schema it is given; without one it echoes."""
    return echo(question) if question.schema is None else Answer(json.dumps(instance_of(question.schema)))


def suggester(question: Question) -> Answer:
    """Drafts, replaces the draft by the answer, and proposes follow-up questions."""
    return Answer(f"Answer: {question.prompt}", draft="Working on it ...", suggestions=("Tell me more", "Why?"))


def silent(_question: Question) -> Answer:
    """Says nothing at all."""
    return Answer()
