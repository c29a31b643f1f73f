"""The body of a chat completion, normalised: what the caller wants, in our words. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from accounts import AccountKind
from gateway.generation import usage
from gateway.generation.shaping import AnswerLimits
from gateway.http.fields import Fields
from gateway.models.capabilities import UNKNOWN, ModelFacts
from gateway.models.parameters import Options, read_options, wants_suggested_replies
from gateway.prompt.flattening import flatten
from gateway.prompt.structured_output import ResponseFormat, read_response_format
from gateway.prompt.tool_protocol import ToolProtocol
from gateway.prompt.tool_specs import MAX_TOOLS, ToolSpecs, read_tools
from gateway.prompt.turns import estimate_tokens, read_messages, with_files_behind_results
from reverse.chat import ChatRef, ChatRequest, Message

__all__ = ["MAX_CHOICES", "MAX_TOOLS", "ChatCall", "read_chat_call"]

MAX_STOPS = 16
MAX_STOP_CHARS = 1024
# Each choice is a conversation of its own with Poe, with its own price.
MAX_CHOICES = 8
_LONGEST_SESSION_ID = 256
# Of short answers an estimate may be wrong by more than its share.
_UNCERTAIN_TOKENS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCall:
    """One chat completion as asked for."""

    model: str
    """As the caller wrote it."""
    turns: tuple[Message, ...] = field(repr=False)
    is_streamed: bool = False
    wants_usage: bool = False
    """Whether a stream ends with a usage chunk."""
    choices: int = 1
    """How many answers."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    is_stopped_here: bool = False
    """Whether the upstream is not told the stop sequences: what it finds, nobody else can name."""
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
        """What of the request an account of this kind does not take into account, by the fields' names."""
        names = {*self.options.ignored(kind, self.facts), *self.specs.dropped}
        if kind is AccountKind.OFFICIAL and self.specs.has_strict:
            # Poe's official API ignores it (docs/reference/poe-official.md#chat-parameters); web accounts' answers are
            # checked here.
            names.add("tools.function.strict")
        return tuple(sorted(names))

    def build(self, bot: str, kind: AccountKind) -> ChatRequest:
        """The request for one account."""
        if kind is AccountKind.WEB:
            return self.web_request(bot, self.turns, self.web_protocol())
        # Some providers refuse earlier calls of tools that they are not told of.
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
        """The one message for a web account that tells these turns, with the instructions the gateway must add."""
        rules = [protocol.manual()] if protocol else []
        if self.response_format is not None:
            rules.append(self.response_format.instructions())
        prompt = flatten(turns, rules=rules, write_calls=protocol.write_calls if protocol else None)
        message = Message("user", prompt.text, prompt.attachments)
        parameters = self.options.sent(AccountKind.WEB, self.facts)
        return ChatRequest(
            bot, (message,), chat=chat, parameters=parameters, suggest_replies=self.wants_suggested_replies
        )


def read_chat_call(values: Mapping[str, Any]) -> ChatCall:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = Fields(values)
    stream_options = body.mapping("stream_options")
    specs = read_tools(body)
    return ChatCall(
        model=body.required_text("model", max_length=256).strip(),
        turns=tuple(read_messages(body)),
        is_streamed=body.flag("stream"),
        wants_usage=stream_options is not None and stream_options.flag("include_usage"),
        choices=body.integer("n", lowest=1, highest=MAX_CHOICES) or 1,
        max_tokens=_max_tokens(body),
        stop=_stop(body),
        options=read_options(body, has_tools=bool(specs.tools)),
        specs=specs,
        response_format=read_response_format(body),
        wants_suggested_replies=wants_suggested_replies(body),
        session_id=_session_id(body),
        cache_key=(body.text("prompt_cache_key", max_length=_LONGEST_SESSION_ID) or "").strip() or None,
        may_truncate=_may_truncate(body),
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
    if any(len(item) > MAX_STOP_CHARS for item in values):
        raise body.wrong("stop", f"at most {MAX_STOP_CHARS} characters long")
    # An empty string would stop everything; OpenAI ignores it.
    return tuple(dict.fromkeys(item for item in values if item))


def _session_id(body: Fields) -> str | None:
    """`metadata.session_id`. Never `user`: that is a person, who may have any number of conversations."""
    metadata = body.mapping("metadata")
    return ((metadata.text("session_id", max_length=_LONGEST_SESSION_ID) if metadata else None) or "").strip() or None


def _may_truncate(body: Fields) -> bool:
    extra = body.mapping("extra_body")
    place = extra if body.get("truncation") is None and extra is not None else body
    return place.choice("truncation", ("auto", "disabled")) == "auto"
