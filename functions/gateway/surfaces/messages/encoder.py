"""Events of an answer as the server-sent events of a streamed message, and errors as that API words them. Pure.

Order: `message_start`, then for each block `content_block_start`, its deltas and `content_block_stop`, then
`message_delta` with the stop reason and the usage, and `message_stop`. One `ping` follows the first opening, as that
API sends it. What surrounds a piece is serialised once per block, not once per event.

Blocks follow one another. A block ends when another one begins, except for a tool call whose arguments are incomplete:
what comes in between waits until they are complete, or until the end.

Our own code of an error and the field's name, which the envelope has no place for, are in `details`, where the official
SDK reads them (`error_code`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from gateway.generation.answer import CUT, Answer, AnswerPart, missing_links, native_reason
from gateway.generation.usage import UNKNOWN_POINTS, TokenUsage
from gateway.http.errors import OVERLOADED, TOO_LONG, UNUSABLE_ANSWER, GatewayError
from gateway.http.sse import encode_text
from gateway.prompt.model_json import decode
from lazy_dataclasses import dataclass
from reverse.events import Event, FinishReason, ReasoningSigned, TextDelta, UrlCited

_STOP_REASONS = {
    FinishReason.LENGTH: "max_tokens",
    FinishReason.CANCELLED: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
}


def new_message_id() -> str:
    """An id as Anthropic's look."""
    return f"msg_{secrets.token_hex(12)}"


@dataclass(slots=True)
class MessageObject:
    """What of a message is known before its answer."""

    id: str
    model: str
    """As the caller wrote it, or the one that answers to an alias."""
    prompt_tokens: int
    """Estimate."""

    def rename(self, model: str) -> None:
        """Another model answers than was expected. To be called before anything is encoded."""
        self.model = model

    def started(self) -> dict[str, Any]:
        """The message before its first block."""
        # Before the answer only the estimate is known; `message_delta` has the real numbers, which the SDKs take over.
        usage = {"input_tokens": self.prompt_tokens, "output_tokens": 0, "estimated": True} | UNKNOWN_POINTS
        return self._object([], {"stop_reason": None, "stop_sequence": None}, usage)

    def finished(self, answer: Answer) -> dict[str, Any]:
        """The whole message. Raises `GatewayError` (400) for a tool call whose arguments are no JSON object."""
        return self._object(content_blocks(answer), ending(answer), usage_json(answer.usage))

    def _object(self, content: list[dict[str, Any]], ending: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
        head = {"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content}
        return {**head, **ending, "usage": usage}


def ending(answer: Answer) -> dict[str, Any]:
    """Why the answer ended, in Anthropic's words."""
    # Some models end with `stop` although they called a tool; agents decide by this word.
    kind = _STOP_REASONS.get(answer.finish_reason, "tool_use" if answer.tool_calls else "end_turn")
    if answer.matched_stop is not None:
        kind = "stop_sequence"
    found: dict[str, Any] = {"stop_reason": kind, "stop_sequence": answer.matched_stop}
    if kind == "refusal":
        # Anthropic's field for the reasons of a refusal; Poe says nothing that could fill it.
        found["stop_details"] = {"type": "refusal", "category": None, "explanation": None}
    return found | native_reason(answer.finish_reason)


def content_blocks(answer: Answer) -> list[dict[str, Any]]:
    """All blocks. Raises `GatewayError` (400) for arguments that are no JSON object, unless the answer was cut."""
    is_cut = answer.finish_reason in CUT
    return [_block(part, is_cut=is_cut) for part in answer.parts]


def _block(part: AnswerPart, *, is_cut: bool) -> dict[str, Any]:
    match part.kind:
        case "tool_call":
            arguments = read_arguments(part.text or "{}")
            if arguments is None and not is_cut:
                message = "The model called a tool with arguments that are not valid JSON."
                raise GatewayError(UNUSABLE_ANSWER, message, code="invalid_tool_call")
            # Cut off: the SDKs need an object here, and `max_tokens` tells that it is not the whole.
            return block_opening(part) | {"input": arguments or {}}
        case "reasoning":
            return block_opening(part) | {"thinking": part.text, "signature": part.signature}
        case "redacted":
            return block_opening(part)
    citations = {"citations": [citation_json(one) for one in part.citations]} if part.citations else {}
    return block_opening(part) | {"text": part.text} | citations


def citation_json(citation: UrlCited) -> dict[str, Any]:
    """A cited page. It has no index, because no model of Anthropic's is to read it again."""
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote or "",
        "encrypted_index": "",
    }


def block_opening(part: AnswerPart) -> dict[str, Any]:
    """The block of a part before its first piece."""
    match part.kind:
        case "tool_call":
            call_id = part.call_id or f"toolu_{secrets.token_hex(12)}"
            extra = {"extra_content": part.extra_content} if part.extra_content else {}
            return {"type": "tool_use", "id": call_id, "name": part.name, "input": {}, **extra}
        case "reasoning":
            return {"type": "thinking", "thinking": "", "signature": ""}
        case "redacted":
            return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "text", "text": ""}


