"""The body of a chat completion, normalised: what the caller wants, in our words. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts import AccountKind
from gateway.answer import AnswerLimits
from gateway.errors import invalid
from gateway.fields import Fields
from gateway.messages import estimate_tokens, read_messages
from gateway.prompts import flatten
from reverse.chat import ChatRequest, Message

MAX_STOPS = 16
MAX_TOOLS = 128
# Fields that Poe's official API takes as they are (poe-official reference C.2, November 2026).
_FORWARDED_NUMBERS = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0)}
_FORWARDED = ("reasoning_effort", "parallel_tool_calls")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCall:
    """One chat completion as asked for."""

    model: str
    """As the caller wrote it."""
    turns: tuple[Message, ...] = field(repr=False)
    is_streamed: bool = False
    wants_usage: bool = False
    """Whether a stream ends with a usage chunk."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The bot's own options, for either kind of account."""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    """OpenAI fields that only the official API takes."""
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    tool_choice: Any = None
    response_format: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def kinds(self) -> tuple[AccountKind, ...]:
        """Kinds of account that can do what is asked for, best first."""
        if self.tools or self.response_format:
            return (AccountKind.OFFICIAL,)
        return (AccountKind.OFFICIAL, AccountKind.WEB)

    @property
    def prompt_tokens(self) -> int:
        """Estimate."""
        return estimate_tokens(self.turns)

    def limits(self, kind: AccountKind) -> AnswerLimits:
        """What the gateway must cut itself. The official API counts real tokens; our estimate must not overrule it."""
        return AnswerLimits(self.max_tokens if kind is AccountKind.WEB else None, self.stop)

    def build(self, bot: str, kind: AccountKind) -> ChatRequest:
        """The request for one account."""
        if kind is AccountKind.WEB:
            prompt = flatten(self.turns)
            message = Message("user", prompt.text, prompt.attachments)
            return ChatRequest(bot, (message,), parameters=self.parameters)
        return ChatRequest(
            bot,
            self.turns,
            parameters={**self.sampling, **self.parameters},
            tools=self.tools,
            tool_choice=self.tool_choice,
            response_format=self.response_format,
            max_tokens=self.max_tokens,
            # Poe refuses stop sequences of white space only (poe-official reference C.2); ours are kept here anyway.
            stop=tuple(stop for stop in self.stop if stop.strip()),
        )


def read_chat_call(values: Mapping[str, Any]) -> ChatCall:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = Fields(values)
    if body.integer("n", lowest=1) not in (None, 1):
        raise invalid("'n' must be 1.", param="n", code="unsupported_value")
    options = body.mapping("stream_options")
    tool_choice = body.get("tool_choice")
    tools = (
        () if tool_choice == "none" else tuple(item.values for item in body.objects("tools", max_items=MAX_TOOLS) or ())
    )
    return ChatCall(
        model=body.required_text("model", max_length=256).strip(),
        turns=tuple(read_messages(body)),
        is_streamed=body.flag("stream"),
        wants_usage=options is not None and options.flag("include_usage"),
        max_tokens=_max_tokens(body),
        stop=_stop(body),
        parameters=_parameters(body),
        sampling=_sampling(body),
        tools=tools,
        tool_choice=tool_choice if tools else None,
        response_format=_response_format(body),
    )


def _max_tokens(body: Fields) -> int | None:
    newer = body.integer("max_completion_tokens", lowest=1)
    return body.integer("max_tokens", lowest=1) if newer is None else newer


def _stop(body: Fields) -> tuple[str, ...]:
    value = body.get("stop")
    if value is None:
        return ()
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MAX_STOPS or not all(isinstance(item, str) for item in values):
        raise body.wrong("stop", f"a string or an array of at most {MAX_STOPS} strings")
    # An empty string would stop everything; OpenAI ignores it.
    return tuple(dict.fromkeys(item for item in values if item))


def _sampling(body: Fields) -> dict[str, Any]:
    sampling: dict[str, Any] = {}
    for name, (lowest, highest) in _FORWARDED_NUMBERS.items():
        if (value := body.number(name, lowest=lowest, highest=highest)) is not None:
            sampling[name] = value
    return sampling | {name: body.get(name) for name in _FORWARDED if body.get(name) is not None}


def _parameters(body: Fields) -> dict[str, Any]:
    """`parameters`, else `extra_body.parameters`, which may be JSON text; as the original gateway took them."""
    extra = body.mapping("extra_body")
    place = body if body.get("parameters") is not None or extra is None else extra
    value = place.get("parameters")
    if isinstance(value, str) and place is extra:
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise place.wrong("parameters", "an object") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise place.wrong("parameters", "an object")
    return value


def _response_format(body: Fields) -> Mapping[str, Any] | None:
    value = body.mapping("response_format")
    if value is None:
        return None
    kind = value.choice("type", ("text", "json_object", "json_schema"))
    return None if kind in (None, "text") else value.values
