"""The body of a completion. Pure.

Each prompt becomes one user message. Chat models do not continue a text where the prompt ends; they answer it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.http.errors import invalid
from gateway.http.fields import Fields
from gateway.prompt.request import ChatCall, read_chat_call

MAX_PROMPTS = 20
# Prompts times `n`.
MAX_ANSWERS = 20
# Read here. What a chat completion shares is passed on to it, as it is.
_OWN = frozenset("best_of echo logprobs n prompt suffix".split())
# Words that only a chat completion gives a meaning to.
_FOREIGN = frozenset(
    "function_call functions max_completion_tokens messages metadata parallel_tool_calls response_format "
    "suggested_replies tool_choice tools".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionCall:
    """One request."""

    model: str
    prompts: tuple[str, ...] = field(repr=False)
    count: int = 1
    """Answers per prompt."""
    is_streamed: bool = False
    wants_usage: bool = False
    echoes: bool = False
    chat: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The chat completion without its messages."""
    dropped: tuple[str, ...] = ()
    """Names of fields that mean nothing here."""

    @property
    def answers(self) -> int:
        return len(self.prompts) * self.count

    def prompt_of(self, index: int) -> str:
        """The prompt of an answer: OpenAI numbers all answers to the first prompt first."""
        return self.prompts[index // self.count]

    def chat_call(self, prompt: str) -> ChatCall:
        """The chat completion that answers a prompt. Raises `GatewayError` (400)."""
        return read_chat_call({**self.chat, "messages": [{"role": "user", "content": prompt}]})


def read_completion_call(values: Mapping[str, Any]) -> CompletionCall:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = Fields(values)
    for name in ("suffix", "logprobs"):
        if body.get(name) not in (None, "", 0):
            raise _unsupported(name, "is not supported: chat models answer a prompt, and say no probabilities")
    if body.integer("best_of", lowest=1) not in (None, body.integer("n", lowest=1) or 1):
        raise _unsupported("best_of", "is not supported")
    options = body.mapping("stream_options")
    call = CompletionCall(
        model=body.required_text("model", max_length=256).strip(),
        prompts=_prompts(body),
        count=body.integer("n", lowest=1, highest=MAX_ANSWERS) or 1,
        is_streamed=body.flag("stream"),
        wants_usage=options is not None and options.flag("include_usage"),
        echoes=body.flag("echo"),
        chat={name: value for name, value in values.items() if name not in _OWN | _FOREIGN},
        dropped=tuple(name for name in values if name in _FOREIGN),
    )
    if call.answers > MAX_ANSWERS:
        raise invalid(f"At most {MAX_ANSWERS} answers can be asked for at once.", param="n", code="out_of_range")
    return call


def _prompts(body: Fields) -> tuple[str, ...]:
    value = body.get("prompt")
    if value is None:
        raise body.missing("prompt")
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
        raise body.wrong("prompt", "a string or an array of strings; arrays of tokens are not supported")
    if len(values) > MAX_PROMPTS or not all(item.strip() for item in values):
        raise body.wrong("prompt", f"at most {MAX_PROMPTS} strings that are not empty")
    return tuple(values)


def _unsupported(name: str, why: str) -> Exception:
    return invalid(f"'{name}' {why}.", param=name, code="unsupported_value")
