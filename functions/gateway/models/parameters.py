"""OpenAI's optional fields: which of them a model gets, and which are reported as ignored. Pure; the one such place.

A field is sent where the upstream is known to take it, or where the model declares an option of that name. Everything
else that a caller gave, and that would have changed the answer, is listed in the header `x-gateway-ignored`. Values
that mean what happens anyway (`store: false`, `presence_penalty: 0`) are neither sent nor reported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts import AccountKind
from gateway.http.bodies import decode_field
from gateway.http.fields import Fields
from gateway.models.capabilities import ModelFacts

_NUMBERS: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}
# Fields that Poe's official API takes for every model (docs/reference/poe-official.md#chat-parameters).
_PARALLEL = "parallel_tool_calls"
_OFFICIAL_ALWAYS = frozenset({"temperature", "top_p", _PARALLEL})
_EFFORT = "reasoning_effort"
_OBFUSCATION = "include_obfuscation"
# What `read_chat_call` and `messages` deal with.
_HANDLED = frozenset(
    {"extra_body", "function_call", "functions", "max_completion_tokens", "max_tokens", "messages", "metadata", "model"}
    | {"n", "parallel_tool_calls", "parameters", "prompt_cache_key", "response_format", "stop", "stream"}
    | {"stream_options", "suggested_replies", "tool_choice", "tools", "truncation"}
)
_IS_NEUTRAL: dict[str, Callable[[Any], bool]] = {
    "presence_penalty": lambda value: value == 0,
    "frequency_penalty": lambda value: value == 0,
    "logit_bias": lambda value: value == {},
    "logprobs": lambda value: value is False,
    "modalities": lambda value: value == ["text"],
    "service_tier": lambda value: value in ("auto", "default"),
    "store": lambda value: value is False,
    "top_logprobs": lambda value: value == 0,
}
# More names than any request needs; a header has its limits.
_MAX_REPORTED = 32
_MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class Options:
    """The optional fields of one request that are neither handled elsewhere nor neutral."""

    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The bot's own options, which the caller names as such: passed on as they are."""
    dropped: tuple[str, ...] = ()
    """Names of what can't be honoured with any account."""

    def sent(self, kind: AccountKind, facts: ModelFacts) -> dict[str, Any]:
        """What goes with the request to an account of this kind."""
        chosen = {name: value for name, value in self.fields.items() if _is_sent(name, kind, facts)}
        return {**chosen, **self.parameters}

    def doubtful(self, facts: ModelFacts) -> frozenset[str]:
        """Names of what the model does not declare: an upstream that refuses it can be asked without."""
        return frozenset(name for name in self.fields if not facts.declares(name) and name not in self.parameters)

    def ignored(self, kind: AccountKind, facts: ModelFacts) -> tuple[str, ...]:
        """Names of what an account of this kind is not told, and the gateway does not see to itself."""
        unsent = [name for name in self.fields if name != _PARALLEL and not _is_sent(name, kind, facts)]
        return tuple(sorted({*self.dropped, *unsent}))


def _is_sent(name: str, kind: AccountKind, facts: ModelFacts) -> bool:
    declared = facts.declares(name)
    if declared:
        return True
    if kind is AccountKind.WEB:
        return False
    if name == _EFFORT:
        # Poe's documentation says that it is ignored; recorded replies show that it is passed on and checked
        # (docs/reference/poe-official.md#chat-parameters).
        return facts.takes_reasoning_effort is not False and (declared is None or bool(facts.takes_reasoning_effort))
    return name in _OFFICIAL_ALWAYS


def read_options(body: Fields, *, has_tools: bool) -> Options:
    """Check what has a known type, and sort the fields. Raises `GatewayError` (400), naming the field."""
    for name, (lowest, highest) in _NUMBERS.items():
        body.number(name, lowest=lowest, highest=highest)
    body.text(_EFFORT, max_length=32)
    given: dict[str, Any] = {}
    for name, value in body.values.items():
        is_neutral = _IS_NEUTRAL.get(name)
        if name in _HANDLED or value is None or (is_neutral is not None and is_neutral(value)):
            continue
        given[name] = value
    if body.get(_PARALLEL) is not None and has_tools:
        given[_PARALLEL] = body.flag(_PARALLEL)
    metadata = body.mapping("metadata")
    extra = body.mapping("extra_body")
    dropped = [f"metadata.{name}" for name in (metadata.values if metadata else ()) if name != "session_id"]
    known = ("parameters", "suggested_replies", "truncation")
    dropped += [f"extra_body.{name}" for name in (extra.values if extra else ()) if name not in known]
    stream_options = body.mapping("stream_options")
    if stream_options is not None and stream_options.get(_OBFUSCATION):
        dropped.append(f"stream_options.{_OBFUSCATION}")
    parameters = read_parameters(body)
    parameters.pop("suggested_replies", None)
    return Options(given, parameters, (*dropped, *_unheard(body.get("messages"))))


def _unheard(messages: Any) -> set[str]:
    """What of the messages no account can be told, each thing once however often it is said."""
    names: set[str] = set()
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, dict):
            continue
        if message.get("audio") is not None:
            names.add("messages.audio")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            if isinstance(image, dict) and image.get("detail") not in (None, "auto"):
                names.add("messages.image_url.detail")
    return names


def read_parameters(body: Fields) -> dict[str, Any]:
    """`parameters`, else `extra_body.parameters`, which may be JSON text; as the original gateway took them.

    Raises `GatewayError` (400) for anything but an object.
    """
    extra = body.mapping("extra_body")
    place = body if body.get("parameters") is not None or extra is None else extra
    value = place.get("parameters")
    if isinstance(value, str) and place is extra:
        try:
            value = decode_field(value)
        except ValueError:
            raise place.wrong("parameters", "an object") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise place.wrong("parameters", "an object")
    return dict(value)


def wants_suggested_replies(body: Fields) -> bool:
    """Whether the caller asks for Poe's suggested replies: `suggested_replies`, also in `parameters`.

    Raises `GatewayError` (400) for anything but true or false at the top.
    """
    if body.flag("suggested_replies"):
        return True
    extra = body.mapping("extra_body")
    if extra is not None and extra.flag("suggested_replies"):
        return True
    return read_parameters(body).get("suggested_replies") is True


def ignored_header(names: tuple[str, ...]) -> str:
    """The value of `x-gateway-ignored`: names only, made safe for a header, cut to a sane number."""
    safe = ("".join(character if _is_plain(character) else "_" for character in name[:_MAX_NAME]) for name in names)
    return ", ".join([*safe][:_MAX_REPORTED])


def _is_plain(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character in "._-[]")
