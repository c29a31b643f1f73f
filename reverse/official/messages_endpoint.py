"""/v1/messages, for models of one provider: the request body, and its events as ours. Pure.

Prompt caching works only here for these models, and only for marked blocks
(docs/reference/poe-official.md#messages-endpoint, May 2026): the system prompt and the last turn are marked, which is
what a conversation repeats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from reverse.chat import ChatRequest, Message, Thinking
from reverse.errors import ErrorCode, poe_error
from reverse.events import Event, FinishReason, ReasoningDelta, ReasoningSigned, ToolCallDelta, UrlCited
from reverse.json_text import parse_object
from reverse.official.attachments import messages_block
from reverse.official.chat_completions import normalize_tools
from reverse.official.decoding import AnswerDecoder, CallIds, measured_usage
from reverse.official.json_values import (
    JSONObject,
    arguments_at,
    number_at,
    object_at,
    objects_at,
    text_at,
)
from reverse.official.pairing import paired

OPERATION = "messages"

# The endpoint demands a limit. Where neither the request nor the list of models names one, this is what the smallest
# of the models that are still made allows.
UNKNOWN_MAX_TOKENS = 32_000

# A conversation begins with the user here.
_NO_BEGINNING = "(The conversation begins with the assistant.)"
_BROKEN = "arguments"
_LEAST_BUDGET = 1024
_CACHED = {"cache_control": {"type": "ephemeral"}}

# Other providers' ids have colons and dots, and are longer.
_ILLEGAL_IN_ID = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_ID = 60  # 64, with a number that makes it unique

_STOP_REASONS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}


def build_messages_body(request: ChatRequest, max_output_tokens: int | None = None) -> dict[str, Any]:
    """The JSON body for `request`. Without a limit of its own the model may write as much as it can.

    Raises `unsupported_feature` for a response format, which this endpoint has not.
    """
    if request.response_format is not None and request.response_format.get("type") != "text":
        # Refused before anything is sent; the gateway then describes the format in the prompt.
        raise poe_error(ErrorCode.UNSUPPORTED_FEATURE, operation=OPERATION, param="response_format")
    body: dict[str, Any] = dict(request.parameters)
    # This endpoint's word for it is part of the tool choice.
    is_one_call = body.pop("parallel_tool_calls", None) is False
    budget, effort = body.pop("thinking_budget", None), body.pop("output_effort", None)
    body["model"] = request.bot
    told = request.messages
    if all(message.role == "system" for message in told):
        told = [replace(message, role="user") for message in told]  # there is no answer to instructions alone
    # This endpoint has one place for instructions, before all turns.
    system = "\n\n".join(message.text for message in told if message.role == "system" and message.text)
    if system:
        body["system"] = [{"type": "text", "text": system} | _CACHED]
    spoken = paired([message for message in told if message.role != "system"], _legal_id)
    body["messages"] = _turns(spoken)
    body["max_tokens"] = request.max_tokens or max_output_tokens or UNKNOWN_MAX_TOKENS
    if effort is not None:
        body["output_config"] = {"effort": effort}
    if (
        budget is not None
        and (thinking := _thinking(budget, body["max_tokens"], request.tool_choice, spoken)) is not None
    ):
        body["thinking"] = thinking
    body["stream"] = True
    stops = [sequence for sequence in request.stop if sequence.strip()]
    if stops:
        body["stop_sequences"] = stops
    if request.tools:
        body["tools"] = [_tool(tool["function"]) for tool in normalize_tools(request.tools)]
        if request.tool_choice is not None or is_one_call:
            body["tool_choice"] = _tool_choice(request.tool_choice, is_one_call=is_one_call)
    return body


def _thinking(budget: Any, max_tokens: int, choice: Any, spoken: Sequence[Message]) -> dict[str, Any] | None:
    """The field that stands for a budget; `None` where the provider would refuse it.

    It wants room for the answer beyond the budget, does not think where it must call a tool, and goes on with calls
    only if it gets back what it thought before them.
    """
    if not isinstance(budget, int) or budget <= 0:
        return None
    budget = min(budget, max_tokens - 1)
    is_forced = choice == "required" or isinstance(choice, Mapping)
    if budget < _LEAST_BUDGET or is_forced or _goes_on_without_thinking(spoken):
        return None
    return {"type": "enabled", "budget_tokens": budget}


def _goes_on_without_thinking(messages: Sequence[Message]) -> bool:
    """Whether calls are answered before which the assistant's thinking is missing."""
    return any(message.tool_calls and not message.thinking for message in messages[_step(messages) :])


