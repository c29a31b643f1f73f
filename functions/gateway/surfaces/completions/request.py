"""The body of a completion. Pure.

Each prompt becomes one user message. Chat models do not continue a text where the prompt ends; they answer it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.errors import GatewayError, invalid
from gateway.http.schemas import Schema, array
from gateway.prompt.body import TextBody, stop_field
from gateway.prompt.request import FieldNames, GenerationRequest
from lazy_dataclasses import dataclass
from reverse.chat import Message

MAX_PROMPTS = 20
# Prompts times `n`.
MAX_ANSWERS = 20
NAMES = FieldNames(messages="prompt", are_turns_alike=False)


def _prompts(value: Any, body: Body, name: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
        # Tokens belong to one tokenizer, and Poe's models have many.
        raise body.wrong(name, "a string or an array of strings; arrays of tokens are not supported")
    # The caller's mistake, told before an account is leased for it.
    if len(values) > MAX_PROMPTS or not all(item.strip() for item in values):
        raise body.wrong(name, f"at most {MAX_PROMPTS} strings that are not empty")
    return tuple(values)


_PROMPT: Schema = {"type": "string", "minLength": 1, "pattern": r"\S"}


class StreamOptions(Body):
    """`stream_options`."""

    include_usage = fields.flag("End the stream with a chunk that has the usage.")
    include_obfuscation = fields.anything({"type": "boolean"}, "Not offered.")


class CompletionBody(TextBody):
    """`POST /v1/completions`."""

    prompt: Field[tuple[str, ...]] = Field(
        _prompts, lambda: {"anyOf": [_PROMPT, array(_PROMPT, minItems=1, maxItems=MAX_PROMPTS)]}
    )
    n = fields.integer(lowest=1, highest=MAX_ANSWERS, description="Answers per prompt.")
    best_of = fields.integer(lowest=1, description="Must be as `n`: there is nothing to choose the best by.")
    echo = fields.flag("Begin each answer with its prompt.")
    suffix = fields.anything({"const": ""}, "Not offered.")
    logprobs = fields.anything({"const": 0}, "Not offered.")
    max_tokens = fields.integer(lowest=1)
    stop = stop_field()
    stream_options = fields.nested(StreamOptions)
    reasoning_effort = fields.option(fields.text(max_length=32, description="As far as the model takes it."))


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """One request."""

    prompts: tuple[str, ...] = field(repr=False)
    count: int
    """Answers per prompt."""
    echoes: bool
    shared: GenerationRequest = field(repr=False)
    """What all prompts have in common; its turns are those of the first."""

    @property
    def model(self) -> str:
        """As the caller wrote it."""
        return self.shared.model

    @property
    def is_streamed(self) -> bool:
        return self.shared.is_streamed

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with a usage chunk."""
        return self.shared.wants_usage

    @property
    def answers(self) -> int:
        return len(self.prompts) * self.count

    def prompt_of(self, index: int) -> str:
        """The prompt of an answer: OpenAI numbers all answers to the first prompt first."""
        return self.prompts[index // self.count]

    def generation_requests(self) -> list[GenerationRequest]:
        """One request for each prompt."""
        return [replace(self.shared, turns=(Message("user", prompt),)) for prompt in self.prompts]


def read_completion_request(values: Mapping[str, Any]) -> CompletionRequest:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = CompletionBody(values)
    model = body.model.strip()
    for name, value in (("suffix", body.suffix), ("logprobs", body.logprobs)):
        # These values ask for nothing.
        if value not in (None, "", 0):
            raise _unsupported(name, "is not supported: chat models answer a prompt, and say no probabilities")
    count = body.n or 1
    # Choosing the best needs probabilities, and each candidate would be paid for.
    if body.best_of not in (None, count):
        raise _unsupported("best_of", "is not supported")
    # Both fields together: each within its limit would still allow 400 paid answers.
    if len(body.prompt) * count > MAX_ANSWERS:
        raise invalid(f"At most {MAX_ANSWERS} answers can be asked for at once.", param="n", code="out_of_range")
    options = body.stream_options
    dropped = ["stream_options.include_obfuscation"] if options is not None and options.include_obfuscation else []
    return CompletionRequest(
        prompts=body.prompt,
        count=count,
        echoes=body.echo,
        shared=GenerationRequest(
            model=model,
            # The first prompt stands for all where one is enough, such as for the checks of options.
            turns=(Message("user", body.prompt[0]),),
            is_streamed=body.stream,
            wants_usage=options is not None and options.include_usage,
            max_tokens=body.max_tokens,
            stop=body.stop,
            options=body.read_options(NAMES, dropped=dropped),
            wants_suggested_replies=body.wants_replies(asked=False),
            cache_key=body.cache_key,
            may_truncate=body.may_truncate,
            names=NAMES,
        ),
    )


def _unsupported(name: str, why: str) -> GatewayError:
    return invalid(f"'{name}' {why}.", param=name, code="unsupported_value")
