"""Sending, repeating, cancelling and deleting messages."""

from __future__ import annotations

from typing import Any

from local.poe_web.accounts import Chat, Message
from local.poe_web.answers import Attachment
from local.poe_web.bots import Bot
from local.poe_web.operations.bots import bot_wire
from local.poe_web.operations.query import Data, Query, QueryFailed, operation
from local.poe_web.uploads import refusal_for
from local.poe_web.world import Job

_NONCE_LENGTH = 16


@operation("SendMessageMutation")
def send_message(query: Query) -> Data:
    """Put a message into a new or an existing chat and let the bot answer, or say why not in `status`."""
    _check_form(query)
    bot = query.world.bots.named(query.get("bot", str), query.account.p_b)
    if bot is None:
        return _refused("no_access", "This bot is not available.")
    if bot.subscribers_only and not query.account.subscribed:
        return _refused("no_access", "Subscribe to use this bot.")
    files = _attachments(query)
    for file in files:
        if status := refusal_for(file, bot):
            return _refused(status, f"{file.name} cannot be used.")
    chat_id = query.get("chatId", int, None)
    chat = query.world.new_chat(query.account, bot) if chat_id is None else query.chat(chat_id)
    question = query.world.new_message(chat, "human", query.get("query", str))
    question.attachments = tuple(files)
    question.client_nonce = query.get("clientNonce", str)
    question.parameters = query.get("parameters", str, None)
    query.job = query.world.begin_job(query.account, chat, bot, question)
    return {"messageEdgeCreate": _edge(query, chat, bot, query.job)}


def _check_form(query: Query) -> None:
    if len(query.get("clientNonce", str)) != _NONCE_LENGTH:
        raise QueryFailed("clientNonce has to have 16 characters")
    if query.get("source", dict).get("sourceType") != "chat_input":
        raise QueryFailed("source.sourceType has to be chat_input")
    query.get("query", str)
    query.get("parameters", str, None)
    query.get("existingMessageAttachmentsIds", list)
    query.get("sdid", str)
    if query.get("shouldFetchChat", bool) != (query.variables.get("chatId") is None):
        raise QueryFailed("shouldFetchChat has to be true for a new chat and only then")


def _attachments(query: Query) -> list[Attachment]:
    """The files of a message, however they were uploaded.

    Source: docs/reference/poe-web.md#multipart-calls, docs/reference/poe-web.md#file-tokens.
    """
    labels = query.get("attachments", list)
    tokens = query.get("fileHashJwts", list, [])
    if tokens:
        known = query.account.uploads
        if len(tokens) != len(labels) or not all(token in known for token in tokens):
            raise QueryFailed("fileHashJwts do not fit the attachments, or were not given out")
        return [known[token] for token in tokens]
    parts = [query.files.get(f"variables.attachments.{i}") or query.files.get(str(x)) for i, x in enumerate(labels)]
    if None in parts:
        raise QueryFailed("an attachment is named that was not uploaded")
    return [part for part in parts if part is not None]


def _refused(status: str, reason: str) -> Data:
    return {"messageEdgeCreate": {"status": status, "statusMessage": reason}}


def _edge(query: Query, chat: Chat, bot: Bot, job: Job) -> dict[str, Any]:
    edge: dict[str, Any] = {
        "status": "success",
        "statusMessage": "",
        "message": {"node": job.question.wire()},
        "botMessage": None,
    }
    edge |= {"bot": bot_wire(query, bot), "job": {"jobId": job.job_id}}
    return edge | ({"chat": chat.wire()} if query.get("shouldFetchChat", bool) else {})


@operation("RegenerateMessageMutation")
def regenerate(query: Query) -> Data:
    """Let the bot answer the same message again, in place of the answer that it gave."""
    chat, old = _message(query)
    bot = query.bot(old.author)
    before = chat.messages[: chat.messages.index(old)]
    question = next((m for m in reversed(before) if m.author == "human"), None)
    if question is None or old.is_open:
        raise QueryFailed("there is no finished answer to regenerate")
    chat.messages.remove(old)
    query.job = query.world.begin_job(query.account, chat, bot, question, repeated=True)
    return {"messageRegenerate": {"status": "success", "job": {"jobId": query.job.job_id}}}


def _message(query: Query) -> tuple[Chat, Message]:
    found = query.account.find_message(query.get("messageId", int))
    if found is None:
        raise QueryFailed("the account has no such message")
    return found


@operation("StopMessage_messageCancel_Mutation")
def stop_message(query: Query) -> Data:
    """End one answer."""
    chat, message = _message(query)
    query.get("textLength", int)
    query.world.cancel_jobs(query.account, message_id=message.message_id)
    return {"messageCancel": {"messageId": message.message_id, "chat": {"chatId": chat.chat_id}}}


@operation("cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation")
def cancel_jobs(query: Query) -> Data:
    """End all answers of a chat."""
    chat = query.chat(query.get("chatId", int))
    query.world.cancel_jobs(query.account, chat_id=chat.chat_id)
    return {"cancelViewerActiveJobs": {"chat": {"chatId": chat.chat_id}}}


@operation("SendChatBreakMutation")
def chat_break(query: Query) -> Data:
    """Clear the chat's context."""
    chat = query.chat(query.get("chatId", int))
    message = query.world.new_message(chat, "chat_break", "")
    message.client_nonce = query.get("clientNonce", str)
    query.out.send(query.account, "messageAdded", chat.chat_id, message.wire(), message)
    node = {"messageId": message.message_id, "creationTime": message.created}
    return {"messageBreakEdgeCreate": {"message": {"node": node}}}


@operation("DeleteMessageMutation")
def delete_messages(query: Query) -> Data:
    """Delete messages; ids that are not there are passed over."""
    ids = set(query.numbers("messageIds"))
    gone = [message_id for message_id in sorted(ids) if query.account.find_message(message_id)]
    for chat in query.account.chats.values():
        chat.messages[:] = [message for message in chat.messages if message.message_id not in ids]
    return {"messagesDelete": {"messageIds": gone}}


@operation("DeleteUserMessagesMutation")
def delete_everything(query: Query) -> Data:
    """Delete every chat of the account."""
    query.account.chats.clear()
    return {"deleteUserMessages": {"viewer": {"id": "Vmlld2VyOjA="}}}
