"""/v1/responses: the request body, and its events as ours. Pure.

Gaps that were tested in May 2026 (docs/reference/poe-official.md#responses-endpoint): `instructions` is ignored, so a
system prompt travels as an input item; `previous_response_id` is broken, so the whole conversation is sent each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reverse.chat import ChatRequest, Message
from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    Event,
    FileAttached,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    ToolCallDelta,
    UsageReported,
)
from reverse.official.attachments import responses_part
from reverse.official.chat_completions import normalize_tools
from reverse.official.decoding import AnswerDecoder, CallIds, measured_usage, url_citation
from reverse.official.failures import failure_of_error
from reverse.official.json_values import JSONObject, arguments_at, number_at, object_at, objects_at, text_at
from reverse.official.pairing import paired

OPERATION = "responses"
_LONGEST_CALL_ID = 60  # 64, with a number that makes it unique


def build_responses_body(request: ChatRequest) -> dict[str, Any]:
    """The JSON body for `request`. Raises `unsupported_feature` for stop sequences, which this endpoint has not."""
    if any(sequence.strip() for sequence in request.stop):
        # Refused before anything is sent; the gateway then cuts the answer itself.
        raise poe_error(ErrorCode.UNSUPPORTED_FEATURE, operation=OPERATION, param="stop")
    body: dict[str, Any] = dict(request.parameters)
    effort = body.pop("reasoning_effort", None)
    if effort is not None:
        # Without a summary nothing of the reasoning is shown.
        body["reasoning"] = {"summary": "auto"} | dict(object_at(body, "reasoning")) | {"effort": effort}
    # After the caller's parameters, none of which may name another bot.
    body["model"] = request.bot
    body["input"] = [item for message in paired(request.messages, _legal_id) for item in _items(message)]
    body["stream"] = True
    if request.tools:
        body["tools"] = [{"type": "function"} | dict(tool["function"]) for tool in normalize_tools(request.tools)]
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.response_format is not None:
        body["text"] = {"format": _text_format(request.response_format)}
    if request.max_tokens is not None:
        body["max_output_tokens"] = request.max_tokens
    return body


def _legal_id(call_id: str) -> str:
    # The endpoint refuses longer ones, which other APIs give.
    return call_id[:_LONGEST_CALL_ID]


def _items(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id or "", "output": message.text}]
    # The endpoint refuses the one in place of the other.
    kind = "output_text" if message.role == "assistant" else "input_text"
    content: list[dict[str, Any]] = [{"type": kind, "text": message.text}] if message.text else []
    content += [responses_part(attachment) for attachment in message.attachments]
    spoken = [{"role": message.role, "content": content}] if content else []
    calls = [
        {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        | ({"extra_content": dict(call.extra_content)} if call.extra_content else {})
        for call in message.tool_calls
    ]
    return [*spoken, *calls]


def _tool_choice(choice: Any) -> Any:
    function = object_at(choice, "function") if isinstance(choice, Mapping) else {}
    return {"type": "function", "name": function.get("name")} if function else choice


def _text_format(response_format: Mapping[str, Any]) -> dict[str, Any]:
    schema = object_at(response_format, "json_schema")
    return {"type": "json_schema"} | dict(schema) if schema else dict(response_format)


_Key = int | str


def _key(values: JSONObject, item_id: str | None) -> _Key:
    """What tells the item apart that an event is about."""
    place = number_at(values, "output_index")
    # The place first: ids are not to be trusted here, see `ResponsesDecoder`.
    return place if place is not None else item_id or ""


class ResponsesDecoder(AnswerDecoder):
    """Turns the events of one response, or one whole response, into events."""

    operation = OPERATION

    def __init__(self) -> None:
        super().__init__()
        self._ids = CallIds()
        # By place in the output, or by id where the upstream names no place. What stands before Poe's endpoint may
        # give an item one id in its deltas and another one at the end, or the same id to several.
        self._calls: dict[_Key, int] = {}  # → our index
        self._by_call_id: dict[str | None, _Key] = {}  # where a call was first heard of
        self._with_arguments: set[_Key] = set()
        self._texts: dict[_Key, list[str]] = {}  # what was told of an item
        self._begins: dict[_Key, int] = {}  # where in the text of the whole answer a message begins
        self._chars = 0

    def decode_event(self, values: JSONObject) -> list[Event]:
        """Decode one parsed event; types that say nothing about the answer are passed over."""
        key = _key(values, text_at(values, "item_id"))
        item = object_at(values, "item")
        match text_at(values, "type"):
            case "response.output_text.delta":
                return self._text(key, text_at(values, "delta"))
            case "response.refusal.delta":
                return self._refusal(key, text_at(values, "delta"))
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                return self._reasoning(key, text_at(values, "delta"))
            case "response.output_text.annotation.added":
                return self._cited_in(key, [object_at(values, "annotation")])
            case "response.output_item.added":
                return self._open(_key(values, text_at(item, "id")), item, arguments="")
            case "response.function_call_arguments.delta":
                return self._arguments(key, arguments_at(values, "delta"))
            case "response.output_item.done":
                return self._item(_key(values, text_at(item, "id")), item)
            case "response.completed" | "response.incomplete" | "response.failed":
                return self._end(object_at(values, "response"))
            case "error":
                raise failure_of_error(object_at(values, "error") or values, operation=self.operation)
        self.raise_error(values)
        return []

    def decode_whole(self, answer: JSONObject) -> list[Event]:
        """Decode a response that was not streamed, to its end."""
        self.raise_error(answer)
        if not isinstance(answer.get("output"), list):
            raise poe_error(ErrorCode.PROTOCOL, "the response has no output", operation=self.operation)
        return self._end(answer) + self.finish()

    def _end(self, response: JSONObject) -> list[Event]:
        """The whole response at the end: what no delta brought, usage, the reason."""
        error = object_at(response, "error")
        if text_at(response, "status") == "failed" or error:
            raise failure_of_error(error, operation=self.operation)
        events: list[Event] = []
        streamed = dict(self._by_call_id)
        for place, item in enumerate(objects_at(response, "output")):
            item_id = text_at(item, "id")
            key: _Key = streamed.get(text_at(item, "call_id"), place)
            if item_id is not None and (item_id in self._texts or item_id in self._calls):
                key = item_id
            events += self._item(key, item)
        usage = _usage(object_at(response, "usage"))
        if usage is not None:
            events.append(usage)
        self.note_finish(self._reason_of(response))
        return events

    def _item(self, key: _Key, item: JSONObject) -> list[Event]:
        """A finished item. What was streamed before is not repeated."""
        kind = text_at(item, "type")
        if kind == "function_call":
            return self._finished_call(key, item)
        if kind == "image_generation_call" and text_at(item, "result"):
            return self.file(FileAttached(f"data:image/png;base64,{item['result']}", "image/png", "image.png"))
        if kind == "message":
            return self._message(key, objects_at(item, "content"))
        if kind == "reasoning":
            parts = [text_at(part, "text") for part in objects_at(item, "summary") + objects_at(item, "content")]
            return [] if self._was_emitted(key, parts) else [e for part in parts for e in self._reasoning(key, part)]
        return []

    def _message(self, key: _Key, parts: list[JSONObject]) -> list[Event]:
        events: list[Event] = []
        if not self._was_emitted(key, [text_at(part, "text") or text_at(part, "refusal") for part in parts]):
            for part in parts:
                events += self._text(key, text_at(part, "text")) or self._refusal(key, text_at(part, "refusal"))
        return events + self._cited_in(key, [note for part in parts for note in objects_at(part, "annotations")])

    def _cited_in(self, key: _Key, annotations: list[JSONObject]) -> list[Event]:
        begin = self._begins.get(key, 0)
        found = [citation for note in annotations if (citation := url_citation(note)) is not None]
        return self.cited(
            one if one.start is None or one.end is None else replace(one, start=one.start + begin, end=one.end + begin)
            for one in found
        )

    def _was_emitted(self, key: _Key, parts: list[str | None]) -> bool:
        text = "".join(part for part in parts if part)
        # The second look is for upstreams that end an item under another id than the one it was streamed under.
        return key in self._texts or any("".join(told) == text for told in self._texts.values())

    def _finished_call(self, key: _Key, item: JSONObject) -> list[Event]:
        arguments = arguments_at(item, "arguments")
        # Heard of before: arguments that were streamed are not told twice.
        if key in self._calls:
            return [] if key in self._with_arguments else self._arguments(key, arguments)
        return self._open(key, item, arguments)

    def _open(self, key: _Key, item: JSONObject, arguments: str) -> list[Event]:
        name = text_at(item, "name")
        if text_at(item, "type") != "function_call" or not name or key in self._calls:
            return []
        wire_id = text_at(item, "call_id") or text_at(item, "id")
        index = self._calls[key] = len(self._calls)
        if wire_id:
            self._by_call_id.setdefault(wire_id, key)
        if arguments:
            self._with_arguments.add(key)
        extra = object_at(item, "extra_content") or None
        call = ToolCallDelta(index, arguments, id=self._ids.own(wire_id), name=name, extra_content=extra)
        return [self.call(call)]

    def _arguments(self, key: _Key, arguments: str | None) -> list[Event]:
        if not arguments or key not in self._calls:
            return []
        self._with_arguments.add(key)
        return [self.call(ToolCallDelta(self._calls[key], arguments))]

    def _text(self, key: _Key, text: str | None) -> list[Event]:
        if not text:
            return []
        # Citations count from the beginning of their message, our places from that of the answer.
        self._begins.setdefault(key, self._chars)
        self._chars += len(text)
        return self.said(self._noted(key, text))

    def _refusal(self, key: _Key, text: str | None) -> list[Event]:
        return [self.text(RefusalDelta(self._noted(key, text)))] if text else []

    def _reasoning(self, key: _Key, text: str | None) -> list[Event]:
        return [self.reasoning(ReasoningDelta(self._noted(key, text)))] if text else []

    def _noted(self, key: _Key, text: str) -> str:
        self._texts.setdefault(key, []).append(text)
        return text

    def _reason_of(self, response: JSONObject) -> FinishReason:
        if text_at(response, "status") == "incomplete":
            reason = text_at(object_at(response, "incomplete_details"), "reason")
            return FinishReason.CONTENT_FILTER if reason == FinishReason.CONTENT_FILTER.value else FinishReason.LENGTH
        return FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP


def _usage(usage: JSONObject) -> UsageReported | None:
    return measured_usage(
        prompt=number_at(usage, "input_tokens"),
        completion=number_at(usage, "output_tokens"),
        cached=number_at(object_at(usage, "input_tokens_details"), "cached_tokens"),
        reasoning=number_at(object_at(usage, "output_tokens_details"), "reasoning_tokens"),
    )
