"""The answers to a completion request as chunks of a stream, or as one object. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.generation.answer import Answer, missing_links, native_reason
from gateway.generation.usage import TokenUsage
from gateway.http.sse import DONE, encode_text
from gateway.surfaces.completions.request import CompletionRequest
from reverse.events import Event, FinishReason, TextDelta


class CompletionEncoder:
    """Encodes the answers to one request; `choice` makes the encoder of one streamed answer."""

    def __init__(self, request: CompletionRequest, *, created: int, model: str) -> None:
        self.request = request
        self.head: dict[str, Any] = {
            "id": f"cmpl-{secrets.token_hex(14)}",
            "object": "text_completion",
            "created": created,
            "model": model,
        }

    def whole(self, answers: Sequence[Answer]) -> bytes:
        """The response that is not streamed."""
        choices = [
            {
                "text": (self.request.prompt_of(index) if self.request.echoes else "")
                + answer.text
                + missing_links(answer.files, answer.text),
                "index": index,
                # OpenAI's choices always have the field, null where there are none.
                "logprobs": None,
                "finish_reason": finish_reason(answer.finish_reason),
            }
            | native_reason(answer.finish_reason)
            for index, answer in enumerate(answers)
        ]
        usage = TokenUsage.total(answer.usage for answer in answers)
        return _json(self.head | {"choices": choices, "usage": usage.to_chat()})

    def rename(self, model: str) -> None:
        """Another model answers than was expected."""
        self.head["model"] = model

    def choice(self, index: int) -> ChoiceEncoder:
        """The encoder of one answer."""
        return ChoiceEncoder(self, index)

    def end_stream(self, usage: TokenUsage) -> bytes:
        """What ends a stream after its choices, given what all of them consumed."""
        if not self.request.wants_usage:
            return DONE
        return b"data: " + _json(self.head | {"choices": [], "usage": usage.to_chat()}) + b"\n\n" + DONE


class ChoiceEncoder:
    """Encodes one answer of several. Each method's result is ready to be sent."""

    def __init__(self, parent: CompletionEncoder, index: int) -> None:
        request = parent.request
        self.answer = Answer()
        self._index = index
        self._parent = parent
        # As in chat: the field is there only where usage was asked for.
        self._tail = b',"usage":null}\n\n' if request.wants_usage else b"}\n\n"
        self.rename(parent.head["model"])

    def rename(self, model: str) -> None:
        """Another model answers than was expected. To be called before anything is encoded."""
        request, head = self._parent.request, self._parent.head
        # Shared by all choices: those that begin later name the same model.
        head["model"] = model
        self._open = b"data: " + _json(head)[:-1] + b',"choices":[{"text":'
        # Held until the bot begins to answer: a failure before that is an ordinary error response.
        self._start = self._chunk(request.prompt_of(self._index)) if request.echoes else b""

    def encode(self, event: Event) -> bytes:
        """The chunk for an event; empty for events that chunks do not show."""
        # A refusal is a kind of text here: this API has no other place for it.
        if not isinstance(event, TextDelta):
            self.answer.add(event)
            return b""
        chunk, self._start = self._start + self._chunk(event.text), b""
        return chunk

    async def end(self) -> bytes:
        """All that ends the answer."""
        links = missing_links(self.answer.files, self.answer.text)
        reason = self.answer.finish_reason
        # An answer without text still has its prompt echoed, and its reason told.
        return self._start + self._chunk(links, finish_reason(reason), native_reason(reason))

    def _chunk(self, text: str, reason: str | None = None, native: Mapping[str, str] | None = None) -> bytes:
        more = b"," + _json(native)[1:-1] if native else b""
        rest = b',"index":%d,"logprobs":null,"finish_reason":%s%s}]' % (self._index, _json(reason), more)
        return self._open + encode_text(text) + rest + self._tail


def finish_reason(reason: FinishReason) -> str:
    """OpenAI's value. This endpoint has none for tool calls, which nobody can ask for here."""
    # Somebody stopped it at Poe: cut, like at a token limit.
    if reason is FinishReason.CANCELLED:
        return "length"
    return "stop" if reason is FinishReason.TOOL_CALLS else reason.value


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
