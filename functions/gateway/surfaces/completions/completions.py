"""OpenAI's older completions, over chats: the request, and its answers as chunks or as one object.

Each prompt becomes one user message of a chat completion, which decides all that both have in common: limits, options,
what is passed on. What such a request means, a text going on where the prompt ends, chat models don't do; they answer
it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.generation.generation import Generation
from gateway.generation.usage import TokenUsage
from gateway.http.errors import invalid
from gateway.http.fields import Fields
from gateway.prompt.request import ChatCall, read_chat_call
from gateway.surfaces.chat.encoder import DONE, encode_text, finish_reason, missing_links
from reverse.events import FileAttached, Finished, FinishReason, TextDelta, TextReplaced

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


@dataclass(frozen=True, slots=True)
class Answered:
    """One finished answer."""

    text: str = field(repr=False)
    reason: FinishReason
    usage: TokenUsage


async def collect_answer(generation: Generation) -> Answered:
    """Run a generation to its end. Raises what it raises."""
    texts: list[str] = []
    files: list[FileAttached] = []
    reason = FinishReason.STOP
    async with generation:
        async for event in generation.events():
            match event:
                case TextDelta(text):
                    texts.append(text)
                case TextReplaced(text):
                    texts = [text]
                case FileAttached():
                    files.append(event)
                case Finished():
                    reason = event.reason
    text = "".join(texts)
    return Answered(text + missing_links(files, text), reason, generation.usage)


class CompletionEncoder:
    """Encodes the answers to one request."""

    def __init__(self, call: CompletionCall, *, created: int) -> None:
        head = {
            "id": f"cmpl-{secrets.token_hex(14)}",
            "object": "text_completion",
            "created": created,
            "model": call.model,
        }
        self._call = call
        self._head = head
        self._open = b"data: " + _json(head)[:-1] + b',"choices":[{"text":'
        self._used: list[TokenUsage] = []

    def whole(self, answers: Sequence[Answered]) -> bytes:
        """The response that is not streamed."""
        choices = [
            {
                "text": (self._call.prompt_of(index) if self._call.echoes else "") + answer.text,
                "index": index,
                "logprobs": None,
                "finish_reason": _reason(answer.reason),
            }
            for index, answer in enumerate(answers)
        ]
        used = _total([answer.usage for answer in answers]).to_chat()
        return _json(self._head | {"choices": choices, "usage": used})

    async def stream(self, index: int, generation: Generation) -> AsyncGenerator[bytes, None]:
        """One answer's chunks; its end is yielded after it has been booked. Raises what the generation raises."""
        files: list[FileAttached] = []
        reason = FinishReason.STOP
        # Held until the bot begins to answer: a failure before that is an ordinary error response.
        head = self._chunk(index, self._call.prompt_of(index)) if self._call.echoes else b""
        async with generation:
            async for event in generation.events():
                match event:
                    case TextDelta(text):
                        yield head + self._chunk(index, text)
                        head = b""
                    case FileAttached():
                        files.append(event)
                    case Finished():
                        reason = event.reason
            links = missing_links(files, generation.text)
        self._used.append(generation.usage)
        yield head + self._chunk(index, links, _reason(reason))

    def end(self) -> bytes:
        """All that ends the stream."""
        if not self._call.wants_usage:
            return DONE
        used = _total(self._used).to_chat()
        return b"data: " + _json(self._head | {"choices": [], "usage": used}) + b"\n\n" + DONE

    def _chunk(self, index: int, text: str, reason: str | None = None) -> bytes:
        rest = b',"index":%d,"logprobs":null,"finish_reason":%s}]' % (index, _json(reason))
        tail = b',"usage":null}\n\n' if self._call.wants_usage else b"}\n\n"
        return self._open + encode_text(text) + rest + tail


def _reason(reason: FinishReason) -> str:
    """The older endpoint has no word for tool calls, which nobody asked for here."""
    return "stop" if reason is FinishReason.TOOL_CALLS else finish_reason(reason)


def _total(used: Sequence[TokenUsage]) -> TokenUsage:
    points = [item.points for item in used if item.points is not None]
    return TokenUsage(
        sum(item.prompt_tokens for item in used),
        sum(item.completion_tokens for item in used),
        points=sum(points) if points else None,
        is_estimated=any(item.is_estimated for item in used),
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
