"""The fields that the bodies of all endpoints for answers in text have in common. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.http.bodies import decode_field
from gateway.http.declared_body import Body, Field
from gateway.http.fields import choice, flag, mapping, nested, number, option, required_text, text
from gateway.http.schemas import TEXT, Schema, array
from gateway.models.capabilities import Options, sort_options
from gateway.prompt.request import FieldNames

MAX_STOPS = 16
MAX_STOP_CHARS = 1024
LONGEST_NAME = 256
_PARAMETERS = "Options that the bot itself declares, passed on as they are."
_TRUNCATION = "With `auto`, the oldest turns are left out where the model's window is too small for all."
_SUGGESTED = "Ask for the follow-up questions that Poe suggests, where the account can."


def read_parameters(value: Any, body: Body, name: str) -> dict[str, Any]:
    """An object, or JSON text of one, as forms and some clients' extra fields carry it. Raises `GatewayError` (400)."""
    # A form, or a client with string-valued extras, can't send an object.
    if isinstance(value, str):
        try:
            value = decode_field(value)
        except ValueError:
            raise body.wrong(name, "an object") from None
    if not isinstance(value, dict):
        raise body.wrong(name, "an object")
    return value


class ExtraBody(Body):
    """`extra_body`, which some clients send as a field instead of unpacking it."""

    parameters: Field[dict[str, Any] | None] = Field(
        read_parameters, lambda: {"type": "object"}, default=None, description=_PARAMETERS
    )
    suggested_replies = flag(_SUGGESTED)
    truncation = choice("auto", "disabled", description=_TRUNCATION)


class SessionMetadata(Body):
    """`metadata` as far as it means something here."""

    session_id = text(
        max_length=LONGEST_NAME,
        description="Names a conversation, which stays with one account and, on a web account, in one Poe chat.",
    )


class TextBody(Body):
    """The fields that every endpoint for answers in text has."""

    model = required_text(max_length=LONGEST_NAME, description="A name from `/v1/models`, or any other bot's.")
    stream = flag("Send the answer as server-sent events while it is written.")
    temperature = option(number(lowest=0, highest=2))
    top_p = option(number(lowest=0, highest=1))
    presence_penalty = option(number(lowest=-2, highest=2))
    frequency_penalty = option(number(lowest=-2, highest=2))
    parameters = mapping(_PARAMETERS)
    extra_body = nested(ExtraBody, "The extensions again, for clients that do not unpack it.")
    truncation = choice("auto", "disabled", description=_TRUNCATION)
    prompt_cache_key = text(
        max_length=LONGEST_NAME, description="Requests with the same key are sent to the same account where possible."
    )

    @property
    def cache_key(self) -> str | None:
        """`prompt_cache_key` without white space around it."""
        return (self.prompt_cache_key or "").strip() or None

    @property
    def may_truncate(self) -> bool:
        """Whether the oldest turns may be left out."""
        extra = self.extra_body
        # The field itself counts before its copy in `extra_body`.
        return (extra.truncation if self.truncation is None and extra is not None else self.truncation) == "auto"

    @property
    def bot_parameters(self) -> dict[str, Any]:
        """The bot's own options; those in `extra_body` count where `parameters` is absent."""
        given = self.parameters
        if given is None and self.extra_body is not None:
            given = self.extra_body.parameters
        return dict(given or {})

    def wants_replies(self, *, asked: bool) -> bool:
        """Whether suggested replies are wanted: `asked` at the top, or in either place of the extensions."""
        extra = self.extra_body is not None and self.extra_body.suggested_replies
        return asked or extra or self.bot_parameters.get("suggested_replies") is True

    def read_options(
        self,
        names: FieldNames,
        *,
        more: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        dropped: Iterable[str] = (),
    ) -> Options:
        """The options, with `more` by Poe's names and `parameters` in place of the bot's own."""
        own = self.bot_parameters if parameters is None else dict(parameters)
        # Not an option of the bot: `wants_replies` reads it.
        own.pop("suggested_replies", None)
        # Reported rather than sent: only the extensions are read from `extra_body`.
        extra = [] if self.extra_body is None else list(self.extra_body.undeclared())
        return sort_options(
            self.options() | {name: value for name, value in (more or {}).items() if value is not None},
            self.undeclared(),
            parameters=own,
            dropped=(*dropped, *(f"extra_body.{name}" for name in extra)),
            foreign=names.foreign,
        )


STOP: Schema = {**TEXT, "maxLength": MAX_STOP_CHARS}


def _stop(value: Any, body: Body, name: str) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MAX_STOPS or not all(isinstance(item, str) for item in values):
        raise body.wrong(name, f"a string or an array of at most {MAX_STOPS} strings")
    return read_stops(values, body, name)


def read_stops(values: Sequence[str], body: Body, name: str) -> tuple[str, ...]:
    """The stop sequences, each once. Raises `GatewayError` (400) for one that is too long."""
    if any(len(value) > MAX_STOP_CHARS for value in values):
        raise body.wrong(name, f"at most {MAX_STOP_CHARS} characters long")
    # An empty string would stop everything; OpenAI ignores it.
    return tuple(dict.fromkeys(value for value in values if value))


def stop_field() -> Field[tuple[str, ...]]:
    """OpenAI's `stop`."""
    schema: Schema = {"anyOf": [STOP, array(STOP, maxItems=MAX_STOPS)]}
    return Field(_stop, lambda: schema, default=(), description="Where the answer ends, without the sequence itself.")


def session_id(metadata: SessionMetadata | None) -> str | None:
    """`metadata.session_id`. Never `user`: that is a person, who may have any number of conversations."""
    return ((metadata.session_id if metadata else None) or "").strip() or None
