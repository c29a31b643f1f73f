"""Builds the dictionaries that `send_message` yields, in the shape of the published package. Pure.

The keys are those that were seen on the original's chunks (docs/reference/poe-web.md#published-client). What an event
does not carry is `None`.
"""

from __future__ import annotations

import base64
from typing import Any

from reverse.events import (
    ChatStarted,
    ChatTitled,
    Event,
    FileAttached,
    Finished,
    FinishReason,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    UsageReported,
)

Chunk = dict[str, Any]


class ChunkFolder:
    """Folds the events of one answer into chunks.

    `text` is always the whole text so far and `response` what is new since the chunk before. Where Poe replaced the
    text (a progress note gave way to the answer), `response` is the new text on a new line. The last chunk of an
    answer that ended well has the state "complete"; an answer that was cancelled just ends. A new title of the chat
    makes a chunk without new text. `msgPrice` is what the
    answer cost, in points, once Poe has said so.
    """

    def __init__(self, *, author: str | None, with_price: bool = True) -> None:
        self._chunk: Chunk = {
            "__typename": "Message",
            "id": None,
            "messageId": None,
            "author": author,
            "text": "",
            "response": "",
            "state": "incomplete",
            "messageStateText": None,
            "contentType": "text_markdown",
            "attachments": [],
            "followupActions": [],
            "suggestedReplies": [],
            "creationTime": None,
            "clientNonce": None,
            "sourceType": None,
            "hasCitations": None,
            "textLengthOnCancellation": None,
            "chatId": None,
            "chatCode": None,
            "title": None,
        }
        if with_price:
            self._chunk["msgPrice"] = None

    def feed(self, event: Event) -> Chunk | None:
        """Take an event in; the chunk that it makes, if it makes one."""
        chunk = self._chunk
        response: str | None = None
        match event:
            case ChatStarted():
                self._begin(event)
            case ChatTitled(title):
                chunk["title"] = title
                response = ""
            case TextDelta(text):
                chunk["text"] += text
                response = text
            case TextReplaced(text):
                response = f"\n{text}" if chunk["text"] else text
                chunk["text"] = text
            case FileAttached():
                chunk["attachments"] = [*chunk["attachments"], _attachment(event)]
                response = ""
            case SuggestedReply(text):
                chunk["suggestedReplies"] = [*chunk["suggestedReplies"], text]
                chunk["followupActions"] = [*chunk["followupActions"], {"bodyText": text}]
            case UsageReported(points=points) if "msgPrice" in chunk:
                chunk["msgPrice"] = points
            case Finished(reason) if reason is not FinishReason.CANCELLED:
                chunk["state"] = "complete"
                response = ""
        return None if response is None else {**chunk, "response": response}

    def _begin(self, event: ChatStarted) -> None:
        chunk = self._chunk
        chunk["chatId"] = event.chat_id
        chunk["chatCode"] = event.chat_code or chunk["chatCode"]
        chunk["title"] = event.title or chunk["title"]
        if event.message_id is not None:
            chunk["messageId"] = event.message_id
            chunk["id"] = base64.b64encode(f"Message:{event.message_id}".encode()).decode()


def _attachment(file: FileAttached) -> dict[str, Any]:
    """An attachment in Poe's shape, as far as it is known (docs/reference/poe-web.md#message-events)."""
    return {
        "name": file.name,
        "url": file.url,
        "isInline": file.inline_ref is not None,
        "file": {"url": file.url, "mimeType": file.content_type},
    }
