"""One request for an answer in text, as every surface builds it and every account is asked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from accounts import AccountKind
from gateway.generation import usage
from gateway.generation.shaping import AnswerLimits
from gateway.http.bodies import decode_field
from gateway.http.fields import (
    Body,
    Field,
    choice,
    flag,
    mapping,
    nested,
    number,
    option,
    required_text,
    text,
)
from gateway.http.schemas import TEXT, Schema, array
from gateway.models.capabilities import UNKNOWN, ModelFacts
from gateway.models.parameters import REASONING_EFFORT, Options, sort_options
from gateway.prompt.flattening import flatten
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.tool_protocol import ToolProtocol
from gateway.prompt.tool_specs import ToolSpecs
from gateway.prompt.turns import estimate_tokens, with_files_behind_results
from reverse.chat import ChatRef, ChatRequest, Message

MAX_STOPS = 16
MAX_STOP_CHARS = 1024
LONGEST_NAME = 256
# Of short answers an estimate may be wrong by more than its share.
_UNCERTAIN_TOKENS = 32
_PATH = re.compile(r"[.\[]")
# Other names that Poe's endpoints have for the fields of a chat completion.
_UPSTREAM_NAMES = {"max_completion_tokens": "max_tokens", "reasoning": REASONING_EFFORT}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNames:
    """What a caller's API calls the fields that Poe's chat completions call as the attributes are called."""

    messages: str = "messages"
    max_tokens: str = "max_tokens"
    stop: str = "stop"
    response_format: str = "response_format"
    reasoning_effort: str = REASONING_EFFORT
    verbosity: str = "verbosity"
    parallel_tool_calls: str = "parallel_tool_calls"
    are_turns_alike: bool = True
    """Whether the caller's messages are those that Poe gets, one by one."""

    def of(self, name: str) -> str:
        """The caller's name for a field that Poe blames, or was not sent.

        What Poe says of the inside of a field that the caller's API has in another form is left out.
        """
        head = _PATH.split(name, maxsplit=1)[0]
        field = _UPSTREAM_NAMES.get(head, head)
        if field == "messages" and not self.are_turns_alike:
            return self.messages
        theirs = self._renamed().get(field)
        return name if theirs is None else theirs

    @property
    def foreign(self) -> frozenset[str]:
        """Poe's names of the fields that the caller's API calls otherwise."""
        renamed = self._renamed()
        return frozenset({*renamed, *(name for name, meant in _UPSTREAM_NAMES.items() if meant in renamed)})

    def _renamed(self) -> dict[str, str]:
        return {name: theirs for name, theirs in asdict(self).items() if isinstance(theirs, str) and name != theirs}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCall:
    """One request as asked for."""

    model: str
    """As the caller wrote it."""
    turns: tuple[Message, ...] = field(repr=False)
    places: Mapping[int, str] = field(default_factory=dict, repr=False, compare=False)
    """Where the caller wrote the turns that have files, by their index: for errors."""
    is_streamed: bool = False
    wants_usage: bool = False
    """Whether a stream ends with a usage chunk."""
    choices: int = 1
    """How many answers."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    is_stopped_here: bool = False
    """Whether the upstream does not get the stop sequences: which one ended an answer, only its finder can say."""
    options: Options = field(default_factory=Options)
    specs: ToolSpecs = field(default_factory=ToolSpecs)
    response_format: ResponseFormat | None = field(default=None, repr=False)
    wants_suggested_replies: bool = False
    session_id: str | None = None
    """Names a conversation of this caller, which continues on one account and, on a web account, in one Poe chat."""
    cache_key: str | None = None
    """Requests with the same one should meet the same account, whose provider may have their beginning cached."""
    may_truncate: bool = False
    """Whether the oldest turns may be left out when the model's window is too small for all."""
    names: FieldNames = field(default=FieldNames(), repr=False)
    facts: ModelFacts = UNKNOWN

    @property
    def tools(self) -> tuple[Mapping[str, Any], ...]:
        """The tools that may be called, in OpenAI's shape."""
        return self.specs.tools

    @property
    def tool_choice(self) -> Any:
        return self.specs.choice

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The bot's own options, for either kind of account."""
        return self.options.parameters

    @property
    def kinds(self) -> tuple[AccountKind, ...]:
        """Kinds of account that can do what is asked for, best first."""
        if self.facts.is_web_only:
            return (AccountKind.WEB, AccountKind.OFFICIAL)
        return (AccountKind.OFFICIAL, AccountKind.WEB)

    @property
    def rules_tokens(self) -> int:
        """Estimate for what goes with the turns, whatever they are: the tools, and the schema of the answer."""
        schema = self.response_format.schema if self.response_format else None
        rules = [*self.specs.tools, schema] if schema is not None else self.specs.tools
        return usage.tokens(json.dumps(rules, ensure_ascii=False)) if rules else 0

    @property
    def prompt_tokens(self) -> int:
        """Estimate for the turns and what goes with them; files are not counted."""
        return estimate_tokens(self.turns) + self.rules_tokens

    def limits(self, kind: AccountKind) -> AnswerLimits:
        """What the gateway cuts itself.

        The official API counts real tokens, which our estimate must not overrule. Some of its bots know no limit: they
        are cut where the estimate can't be that wrong.
        """
        allowed = self.max_tokens
        if allowed is not None and kind is AccountKind.OFFICIAL:
            allowed = 2 * allowed + _UNCERTAIN_TOKENS
        return AnswerLimits(allowed, self.stop)

    def ignored(self, kind: AccountKind) -> tuple[str, ...]:
        """What of the request an account of this kind does not take into account, by the caller's names."""
        names = {*self.options.ignored(kind, self.facts, self.names.of), *self.specs.dropped}
        if kind is AccountKind.OFFICIAL and self.specs.has_strict:
            # Poe's official API ignores it (docs/reference/poe-official.md#chat-parameters); web accounts' answers are
            # checked here.
            names.add("tools.function.strict")
        return tuple(sorted(names))

    def build(self, bot: str, kind: AccountKind) -> ChatRequest:
        """The request for one account."""
        if kind is AccountKind.WEB:
            return self.web_request(bot, self.turns, self.web_protocol())
        # Some providers refuse earlier calls of tools that they do not get.
        withheld = self.specs.withheld if any(turn.tool_calls for turn in self.turns) else ()
        return ChatRequest(
            bot,
            with_files_behind_results(self.turns),
            parameters=self.options.sent(kind, self.facts),
            tools=self.specs.tools or withheld,
            tool_choice="none" if withheld else self.specs.choice,
            response_format=self.response_format.values if self.response_format else None,
            max_tokens=self.max_tokens,
            # Poe refuses stop sequences of white space only (docs/reference/poe-official.md#chat-parameters); ours are
            # kept here anyway.
            stop=() if self.is_stopped_here else tuple(stop for stop in self.stop if stop.strip()),
            suggest_replies=self.wants_suggested_replies,
        )

    def web_protocol(self) -> ToolProtocol | None:
        """How tools are called in-band, if there are any; new marks each time."""
        return ToolProtocol(self.specs) if self.specs.tools else None

    def web_request(
        self, bot: str, turns: Sequence[Message], protocol: ToolProtocol | None, chat: ChatRef | None = None
    ) -> ChatRequest:
        """The one message for a web account with these turns and the instructions that the gateway must add."""
        rules = [protocol.manual()] if protocol else []
        if self.response_format is not None:
            rules.append(self.response_format.instructions())
        prompt = flatten(turns, rules=rules, write_calls=protocol.write_calls if protocol else None)
        message = Message("user", prompt.text, prompt.attachments)
        parameters = self.options.sent(AccountKind.WEB, self.facts)
        return ChatRequest(
            bot, (message,), chat=chat, parameters=parameters, suggest_replies=self.wants_suggested_replies
        )


_PARAMETERS = "Options that the bot itself declares, passed on as they are."
_TRUNCATION = "With `auto`, the oldest turns are left out where the model's window is too small for all."
_SUGGESTED = "Ask for the follow-up questions that Poe suggests, where the account can."


def _parameters_text(value: Any, body: Body, name: str) -> dict[str, Any]:
    """An object, or JSON text of one, as some clients' extra fields carry it."""
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
        _parameters_text, lambda: {"type": "object"}, default=None, description=_PARAMETERS
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
        own.pop("suggested_replies", None)
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
