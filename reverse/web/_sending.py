"""Builds the variables of the message mutation, in both generations, and reads its answer. Pure."""

from __future__ import annotations

import json
import random
import string
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig
from reverse.errors import ErrorCode, poe_error
from reverse.web._protocol import clean, integer, mapping, number_of
from reverse.web._refusals import refusal

SEND = "SendMessageMutation"
_NONCE_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Sent:
    """An accepted message. `last_message_id` is the newest message known to precede the answer."""

    chat_id: int
    chat_code: str | None
    title: str | None = field(repr=False)
    last_message_id: int | None


def send_variables(
    config: PoeConfig,
    *,
    bot: str,
    text: str,
    chat_id: int | None,
    labels: Sequence[str] = (),
    file_tokens: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    rng: random.Random,
) -> dict[str, Any]:
    """Variables of `SendMessageMutation` (docs/reference/poe-web.md#sending-a-message), in the order clients send them.

    `labels` name the attachments, `file_tokens` prove their upload (newer). The bot's handle goes as the caller
    wrote it: the table of code names is stale and browsers send plain handles since late 2025
    (docs/reference/poe-web.md#bot-names).
    """
    nonce = "".join(rng.choices(_NONCE_ALPHABET, k=16))
    source: dict[str, Any] = {"sourceType": "chat_input", "chatInputMetadata": {"useVoiceRecord": False}}
    if config.operation_generation == "older":
        return {
            "chatId": chat_id,
            "bot": bot,
            "query": text,
            "shouldFetchChat": chat_id is None,
            "source": source,
            "clientNonce": nonce,
            "sdid": "",
            "attachments": list(labels),
            "existingMessageAttachmentsIds": [],
            "messagePointsDisplayPrice": None,
        }
    if chat_id is None:
        source["chatInputMetadata"]["newChatContext"] = "home_page_input"
    return {
        "chatId": chat_id,
        "query": text,
        "shouldFetchChat": chat_id is None,
        "source": source,
        "clientNonce": nonce,
        "sdid": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "attachments": list(labels),
        "existingMessageAttachmentsIds": [],
        "chatNonce": "".join(rng.choices(_NONCE_ALPHABET, k=16)),
        "referencedMessageId": None,
        "parameters": json.dumps(parameters, separators=(",", ":")) if parameters else None,
        "fileHashJwts": list(file_tokens),
        "bot": bot,
    }


def read_sent(data: Mapping[str, Any], *, chat_id: int | None) -> Sent:
    """Understand the mutation's `data`. Raises the refusal that its status is, or `PROTOCOL` without a chat."""
    edge = mapping(data.get("messageEdgeCreate"))
    status, explanation = edge.get("status"), edge.get("statusMessage")
    if status != "success":
        text = clean(explanation) if isinstance(explanation, str) and explanation else None
        # HTTP and GraphQL both say that all is well here; only this status tells.
        raise refusal(status if isinstance(status, str) else "unknown", operation=SEND, upstream_text=text)
    chat = mapping(edge.get("chat"))
    created = integer(chat.get("chatId"))
    # Where the answer has no `chatId`, the number is in the node's id.
    created = created if created is not None else number_of(chat.get("id"))
    chat_id = chat_id if chat_id is not None else created
    if chat_id is None:
        raise poe_error(ErrorCode.PROTOCOL, "Poe accepted the message but named no chat", operation=SEND)
    code, title = chat.get("chatCode"), chat.get("title")
    question = integer(mapping(mapping(edge.get("message")).get("node")).get("messageId"))
    answer = integer(mapping(mapping(edge.get("botMessage")).get("node")).get("messageId"))
    return Sent(
        chat_id,
        code if isinstance(code, str) else None,
        clean(title) if isinstance(title, str) else None,
        # What precedes the answer, so that an older answer in the same chat is not taken for it.
        question if question is not None else answer - 1 if answer is not None else None,
    )
