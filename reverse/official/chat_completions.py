"""/v1/chat/completions: the request body, and chunks as events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reverse.chat import ChatRequest, Message, ToolCall
from reverse.errors import ErrorCode, poe_error
from reverse.events import Event, FinishReason, ReasoningDelta, RefusalDelta, ToolCallDelta, UrlCited, UsageReported
from reverse.official.attachments import chat_part
from reverse.official.decoding import AnswerDecoder, CallIds, measured_usage, new_call_id, url_citation
from reverse.official.json_values import JSONObject, arguments_at, number_at, object_at, objects_at, text_at, texts_at
from reverse.official.pairing import paired

OPERATION = "chat.completions"

# The values of `FinishReason` are this API's own.
FINISH_REASONS = {reason.value: reason for reason in FinishReason if reason is not FinishReason.CANCELLED} | {
    "function_call": FinishReason.TOOL_CALLS,
}


def build_chat_body(request: ChatRequest, *, streamed: bool) -> dict[str, Any]:
    """The JSON body for `request`.

    Parameters are fields of the body; they can't replace the fields that the request itself sets. Poe refuses a stop
    sequence of white space (docs/reference/poe-official.md#chat-parameters), so none is sent.
    """
    # First, so that what the request sets itself can't be replaced by an option.
    body: dict[str, Any] = dict(request.parameters)
    body["model"] = request.bot
    body["messages"] = [_message(message) for message in paired(request.messages)]
    body["stream"] = streamed
    if streamed:
        # Without it a streamed answer never says what it consumed.
        body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = normalize_tools(request.tools)
    optional = {
        "tool_choice": request.tool_choice,
        "response_format": request.response_format,
        "max_tokens": request.max_tokens,
        "stop": [sequence for sequence in request.stop if sequence.strip()] or None,
    }
    body.update({name: value for name, value in optional.items() if value is not None})
    return body


def normalize_tools(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give functions without arguments the empty schema: some providers behind Poe refuse one without `properties`."""
    return [dict(tool) | {"function": _with_properties(object_at(tool, "function"))} for tool in tools]


def _with_properties(function: JSONObject) -> dict[str, Any]:
    schema = object_at(function, "parameters")
    return dict(function) | {"parameters": {"type": "object", "properties": {}} | dict(schema)}


def _message(message: Message) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.attachments:
        text = [{"type": "text", "text": message.text}] if message.text else []
        wire["content"] = text + [chat_part(attachment) for attachment in message.attachments]
    if message.tool_calls:
        # OpenAI's form of a message that only calls tools (docs/reference/openai-wire.md#objects).
        wire["content"] = message.text or None
        wire["tool_calls"] = [_call(call) for call in message.tool_calls]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        wire["name"] = message.name
    return wire


def _call(call: ToolCall) -> dict[str, Any]:
    wire = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    return wire | ({"extra_content": dict(call.extra_content)} if call.extra_content else {})


class ToolCallNumbering:
    """Makes pieces of tool calls regular: every call has its own index, its own id, and opens with id and name.

    Upstreams repeat id and name on every piece, leave the index out, number parallel calls all 0, or give two calls
    the same id. A piece with a name and another id than its index had opens a new call.
    """

    def __init__(self, new_id: Callable[[], str] = new_call_id) -> None:
        self._ids = CallIds(new_id)
        self._wire_ids: list[str | None] = []
        self._open: dict[int, int] = {}  # wire index → ours

    @property
    def count(self) -> int:
        """How many calls were opened."""
        return len(self._wire_ids)

    def piece(self, piece: JSONObject, position: int) -> ToolCallDelta | None:
        """The event for one piece at `position` of its list; `None` when it says nothing new."""
        function = object_at(piece, "function")
        arguments, name = arguments_at(function, "arguments"), text_at(function, "name") or None
        extra = object_at(piece, "extra_content") or None
        wire_index = number_at(piece, "index")
        wire_index = position if wire_index is None else wire_index
        wire_id = text_at(piece, "id") or None
        index = self._open.get(wire_index)
        if index is None or (name and wire_id and self._wire_ids[index] != wire_id):
            if not name:
                return None  # arguments of a call that was never opened belong to nothing
            index = self._open[wire_index] = len(self._wire_ids)
            self._wire_ids.append(wire_id)
            return ToolCallDelta(index, arguments, id=self._ids.own(wire_id), name=name, extra_content=extra)
        return ToolCallDelta(index, arguments, extra_content=extra) if arguments or extra else None


class ChatCompletionDecoder(AnswerDecoder):
    """Turns the chunks of one streamed completion, or one whole completion, into events."""

    operation = OPERATION

    def __init__(self, new_id: Callable[[], str] = new_call_id) -> None:
        super().__init__()
        self._calls = ToolCallNumbering(new_id)

    @property
    def has_calls(self) -> bool:
        """Whether the answer called a tool."""
        return self._calls.count > 0

    def decode_event(self, values: JSONObject) -> list[Event]:
        """Decode one chunk, or a whole completion: a `message` reads like one large `delta`."""
        choices = values.get("choices")
        # The usual chunk has a piece of text and nothing else, which few looks tell. `type(…) is`, not `isinstance`:
        # what a JSON parser makes is never a subclass.
        if type(choices) is list and len(choices) == 1 and not values.get("error") and not values.get("usage"):
            choice = choices[0]
            if type(choice) is dict and not choice.get("index") and choice.get("finish_reason") is None:
                delta = choice.get("delta")
                if type(delta) is dict:
                    text = delta.get("content")
                    # Some providers name the role in every chunk.
                    if type(text) is str and text and len(delta) == 1 + ("role" in delta):
                        return self.plain_text(text)
        return self._decode_any(values)

    def _decode_any(self, values: JSONObject) -> list[Event]:
        # Providers report failures as a chunk with status 200.
        self.raise_error(values)
        events: list[Event] = []
        for choice in objects_at(values, "choices"):
            if number_at(choice, "index"):
                continue  # `n` is always 1
            events += self._decode_delta(object_at(choice, "delta") or object_at(choice, "message"))
            reason = text_at(choice, "finish_reason")
            if reason is not None:
                self.note_finish(self._finish_reason(reason))
        # Models that search list their sources so, beside the answer.
        events += self.cited(UrlCited(url) for url in texts_at(values, "citations") if url)
        usage = read_usage(object_at(values, "usage"))
        if usage is not None:
            events.append(usage)
        return events

    def decode_whole(self, completion: JSONObject) -> list[Event]:
        """Decode a completion that was not streamed, to its end."""
        self.raise_error(completion)
        if not objects_at(completion, "choices"):
            raise poe_error(ErrorCode.PROTOCOL, "the completion has no choices", operation=self.operation)
        return self.decode_event(completion) + self.finish()

    def _decode_delta(self, delta: JSONObject) -> list[Event]:
        events: list[Event] = []
        # Both names carry the same text (recorded: docs/reference/poe-official.md#chat-parameters).
        reasoning = text_at(delta, "reasoning_content") or text_at(delta, "reasoning")
        if reasoning:
            events.append(self.reasoning(ReasoningDelta(reasoning)))
        # Content may be parts instead of text; both are joined to text.
        text = text_at(delta, "content") or "".join(
            text_at(part, "text") or "" for part in objects_at(delta, "content")
        )
        if text:
            events += self.said(text)
        refusal = text_at(delta, "refusal")
        if refusal:
            events.append(self.text(RefusalDelta(refusal)))
        pieces = objects_at(delta, "tool_calls")
        legacy = object_at(delta, "function_call")
        pieces = pieces or ([{"index": 0, "function": legacy}] if legacy else [])
        for position, piece in enumerate(pieces):
            call = self._calls.piece(piece, position)
            if call is not None:
                events.append(self.call(call))
        return events + self.cited(map(url_citation, objects_at(delta, "annotations")))

    def _finish_reason(self, reason: str) -> FinishReason:
        known = FINISH_REASONS.get(reason, FinishReason.STOP)
        # Some models end a turn that calls tools with a plain `stop`.
        return FinishReason.TOOL_CALLS if known is FinishReason.STOP and self.has_calls else known


def read_usage(usage: JSONObject) -> UsageReported | None:
    """The usage block of a completion; `None` where it measures nothing."""
    return measured_usage(
        prompt=number_at(usage, "prompt_tokens"),
        completion=number_at(usage, "completion_tokens"),
        cached=number_at(object_at(usage, "prompt_tokens_details"), "cached_tokens"),
        reasoning=number_at(object_at(usage, "completion_tokens_details"), "reasoning_tokens"),
    )
