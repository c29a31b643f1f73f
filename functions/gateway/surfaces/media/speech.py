"""Text made into sound: the request, and the bot's options that follow from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from accounts import AccountKind
from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.errors import invalid
from gateway.http.schemas import TEXT, Schema, obj
from gateway.models.model import Model
from lazy_dataclasses import dataclass

MAX_INPUT_CHARS = 32_000
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
# The types under which each format travels.
_FORMAT_TYPES = {
    "mp3": ("audio/mpeg", "audio/mp3"),
    "opus": ("audio/ogg", "audio/opus"),
    "aac": ("audio/aac", "audio/mp4"),
    "flac": ("audio/flac", "audio/x-flac"),
    "wav": ("audio/wav", "audio/x-wav"),
    "pcm": ("audio/pcm", "audio/l16"),
}
# OpenAI's field, and what bots call it.
_NAMES = {
    "voice": ("voice", "voice_id", "voice_name"),
    "speed": ("speed",),
    "instructions": ("instructions",),
    "response_format": ("response_format", "output_format", "format"),
}
_OPENAI_VOICES = frozenset("alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split())
_MAX_SHOWN = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """One request for speech."""

    model: str
    text: str = field(repr=False)
    response_format: str | None = None
    wishes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Voice, speed, instructions, format, as given."""
    parameters: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The bot's own options, passed on as they are."""

    def sent(self, kind: AccountKind, model: Model | None) -> dict[str, Any]:
        """The parameters for an account of this kind.

        What a model declares is known by its own name. Of a model that declares nothing is known: the web takes voice
        and speed or leaves them; Poe's official API would refuse the request. Raises `GatewayError` (400) for a voice
        that the model does not have.
        """
        found: dict[str, Any] = {}
        for wish, value in self.wishes.items():
            if model is not None and model.parameters is not None:
                # Models declare one of these names as a rule; of several the first one counts.
                name = next((name for name in _NAMES[wish] if model.declared(name) is not None), None)
                given = _fitted(wish, value, model.declared(name)) if name is not None else None
            else:
                name = wish if kind.traits.ignores_unknown_parameters and wish in ("voice", "speed") else None
                given = value
            if name is not None and given is not None:
                found[name] = given
        # What the caller names as the bot's own option wins.
        return {**found, **self.parameters}

    def ignored(self, sent: Mapping[str, Any], content_type: str) -> tuple[str, ...]:
        """What the caller asked for and did not get."""
        unsent = [wish for wish, value in self.wishes.items() if not _is_sent_as(wish, value, sent)]
        # The format is judged by what came, not by what was asked for: many bots make only one.
        unsent = [wish for wish in unsent if wish != "response_format"]
        if self.response_format and content_type not in _FORMAT_TYPES[self.response_format]:
            unsent.append("response_format")
        return tuple(unsent)


def _is_sent_as(wish: str, value: Any, sent: Mapping[str, Any]) -> bool:
    """Whether the bot is told just that, by whatever name; a bot's own spelling of a voice is the same voice."""
    told = next((sent[name] for name in _NAMES[wish] if name in sent), None)
    return told == value or (isinstance(told, str) and isinstance(value, str) and told.lower() == value.lower())


def _fitted(wish: str, value: Any, declared: Mapping[str, Any] | None) -> Any:
    """The value as the model's declaration allows it; `None` where there is none like it.

    A number is moved to the nearest bound. OpenAI's own voices, which programs name without asking, become the model's
    default. Raises `GatewayError` (400) for another voice that the model does not have.
    """
    schema = (declared or {}).get("schema")
    schema = schema if isinstance(schema, Mapping) else {}
    allowed = schema.get("enum")
    if isinstance(allowed, list) and allowed:
        # Bots have spellings of their own for the same voices.
        same = next((one for one in allowed if str(one).lower() == str(value).lower()), None)
        if same is not None or wish != "voice":
            return same
        # SDKs require a voice, so that these names say nothing about what the caller wants.
        if str(value).lower() in _OPENAI_VOICES:
            return None
        raise invalid(
            f"The model has no voice '{value[:_MAX_SHOWN]}'; it has: {', '.join(map(str, allowed))}.",
            param="voice",
            code="unsupported_value",
        )
    if isinstance(value, int | float):
        lowest, highest = schema.get("minimum"), schema.get("maximum")
        value = max(value, lowest) if isinstance(lowest, int | float) else value
        value = min(value, highest) if isinstance(highest, int | float) else value
    return value


_LONGEST_VOICE = 256


def _voice(value: Any, body: Body, name: str) -> str | None:
    """A name, or an object with it."""
    voice = value.get("id") if isinstance(value, dict) else value
    if voice is not None and (not isinstance(voice, str) or len(voice) > _LONGEST_VOICE):
        raise body.wrong(name, "a voice's name")
    return voice


_VOICE: Schema = {"anyOf": [{**TEXT, "maxLength": _LONGEST_VOICE}, obj(id={**TEXT, "maxLength": _LONGEST_VOICE})]}


class SpeechBody(Body):
    """`POST /v1/audio/speech`."""

    model = fields.required_text(max_length=256)
    input = fields.required_text(max_length=MAX_INPUT_CHARS)
    voice: Field[str | None] = fields.option(Field(_voice, lambda: _VOICE, default=None))
    speed = fields.option(fields.number(lowest=0.25, highest=4))
    instructions = fields.option(fields.text(max_length=4096))
    response_format = fields.option(fields.choice(*FORMATS))
    stream_format = fields.choice("audio", "sse", description="`sse` is not offered.")
    parameters = fields.mapping("Options that the bot itself declares.")


def read_speech_request(values: Mapping[str, Any]) -> SpeechRequest:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = SpeechBody(values)
    # Clients that ask for events can't read a sound.
    if body.stream_format == "sse":
        raise invalid("'stream_format' must be 'audio'.", param="stream_format", code="unsupported_value")
    return SpeechRequest(
        model=body.model.strip(),
        text=body.input,
        response_format=body.response_format,
        wishes=body.options(),
        parameters=body.parameters or {},
    )