def _step(messages: Sequence[Message]) -> int:
    """Where the turns after the user's last words begin: earlier thinking is not read again.

    What the user says right behind results is one turn with them.
    """
    for at in range(len(messages) - 1, -1, -1):
        if messages[at].role == "user" and (at == 0 or messages[at - 1].role != "tool"):
            return at + 1
    return 0


def _legal_id(call_id: str) -> str:
    return _ILLEGAL_IN_ID.sub("_", call_id)[:_LONGEST_ID]


def _turns(messages: list[Message]) -> list[dict[str, Any]]:
    """Alternating turns: neighbours of one role become one turn, as tool results must."""
    turns: list[dict[str, Any]] = []
    begin = _step(messages)
    for position, message in enumerate(messages):
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [_thinking_block(one) for one in message.thinking if position >= begin] + _blocks(message)
        # Two turns of one role in a row are refused here.
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    if turns and turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": _NO_BEGINNING}]})
    if turns:
        # The last block of the last turn: everything up to a mark is what the provider caches.
        turns[-1]["content"][-1] |= _CACHED
    return turns


def _thinking_block(thinking: Thinking) -> dict[str, Any]:
    if thinking.is_redacted:
        return {"type": "redacted_thinking", "data": thinking.signature}
    return {"type": "thinking", "thinking": thinking.text, "signature": thinking.signature}


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id or "", "content": message.text}]
    blocks: list[dict[str, Any]] = [messages_block(attachment) for attachment in message.attachments]
    if message.text:
        blocks.append({"type": "text", "text": message.text})
    for call in message.tool_calls:
        arguments = parse_object(call.arguments or "{}")
        # Arguments that were cut stay in a history: they are told as they are, because an object it must be.
        given = {_BROKEN: call.arguments} if arguments is None else arguments
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
    return blocks


def _tool(function: JSONObject) -> dict[str, Any]:
    tool = {"name": function.get("name"), "input_schema": function["parameters"]}
    description = text_at(function, "description")
    return tool | ({"description": description} if description else {})


def _tool_choice(choice: Any, *, is_one_call: bool) -> dict[str, Any]:
    if choice == "none":
        return {"type": "none"}
    limit = {"disable_parallel_tool_use": True} if is_one_call else {}
    if isinstance(choice, Mapping):
        return {"type": "tool", "name": object_at(choice, "function").get("name")} | limit
    return {"type": "any" if choice == "required" else "auto"} | limit