def read_arguments(text: str) -> dict[str, Any] | None:
    """A call's arguments, or `None` if they are not (yet) a JSON object."""
    try:
        value = decode(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def usage_json(usage: TokenUsage) -> dict[str, Any]:
    """Anthropic's usage object, which counts what came from a cache apart; the last three are extensions."""
    cached = usage.cached_tokens or 0
    fields: dict[str, Any] = {
        # Poe counts the cached ones among the prompt's, this API beside them.
        "input_tokens": max(0, usage.prompt_tokens - cached),
        "output_tokens": usage.completion_tokens,
    }
    # Unknown is left out: 0 would say that nothing was cached.
    if usage.cached_tokens is not None:
        fields["cache_read_input_tokens"] = cached
    if usage.reasoning_tokens is not None:
        fields["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    fields["estimated"] = usage.is_estimated
    return fields | usage.shown_points()


PING = b'event: ping\ndata: {"type":"ping"}\n\n'
# By the kind of a part: type and field of its deltas.
_DELTAS = {
    "text": ("text_delta", "text"),
    "refusal": ("text_delta", "text"),
    "reasoning": ("thinking_delta", "thinking"),
    "tool_call": ("input_json_delta", "partial_json"),
}
_TAIL = b"}}\n\n"


class MessageEncoder:
    """Encodes one answer. Each method's result is ready to be sent."""

    def __init__(self, message: MessageObject, answer: Answer) -> None:
        self.answer = answer
        self._message = message
        self._is_started = False
        # The part that is being written, its place, and what comes before each of its pieces.
        self._open: AnswerPart | None = None
        self._index = -1
        self._head = b""

    def encode(self, event: Event) -> bytes:
        """The events for a piece of the answer; empty for what a message does not show, and for what has to wait."""
        part = self.answer.add(event)
        if part is None:
            return self._mark(event)
        # Nearly every event: nothing but the piece is serialised.
        if part is self._open:
            piece = part.pieces[-1]
            return self._head + encode_text(piece) + _TAIL if piece else b""
        return self._advance(is_over=False)

    def _mark(self, event: Event) -> bytes:
        """The events for what is no piece of a block but said of one: seals and citations."""
        match event:
            case ReasoningSigned() if self._open is self.answer.parts[-1]:
                return self._mark_delta("signature_delta", signature=event.signature)
            case ReasoningSigned():
                return self._advance(is_over=False)
            # A citation is told only while its block is being written: no delta may follow a block's end.
            case UrlCited() if self._open is not None and event in self._open.citations:
                return self._mark_delta("citations_delta", citation=citation_json(event))
        return b""

    def _mark_delta(self, kind: str, **fields: Any) -> bytes:
        return _event("content_block_delta", {"index": self._index, "delta": {"type": kind, **fields}})

    async def end(self) -> bytes:
        """All that ends a stream."""
        links = missing_links(self.answer.files, self.answer.text)
        encoded = self.encode(TextDelta(links)) if links else b""
        encoded += self._advance(is_over=True)
        if self._open is not None:
            encoded += self._stop()
        # An empty answer is a message without blocks, which still begins.
        elif not self._is_started:
            encoded += self._start()
        encoded += _event("message_delta", {"delta": ending(self.answer), "usage": usage_json(self.answer.usage)})
        return encoded + _event("message_stop", {})

    def _advance(self, *, is_over: bool) -> bytes:
        """Go on to the parts that wait, as far as they may begin."""
        encoded = b""
        parts = self.answer.parts
        while self._index + 1 < len(parts):
            if self._open is not None:
                # Pieces of parallel calls may arrive interleaved, while this API writes one block at a time.
                if not (is_over or _is_complete(self._open)):
                    break
                encoded += self._stop()
            encoded += self._begin(parts[self._index + 1])
        return encoded

    def _begin(self, part: AnswerPart) -> bytes:
        self._open = part
        self._index += 1
        kind, name = _DELTAS.get(part.kind, ("", ""))
        fields = json.dumps({"type": "content_block_delta", "index": self._index}, separators=(",", ":"))
        self._head = f'event: content_block_delta\ndata: {fields[:-1]},"delta":{{"type":"{kind}","{name}":'.encode()
        opening = _event("content_block_start", {"index": self._index, "content_block": block_opening(part)})
        if not self._is_started:
            opening = self._start() + opening + PING
        # What came while the block had to wait.
        text = part.text
        opening += self._head + encode_text(text) + _TAIL if text else b""
        if part.kind == "reasoning" and part.signature:
            opening += self._mark_delta("signature_delta", signature=part.signature)
        cited = [self._mark_delta("citations_delta", citation=citation_json(one)) for one in part.citations]
        return opening + b"".join(cited)

    def _start(self) -> bytes:
        self._is_started = True
        return _event("message_start", {"message": self._message.started()})

    def _stop(self) -> bytes:
        return _event("content_block_stop", {"index": self._index})


def _is_complete(part: AnswerPart) -> bool:
    """Whether nothing of the part can be missing once another one has begun."""
    # Whole JSON is the only sign: upstreams do not say when a call's arguments end.
    return part.kind != "tool_call" or read_arguments(part.text) is not None


def _event(kind: str, fields: Mapping[str, Any]) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


# By status, as Anthropic documents them; anything else is `api_error`.
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_OVERLOADED_STATUS = 529
_TOO_LONG = "prompt is too long"


def error_status(error: GatewayError) -> int:
    """The HTTP status; that API has one of its own for an overloaded upstream."""
    return _OVERLOADED_STATUS if error.situation is OVERLOADED else error.status


def error_object(error: GatewayError) -> dict[str, Any]:
    """Type, message and details."""
    details = {"error_code": error.code} | ({"param": error.param} if error.param else {})
    kind = _TYPES.get(error_status(error), "api_error")
    # Agents shorten their conversation when they read these words.
    too_long = error.situation is TOO_LONG and not error.message.lower().startswith(_TOO_LONG)
    message = f"{_TOO_LONG}: {error.message}" if too_long else error.message
    return {"type": kind, "message": message, "details": details}


def encode_error(error: GatewayError, request_id: str) -> bytes:
    """The envelope as JSON."""
    body = {"type": "error", "error": error_object(error), "request_id": request_id}
    return json.dumps(body, separators=(",", ":")).encode()


def encode_error_event(error: GatewayError, request_id: str) -> bytes:
    """The envelope as the last server-sent event of a stream."""
    return b"event: error\ndata: " + encode_error(error, request_id) + b"\n\n"
