"""One request for an answer in text, as every surface builds it and every account is asked. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, field
from typing import Any

from accounts import AccountKind
from gateway.generation import usage
from gateway.generation.shaping import AnswerLimits
from gateway.models.capabilities import REASONING_EFFORT, UNKNOWN, ModelFacts, Options, best_first
from gateway.prompt.structured_output import ResponseFormat
from gateway.prompt.tool_protocol import ToolProtocol
from gateway.prompt.tool_specs import WEB_SEARCH, ToolSpecs
from gateway.prompt.turns import estimate_tokens, flatten, with_files_behind_results
from lazy_dataclasses import dataclass
from reverse.chat import ChatRef, ChatRequest, Message

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
        # Poe blames places like `messages[3].content`; the field is what stands before the first of these marks.
        head = _PATH.split(name, maxsplit=1)[0]
        field = _UPSTREAM_NAMES.get(head, head)
        # The position would be one of our own list, which the caller never saw.
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
class GenerationRequest:
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
    thinking_name: str = "messages.thinking_blocks"
    """What the caller's API calls the reasoning that it sends back."""
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
        return best_first(self.facts.kinds)

    @property
    def rules_tokens(self) -> int:
        """Estimate for what goes with the turns, whatever they are: the tools, and the schema of the answer."""
        schema = self.response_format.schema if self.response_format else None
        rules = [*self.specs.tools, schema] if schema is not None else self.specs.tools
        # Written out as they are sent. Agents' tools are often larger than the conversation.
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
        if allowed is not None and kind.traits.is_native:
            allowed = 2 * allowed + _UNCERTAIN_TOKENS
        return AnswerLimits(allowed, self.stop)

    def ignored(self, kind: AccountKind) -> tuple[str, ...]:
        """What of the request an account of this kind does not take into account, by the caller's names."""
        names = {*self.options.ignored(kind, self.facts, self.names.of), *self.specs.dropped}
        names -= {*self.specs.web_searches} if self.searches_the_web else set()
        if kind.traits.is_native and self.specs.has_strict:
            # Poe's official API ignores it (docs/reference/poe-official.md#chat-parameters); web accounts' answers are
            # checked here.
            names.add("tools.function.strict")
        return tuple(sorted(names))

    @property
    def searches_the_web(self) -> bool:
        """Whether a hosted search was asked for, and the model has a switch for it."""
        schema = (self.facts.schemas or {}).get(WEB_SEARCH)
        return bool(self.specs.web_searches) and schema is not None and schema.get("type") == "boolean"

    def _parameters_for(self, kind: AccountKind) -> dict[str, Any]:
        sent = self.options.sent(kind, self.facts)
        return {WEB_SEARCH: True, **sent} if self.searches_the_web else sent

    def build(self, bot: str, kind: AccountKind) -> ChatRequest:
        """The request for one account."""
        if not kind.traits.is_native:
            return self.text_request(bot, kind, self.turns, self.web_protocol())
        # Some providers refuse earlier calls of tools that they do not get.
        withheld = self.specs.withheld if any(turn.tool_calls for turn in self.turns) else ()
        return ChatRequest(
            bot,
            with_files_behind_results(self.turns),
            parameters=self._parameters_for(kind),
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

    def text_request(
        self,
        bot: str,
        kind: AccountKind,
        turns: Sequence[Message],
        protocol: ToolProtocol | None,
        chat: ChatRef | None = None,
    ) -> ChatRequest:
        """One message of text with these turns and the instructions that the gateway must add."""
        rules = [protocol.manual()] if protocol else []
        if self.response_format is not None:
            rules.append(self.response_format.instructions())
        prompt = flatten(turns, rules=rules, write_calls=protocol.write_calls if protocol else None)
        # Poe's web API takes one text; roles are told inside of it.
        message = Message("user", prompt.text, prompt.attachments)
        parameters = self._parameters_for(kind)
        return ChatRequest(
            bot, (message,), chat=chat, parameters=parameters, suggest_replies=self.wants_suggested_replies
        )
