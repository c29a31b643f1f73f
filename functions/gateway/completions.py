"""A generation as a chat completion: streamed in chunks, or collected into one object."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator
from typing import Any

from gateway.chunks import ChunkEncoder, finish_reason, missing_links
from gateway.generation import Generation
from reverse.events import (
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
)


def new_completion_id() -> str:
    """An id as OpenAI's look."""
    return f"chatcmpl-{secrets.token_hex(14)}"


async def stream_completion(generation: Generation, encoder: ChunkEncoder) -> AsyncGenerator[bytes, None]:
    """The chunks. What ends the stream is yielded after the generation has been wound up and booked.

    Raises what the generation raises. Close it when leaving early.
    """
    files: list[FileAttached] = []
    reason = FinishReason.STOP
    start = encoder.start()
    async with generation:
        async for event in generation.events():
            if type(event) is TextDelta:
                yield start + encoder.encode(event) if start else encoder.encode(event)
                start = b""
                continue
            match event:
                case Finished():
                    reason = event.reason
                case FileAttached():
                    files.append(event)
                case _:
                    if chunk := encoder.encode(event):
                        yield start + chunk
                        start = b""
        links = missing_links(files, generation.text)
    end = encoder.encode(TextDelta(links)) if links else b""
    yield start + end + encoder.finish(reason, generation.usage)


async def collect_completion(generation: Generation, *, completion_id: str, created: int, model: str) -> bytes:
    """The whole completion as JSON, when the generation has been wound up and booked.

    Raises what the generation raises.
    """
    answer = _Collected()
    async with generation:
        async for event in generation.events():
            answer.add(event)
    usage = generation.usage.to_chat()
    body = {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": answer.message(),
                "logprobs": None,
                "finish_reason": finish_reason(answer.reason),
            }
        ],
        "usage": usage,
    }
    return json.dumps(body, separators=(",", ":")).encode()


class _Collected:
    """The parts of one answer."""

    def __init__(self) -> None:
        self.reason = FinishReason.STOP
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._files: list[FileAttached] = []
        self._calls: dict[int, dict[str, Any]] = {}

    def add(self, event: object) -> None:
        match event:
            case TextDelta(text):
                self._texts.append(text)
            case TextReplaced(text):
                self._texts = [text]
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case FileAttached():
                self._files.append(event)
            case ToolCallDelta():
                self._add_call(event)
            case Finished(reason):
                self.reason = reason

    def _add_call(self, event: ToolCallDelta) -> None:
        call = self._calls.setdefault(
            event.index,
            {"id": event.id or f"call_{event.index}", "type": "function", "function": {"name": "", "arguments": ""}},
        )
        call["function"]["name"] += event.name or ""
        call["function"]["arguments"] += event.arguments

    def message(self) -> dict[str, Any]:
        """The assistant's message; content is null only when tools are called without a word."""
        text = "".join(self._texts)
        text += missing_links(self._files, text)
        message: dict[str, Any] = {"role": "assistant", "content": text or (None if self._calls else "")}
        message["refusal"] = None
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        if self._calls:
            message["tool_calls"] = [call for _, call in sorted(self._calls.items())]
        return message