class MessagesDecoder(AnswerDecoder):
    """Turns the events of one message, or one whole message, into events."""

    operation = OPERATION

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[int, int] = {}  # block index → our index
        self._count = 0
        self._ids = CallIds()
        self._inputs: dict[int, str] = {}  # of blocks that opened with their whole input: nothing follows then
        self._usage: dict[str, int] = {}
        # Places of the text block that is open, and of all text; citations of it, whose place is the whole block.
        self._begin = self._chars = 0
        self._citations: list[JSONObject] = []

    def decode_event(self, values: JSONObject) -> list[Event]:
        """Decode one parsed event; types that say nothing about the answer are passed over."""
        self.raise_error(values)
        index = number_at(values, "index") or 0
        match text_at(values, "type"):
            case "message_start":
                self._note_usage(object_at(object_at(values, "message"), "usage"))
            case "content_block_start":
                return self._block(object_at(values, "content_block"), index)
            case "content_block_delta":
                return self._delta(object_at(values, "delta"), index)
            case "content_block_stop":
                return self._close(index)
            case "message_delta":
                self._note_usage(object_at(values, "usage"))
                self._note_reason(object_at(values, "delta"))
                return self._usage_events()
            case "message_stop":
                return self.finish()
        return []

    def decode_whole(self, answer: JSONObject) -> list[Event]:
        """Decode a message that was not streamed, to its end."""
        self.raise_error(answer)
        if not isinstance(answer.get("content"), list):
            raise poe_error(ErrorCode.PROTOCOL, "the message has no content", operation=self.operation)
        events: list[Event] = []
        for index, block in enumerate(objects_at(answer, "content")):
            events += self._block(block, index, whole=True)
        self._note_usage(object_at(answer, "usage"))
        self._note_reason(answer)
        return [*events, *self._usage_events(), *self.finish()]

    def _block(self, block: JSONObject, index: int, *, whole: bool = False) -> list[Event]:
        kind = text_at(block, "type")
        if kind == "tool_use":
            own = self._calls[index] = self._count
            self._count += 1
            given = arguments_at(block, "input")
            has_input = given not in ("", "{}")
            # A streamed block opens with an empty input whose text follows in deltas.
            # Some send the whole input with the opening and no delta after it.
            if has_input and not whole:
                self._inputs[index] = given
            call_id, extra = self._ids.own(text_at(block, "id")), object_at(block, "extra_content") or None
            name = text_at(block, "name") or ""
            call = ToolCallDelta(own, (given or "{}") if whole else "", id=call_id, name=name, extra_content=extra)
            return [self.call(call)]
        data = text_at(block, "data")
        if kind == "redacted_thinking" and data:
            return [ReasoningSigned(data, is_redacted=True)]
        self._begin = self._chars
        events = self._delta(block, index)
        return events + self._close(index) if whole else events

    def _delta(self, delta: JSONObject, index: int) -> list[Event]:
        text, thinking = text_at(delta, "text"), text_at(delta, "thinking")
        arguments, signature = arguments_at(delta, "partial_json"), text_at(delta, "signature")
        self._citations += [one for one in (object_at(delta, "citation"), *objects_at(delta, "citations")) if one]
        events: list[Event] = []
        if text:
            self._chars += len(text)
            events += self.said(text)
        if thinking:
            events.append(self.reasoning(ReasoningDelta(thinking)))
        if signature:
            events.append(ReasoningSigned(signature))
        # Deltas after a whole input: these are the input then.
        if arguments and index in self._calls:
            self._inputs.pop(index, None)
            events.append(self.call(ToolCallDelta(self._calls[index], arguments)))
        return events

    def _close(self, index: int) -> list[Event]:
        given = self._inputs.pop(index, None)
        citations, self._citations = self._citations, []
        cited = self.cited(self._citation(one) for one in citations)
        return cited + ([self.call(ToolCallDelta(self._calls[index], given))] if given else [])

    def _citation(self, values: JSONObject) -> UrlCited | None:
        url = text_at(values, "url") or text_at(values, "source")
        if not url or not url.startswith(("https://", "http://")):
            return None  # of a document that the caller sent
        is_place = self._begin < self._chars
        place = {"start": self._begin, "end": self._chars} if is_place else {}
        return UrlCited(url, text_at(values, "title"), quote=text_at(values, "cited_text"), **place)

    def _note_reason(self, values: JSONObject) -> None:
        reason = text_at(values, "stop_reason")
        if reason is not None:
            self.note_finish(_STOP_REASONS.get(reason, FinishReason.STOP))

    def _note_usage(self, usage: JSONObject) -> None:
        names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        # Later reports win one by one: the first has the prompt, the last the answer.
        self._usage |= {name: value for name in names if (value := number_at(usage, name)) is not None}

    def _usage_events(self) -> list[Event]:
        # Here `input_tokens` leaves out what came from the cache or went into it; ours counts the whole prompt.
        cached, written = self._usage.get("cache_read_input_tokens"), self._usage.get("cache_creation_input_tokens")
        read = self._usage.get("input_tokens")
        found = measured_usage(
            prompt=None if read is None else read + (cached or 0) + (written or 0),
            completion=self._usage.get("output_tokens"),
            cached=cached,
        )
        return [] if found is None else [found]
