"""Generations as a chat completion: streamed in chunks, or collected into one object."""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from gateway.generation.answer_files import describe_files
from gateway.generation.generation import Generation
from gateway.generation.usage import TokenUsage
from gateway.surfaces.chat.encoder import ChunkEncoder, finish_reason
from reverse.events import (
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    RefusalDelta,
    SuggestedReply,
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
    replies: list[str] = []
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
                case SuggestedReply(text):
                    replies.append(text)
                case _:
                    if chunk := encoder.encode(event):
                        yield start + chunk
                        start = b""
    links, described = describe_files(files, generation.text) if files else ("", {})
    end = encoder.extras(links, described, replies)
    yield start + end + encoder.finish(reason, generation.usage)


class CollectedChoice:
    """One answer, put together from its events."""

    def __init__(self, *, is_legacy: bool = False) -> None:
        self.reason = FinishReason.STOP
        self._is_legacy = is_legacy
        self._texts: list[str] = []
        self._refusal = ""
        self._reasoning: list[str] = []
        self._files: list[FileAttached] = []
        self._replies: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}

    async def collect(self, generation: Generation) -> TokenUsage:
        """Take the whole answer; returns what it consumed. Raises what the generation raises."""
        async with generation:
            async for event in generation.events():
                self.add(event)
        return generation.usage

    def add(self, event: object) -> None:
        """Take one event in."""
        match event:
            case RefusalDelta(text):
                self._refusal += text
            case TextDelta(text):
                self._texts.append(text)
            case TextReplaced(text):
                self._texts = [text]
            case ReasoningDelta(text):
                self._reasoning.append(text)
            case FileAttached():
                self._files.append(event)
            case SuggestedReply(text):
                self._replies.append(text)
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

    def to_choice(self, index: int) -> dict[str, Any]:
        """OpenAI's choice object."""
        reason = finish_reason(self.reason, is_legacy=self._is_legacy)
        return {"index": index, "message": self._message(), "logprobs": None, "finish_reason": reason}

    def _message(self) -> dict[str, Any]:
        """The assistant's message; content is null only where calls or a refusal come without a word."""
        text = "".join(self._texts)
        links, described = describe_files(self._files, text)
        text += links
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text or (None if self._calls or self._refusal else ""),
        }
        message["refusal"] = self._refusal or None
        if self._reasoning:
            message["reasoning_content"] = "".join(self._reasoning)
        calls = [call for _, call in sorted(self._calls.items())]
        if calls and self._is_legacy:
            message["function_call"] = calls[0]["function"]
        elif calls:
            message["tool_calls"] = calls
        if self._replies:
            message["suggested_replies"] = self._replies
        return message | described


def encode_completion(
    choices: Sequence[CollectedChoice], usage: TokenUsage, *, completion_id: str, created: int, model: str
) -> bytes:
    """The completion as JSON."""
    body = {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice.to_choice(index) for index, choice in enumerate(choices)],
        "usage": usage.to_chat(),
    }
    return json.dumps(body, separators=(",", ":")).encode()
