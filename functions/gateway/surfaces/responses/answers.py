"""A generation as a response: streamed, or as one object. Either way it is stored before its last byte."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from gateway.generation.generation import Generation
from gateway.surfaces.responses.encoder import ResponseEncoder
from gateway.surfaces.responses.output import Output, link_files
from gateway.surfaces.responses.resource import ResponseObject, item_status
from reverse.events import (
    Event,
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

Keep = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Stores a finished response where that is wanted; returns it saying whether it was."""


async def stream_response(
    generation: Generation, response: ResponseObject, output: Output, encoder: ResponseEncoder, keep: Keep
) -> AsyncGenerator[bytes, None]:
    """The events. What ends the stream is yielded after the generation has been wound up and booked.

    Raises what the generation raises. Close it when leaving early.
    """
    files: list[FileAttached] = []
    replies: list[str] = []
    reason = FinishReason.STOP
    async with generation:
        async for event in generation.events():
            # With the first event, not before: until then a failure is an ordinary error response.
            head = b"" if encoder.is_started else encoder.start()
            if type(event) is TextDelta:
                yield head + encoder.encode(event)
                continue
            match event:
                case Finished():
                    reason = event.reason
                case FileAttached():
                    files.append(event)
                case SuggestedReply(text):
                    replies.append(text)
            if head := head + encoder.encode(event):
                yield head
    links, annotations = link_files(files, output.current_text)
    end = encoder.encode(TextDelta(links)) if links else b""
    end += encoder.annotate(annotations) if annotations else b""
    end += encoder.close(item_status(reason))
    body = response.finished(reason, output.to_json(), generation.usage, replies, completed_at=int(time.time()))
    yield end + encoder.end(await keep(body))


async def collect_response(generation: Generation, response: ResponseObject, output: Output, keep: Keep) -> bytes:
    """The whole response as JSON, when the generation has been wound up and booked.

    Raises what the generation raises.
    """
    files: list[FileAttached] = []
    replies: list[str] = []
    reason = FinishReason.STOP
    async with generation:
        async for event in generation.events():
            match event:
                case Finished():
                    reason = event.reason
                case FileAttached():
                    files.append(event)
                case SuggestedReply(text):
                    replies.append(text)
                case _:
                    _collect(event, output)
    links, annotations = link_files(files, output.current_text)
    if links:
        output.message().pieces.append(links)
    if annotations:
        output.message().annotations.extend(annotations)
    output.close(item_status(reason))
    body = response.finished(reason, output.to_json(), generation.usage, replies, completed_at=int(time.time()))
    return json.dumps(await keep(body), separators=(",", ":")).encode()


def _collect(event: Event, output: Output) -> None:
    match event:
        case RefusalDelta(text):
            output.message(is_refusal=True).pieces.append(text)
        case TextDelta(text):
            output.message().pieces.append(text)
        case TextReplaced(text):
            output.start_over()
            if text:
                output.message().pieces.append(text)
        case ReasoningDelta(text):
            output.reasoning().pieces.append(text)
        case ToolCallDelta():
            output.call(event).pieces.append(event.arguments)
