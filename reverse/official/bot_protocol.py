"""The bot-query protocol, for bots that declare no endpoint: the request body, and its events as ours. Pure.

Facts: docs/reference/poe-official.md#bot-protocol (the protocol's specification and its published client, November
2026).
"""

from __future__ import annotations

from typing import Any

from reverse.chat import ChatRequest, Message
from reverse.errors import ErrorCode, poe_error
from reverse.events import Event, FileAttached, FinishReason, SuggestedReply
from reverse.official.chat_completions import ChatCompletionDecoder, normalize_tools
from reverse.official.failures import failure_of_error
from reverse.official.json_values import JSONObject, flag_at, number_at, text_at
from reverse.official.pairing import paired
from reverse.official.sse import ServerSentEvent

OPERATION = "bot.query"
_PROTOCOL_VERSION = "1.2"

# Fields of the query itself; every other parameter belongs to the last message, where bots look for their own.
_QUERY_PARAMETERS = frozenset({"temperature", "skip_system_prompt", "logit_bias", "adopt_current_bot_name"})

_ROLES = {"system": "system", "user": "user", "assistant": "bot", "tool": "tool"}


def build_query(request: ChatRequest) -> dict[str, Any]:
    """The JSON body for `request`. Attachments must have addresses: upload their bytes first.

    The protocol has tool calls only for the last round; those of earlier rounds are part of the conversation's text.
    Raises `unsupported_feature` for a response format or a forced tool, and `unsupported_file` for a file without
    address.
    """
    if request.response_format is not None and request.response_format.get("type") != "text":
        raise poe_error(ErrorCode.UNSUPPORTED_FEATURE, operation=OPERATION, param="response_format")
    if request.tool_choice not in (None, "auto", "none"):
        raise poe_error(ErrorCode.UNSUPPORTED_FEATURE, operation=OPERATION, param="tool_choice")
    spoken, last_round = _split_last_round(paired(request.messages))
    body: dict[str, Any] = {
        "version": _PROTOCOL_VERSION,
        "type": "query",
        "query": [_message(message) for message in spoken],
        # The published client sends these empty as well.
        "user_id": "",
        "conversation_id": "",
        "message_id": "",
        "skip_system_prompt": False,
        "logit_bias": {},
        # Providers refuse a stop sequence of white space only.
        "stop_sequences": [sequence for sequence in request.stop if sequence.strip()],
        "language_code": "en",
    }
    own = {name: value for name, value in request.parameters.items() if name not in _QUERY_PARAMETERS}
    body |= {name: value for name, value in request.parameters.items() if name in _QUERY_PARAMETERS}
    # The query has no place for them: a bot reads its own options from the message that it answers.
    if own and body["query"]:
        body["query"][-1]["parameters"] = own
    if request.tools and request.tool_choice != "none":
        body["tools"] = [_tool(tool) for tool in normalize_tools(request.tools)]
    return body | _last_round(last_round)


def _split_last_round(messages: list[Message]) -> tuple[list[Message], list[Message]]:
    """The conversation, and the tool calls with their results that stand at its end."""
    first = len(messages)
    while first and messages[first - 1].role == "tool":
        first -= 1
    if first == len(messages) or not first or not messages[first - 1].tool_calls:
        return messages, []
    return messages[: first - 1], messages[first - 1 :]


def _last_round(messages: list[Message]) -> dict[str, Any]:
    if not messages:
        return {}
    names = {call.id: call.name for call in messages[0].tool_calls}
    return {
        "tool_calls": [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            | ({"extra_content": dict(call.extra_content)} if call.extra_content else {})
            for call in messages[0].tool_calls
        ],
        "tool_results": [
            {
                "role": "tool",
                "tool_call_id": result.tool_call_id or "",
                "name": result.name or names.get(result.tool_call_id or "", ""),
                "content": result.text,
            }
            for result in messages[1:]
        ],
    }


def _message(message: Message) -> dict[str, Any]:
    # As text, because only the last round has a field for calls; the bot is to see what was called before.
    calls = "".join(f"\n[called {call.name} with {call.arguments}]" for call in message.tool_calls)
    return {
        "role": _ROLES[message.role],
        "content": f"{message.text}{calls}".strip("\n") if calls else message.text,
        "content_type": "text/markdown",
        "timestamp": 0,
        "message_id": "",
        "parameters": {},
        "feedback": [],
        "attachments": [_attachment(file.url, file.content_type, file.name) for file in message.attachments],
    }


def _attachment(url: str | None, content_type: str, name: str) -> dict[str, Any]:
    if url is None:
        raise poe_error(ErrorCode.UNSUPPORTED_FILE, "the file was not uploaded", operation=OPERATION)
    return {"url": url, "content_type": content_type, "name": name, "parsed_content": None}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = tool["function"]
    return {"type": "function", "function": {"description": ""} | function}


class BotQueryDecoder(ChatCompletionDecoder):
    """Turns the protocol's events into ours; its `json` events are chunks of a chat completion."""

    operation = OPERATION

    def decode_one(self, event: ServerSentEvent) -> list[Event]:
        """Decode one event by itself; of several answers at once the first. Unknown events are passed over."""
        if event.event == "ping":
            return []
        values = self.parse(event)
        # Zero and a missing index are the first answer.
        if number_at(values, "index"):
            return []
        match event.event:
            case "done":
                return self._done()
            case "error":
                raise self._error(values)
            case "json":
                return self.decode_event(values)
            case "file":
                url = text_at(values, "url")
                # A file without address is of no use to anybody, and no reason to give up the answer.
                return self.file(_file(url, values)) if url else []
        text = text_at(values, "text")
        return [] if text is None else self._text_event(event.event, text)

    def decode_whole(self, answer: JSONObject) -> list[Event]:
        """The protocol has no answer in one piece. Raises what the body says is wrong, or a `protocol` error."""
        self.raise_error(answer)
        raise poe_error(ErrorCode.PROTOCOL, "the answer is not an event stream", operation=self.operation)

    def end(self) -> list[Event]:
        """The stream ended. Only `done` ends an answer: a finish reason inside a `json` event does not."""
        if self.is_complete:
            return []
        raise poe_error(ErrorCode.PROTOCOL, "the stream ended before the answer was finished", operation=self.operation)

    def note_finish(self, reason: FinishReason) -> None:
        """Remember why the answer ended. No trailer is awaited: text may follow a chunk with a finish reason."""
        super().note_finish(reason)
        self.awaits_trailer = False

    def _text_event(self, name: str, text: str) -> list[Event]:
        match name:
            case "text" if text:
                return self.said(text)
            case "replace_response":
                return self.said_instead(text)
            case "suggested_reply" if text:
                return [SuggestedReply(text)]
        return []

    def _done(self) -> list[Event]:
        self.note_finish(FinishReason.TOOL_CALLS if self.has_calls else FinishReason.STOP)
        return self.finish()

    def _error(self, values: JSONObject) -> Exception:
        error = failure_of_error(values, operation=self.operation)
        if flag_at(values, "allow_retry") is False:
            # The bot's word beats what the code alone would say.
            error.retryable = False
        return error


def _file(url: str, values: JSONObject) -> FileAttached:
    return FileAttached(
        url=url,
        content_type=text_at(values, "content_type"),
        name=text_at(values, "name"),
        inline_ref=text_at(values, "inline_ref"),
    )
