"""A generation as a message: streamed, or as one object."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator

from gateway.generation.generation import Generation
from gateway.surfaces.chat.encoder import missing_links
from gateway.surfaces.messages.content import Content
from gateway.surfaces.messages.encoder import MessageEncoder
from gateway.surfaces.messages.message import MessageObject
from reverse.events import Event, FileAttached, Finished, FinishReason, TextDelta, TextReplaced


async def stream_message(generation: Generation, encoder: MessageEncoder) -> AsyncGenerator[bytes, None]:
    """The events. What ends the stream is yielded after the generation has been wound up and booked.

    Raises what the generation raises. Close it when leaving early.
    """
    files: list[FileAttached] = []
    reason = FinishReason.STOP
    async with generation:
        async for event in generation.events():
            match event:
                case Finished():
                    reason = event.reason
                case FileAttached():
                    files.append(event)
                case _:
                    if encoded := encoder.encode(event):
                        yield encoded
    links = missing_links(files, generation.text)
    end = encoder.encode(TextDelta(links)) if links else b""
    yield end + encoder.finish(reason, generation.usage, matched_stop=generation.matched_stop)


async def collect_message(generation: Generation, message: MessageObject, content: Content) -> bytes:
    """The whole message as JSON, when the generation has been wound up and booked.

    Raises what the generation raises, and `GatewayError` (502) for a call with arguments that are not JSON.
    """
    files: list[FileAttached] = []
    reason = FinishReason.STOP
    async with generation:
        async for event in generation.events():
            match event:
                case Finished():
                    reason = event.reason
                case FileAttached():
                    files.append(event)
                case TextReplaced(text):
                    content.start_over()
                    _collect(content, TextDelta(text))
                case _:
                    _collect(content, event)
    links = missing_links(files, generation.text)
    if links:
        _collect(content, TextDelta(links))
    body = message.finished(
        content.to_json(is_cut=reason is FinishReason.LENGTH),
        reason,
        generation.usage,
        has_calls=content.has_calls,
        matched_stop=generation.matched_stop,
    )
    return json.dumps(body, separators=(",", ":")).encode()


def _collect(content: Content, event: Event) -> None:
    placed = content.place(event)
    if placed is not None:
        block, text = placed
        if text:
            block.pieces.append(text)
