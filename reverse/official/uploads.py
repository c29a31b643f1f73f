"""File upload, and bringing a question's attachments into the form that its route needs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lazy_dataclasses import dataclass
from reverse.chat import Attachment, ChatRequest
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.file_types import safe_name
from reverse.official.attachments import is_image
from reverse.official.exchange import Exchange
from reverse.official.json_values import text_at

if TYPE_CHECKING:
    from reverse.fetch import FetchedFile

OPERATION = "upload"

# What the published client allows an upload (docs/reference/poe-official.md#file-upload).
_UPLOAD_SECONDS = 120.0

Fetch = Callable[[str], Awaitable["FetchedFile"]]


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that Poe keeps; `url` is what messages refer to."""

    url: str
    content_type: str
    name: str


async def upload(exchange: Exchange, file: Attachment) -> UploadedFile:
    """Hand a file to Poe: its bytes, or its address for Poe to fetch. Raises `PoeError`."""
    if file.data is not None:
        if len(file.data) > exchange.config.max_attachment_bytes:
            raise poe_error(ErrorCode.FILE_TOO_LARGE, operation=OPERATION)
        name = safe_name(file.name, file.content_type)
        request = exchange.upload_request(OPERATION, file=(name, file.data, file.content_type))
    elif file.url:
        request = exchange.upload_request(OPERATION, form={"download_url": file.url, "download_filename": file.name})
    else:
        raise poe_error(ErrorCode.INVALID_REQUEST, "the file has neither bytes nor an address", operation=OPERATION)
    try:
        # A file without its message costs nothing, however often it is sent.
        reply = await exchange.fetch_json(request, timeout_seconds=_UPLOAD_SECONDS, is_repeatable=True)
    except PoeError as error:
        if error.code is ErrorCode.MESSAGE_TOO_LONG:  # what the same status means for a question
            raise poe_error(ErrorCode.FILE_TOO_LARGE, operation=OPERATION, status=error.status) from None
        raise
    url = text_at(reply, "attachment_url")
    if not url:
        raise poe_error(ErrorCode.PROTOCOL, "the upload has no address", operation=OPERATION)
    return UploadedFile(url, text_at(reply, "mime_type") or file.content_type, file.name)


async def with_addresses(exchange: Exchange, request: ChatRequest) -> ChatRequest:
    """The request with every attachment uploaded, which the bot protocol needs. Uploads at the same time."""

    async def addressed(file: Attachment) -> Attachment:
        # It has an address already, which is all that a message names.
        if file.data is None:
            return file
        kept = await upload(exchange, file)
        return Attachment(file.name, kept.content_type, url=kept.url)

    return await _map_attachments(request, addressed)


async def with_bytes(request: ChatRequest, fetch: Fetch) -> ChatRequest:
    """The request with the bytes of every file that is no image, which the other endpoints take only inline."""

    async def filled(file: Attachment) -> Attachment:
        if file.data is not None or is_image(file) or not file.url:
            return file
        fetched = await fetch(file.url)
        return Attachment(file.name or fetched.name, fetched.content_type, data=fetched.data)

    return await _map_attachments(request, filled)


async def _map_attachments(
    request: ChatRequest, change: Callable[[Attachment], Coroutine[Any, Any, Attachment]]
) -> ChatRequest:
    if not any(message.attachments for message in request.messages):
        return request
    changed = [[asyncio.create_task(change(file)) for file in message.attachments] for message in request.messages]
    every = [task for tasks in changed for task in tasks]
    try:
        # At the same time; the first failure ends the others, since the question can't be asked without the file.
        await asyncio.gather(*every)
    finally:
        for task in every:
            task.cancel()
        await asyncio.wait(every)
    messages = [
        replace(message, attachments=tuple(task.result() for task in tasks))
        for message, tasks in zip(request.messages, changed, strict=True)
    ]
    return replace(request, messages=messages)
