"""Events of an answer as the chunks of a streamed chat completion. Pure.

Order (docs/reference/openai-wire.md#streamed-chat): the role once, deltas, the finish reason once, usage in a chunk
without choices if it was asked for, `[DONE]`. Everything around a piece of text is serialised once per answer, not once
per chunk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

from gateway.generation.usage import TokenUsage
from reverse.events import Event, FileAttached, FinishReason, ReasoningDelta, RefusalDelta, TextDelta, ToolCallDelta

DONE = b"data: [DONE]\n\n"
FINISH_REASONS = {FinishReason.CANCELLED: "stop"}
_FUNCTION_CALL = "function_call"


def finish_reason(reason: FinishReason, *, is_legacy: bool = False) -> str:
    """OpenAI's word for it: an answer that somebody cancelled elsewhere just ends."""
    if is_legacy and reason is FinishReason.TOOL_CALLS:
        return _FUNCTION_CALL
    return FINISH_REASONS.get(reason, reason.value)


class ChunkEncoder:
    """Encodes one answer. Each method's result is ready to be sent.

    `choice` is its number among several answers to one request: then `finish` ends only the choice, and `end` the
    stream. `is_legacy` tells a tool call as a `function_call`, of which there is only one.
    """

    def __init__(
        self,
        *,
        completion_id: str,
        created: int,
        model: str,
        wants_usage: bool,
        choice: int | None = None,
        is_legacy: bool = False,
    ) -> None:
        head = {"id": completion_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._open = b"data: " + _json(head)[:-1]
        self._close = b',"usage":null}\n\n' if wants_usage else b"}\n\n"
        self._wants_usage = wants_usage
        self._is_one_of_many = choice is not None
        self._is_legacy = is_legacy
        self._before_delta = self._open + b',"choices":[{"index":%d,"delta":{' % (choice or 0)
        self._before_text = self._before_delta + b'"content":'
        self._after_delta = b'},"finish_reason":null}]' + self._close

    def start(self) -> bytes:
        """The chunk that tells the role."""
        return self._delta(b'"role":"assistant","content":""')

    def encode(self, event: Event) -> bytes:
        """The chunk for an event; empty for events that a chat completion doesn't tell."""
        # Text is nearly everything there is.
        if type(event) is TextDelta:
            return self._before_text + encode_text(event.text) + self._after_delta
        match event:
            case ReasoningDelta(text):
                return self._delta(b'"reasoning_content":' + encode_text(text))
            case RefusalDelta(text):
                return self._delta(b'"refusal":' + encode_text(text))
            case ToolCallDelta() if self._is_legacy:
                piece = tool_call_delta(event)["function"]
                return b"" if event.index else self._delta(b'"function_call":' + _json(piece))
            case ToolCallDelta():
                return self._delta(b'"tool_calls":[' + _json(tool_call_delta(event)) + b"]")
        return b""

    def extras(self, links: str, described: Mapping[str, Any], replies: Sequence[str]) -> bytes:
        """The chunk with what follows the text: links to files with their description, suggested replies."""
        delta: dict[str, Any] = {"content": links} if links else {}
        delta |= described
        if replies:
            delta["suggested_replies"] = list(replies)
        return self._delta(_json(delta)[1:-1]) if delta else b""

    def finish(self, reason: FinishReason, usage: TokenUsage) -> bytes:
        """All that ends the answer."""
        reason_json = _json(finish_reason(reason, is_legacy=self._is_legacy))
        end = self._before_delta + b'},"finish_reason":' + reason_json + b"}]" + self._close
        return end if self._is_one_of_many else end + self.end(usage)

    def end(self, usage: TokenUsage) -> bytes:
        """What ends a stream after its choices."""
        if not self._wants_usage:
            return DONE
        return self._open + b',"choices":[],"usage":' + _json(usage.to_chat()) + b"}\n\n" + DONE

    def _delta(self, fields: bytes) -> bytes:
        return self._before_delta + fields + self._after_delta


def encode_text(text: str) -> bytes:
    """A JSON string in UTF-8; half surrogates, which UTF-8 can't carry, as escapes."""
    if text.isascii():
        return encode_basestring_ascii(text).encode("ascii")
    try:
        return encode_basestring(text).encode()
    except UnicodeEncodeError:
        return encode_basestring_ascii(text).encode("ascii")


def tool_call_delta(event: ToolCallDelta) -> dict[str, Any]:
    """A tool call's piece: the first of an index has id, type and name, later ones only arguments."""
    if event.id is None:
        return {"index": event.index, "function": {"arguments": event.arguments}}
    function = {"name": event.name or "", "arguments": event.arguments}
    return {"index": event.index, "id": event.id, "type": "function", "function": function}


def missing_links(files: list[FileAttached], text: str) -> str:
    """What to append to `text` so that it links to every file: addresses that it lacks, each on a line of its own."""
    addresses = [url for url in dict.fromkeys(file.url for file in files) if url not in text]
    if not addresses:
        return ""
    links = "\n".join(addresses)
    return f"\n\n{links}" if text else links


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
