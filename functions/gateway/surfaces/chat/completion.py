"""The chat completion object: answers that were collected. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from gateway.generation.answer import Answer, AnswerPart, distinct_files, file_name, missing_links, url_citations
from gateway.generation.usage import TokenUsage
from reverse.events import FileAttached, FinishReason


def new_completion_id() -> str:
    """An id as OpenAI's look."""
    return f"chatcmpl-{secrets.token_hex(14)}"


def encode_completion(
    answers: Sequence[Answer], *, completion_id: str, created: int, model: str, is_legacy: bool = False
) -> bytes:
    """The completion as JSON, one choice per answer. `is_legacy` writes a tool call as a `function_call`."""
    body = {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [to_choice(answer, index, is_legacy=is_legacy) for index, answer in enumerate(answers)],
        "usage": TokenUsage.total(answer.usage for answer in answers).to_chat(),
    }
    return json.dumps(body, separators=(",", ":")).encode()


def to_choice(answer: Answer, index: int, *, is_legacy: bool = False) -> dict[str, Any]:
    """OpenAI's choice object."""
    reason = finish_reason(answer.finish_reason, is_legacy=is_legacy)
    return {"index": index, "message": _message(answer, is_legacy), "logprobs": None, "finish_reason": reason}


def finish_reason(reason: FinishReason, *, is_legacy: bool = False) -> str:
    """OpenAI's value. An answer that was cancelled elsewhere counts as stopped."""
    if is_legacy and reason is FinishReason.TOOL_CALLS:
        return "function_call"
    return "stop" if reason is FinishReason.CANCELLED else reason.value


def describe_files(files: Sequence[FileAttached], text: str) -> tuple[str, dict[str, Any]]:
    """What to append to `text`, and the fields of the message that describe the files; none without files.

    `annotations` has OpenAI's form for addresses in a text; `attachments` is an extension with the rest.
    """
    if not files:
        return "", {}
    links = missing_links(files, text)
    citations = url_citations(files, text + links)
    return links, {
        "annotations": [{"type": "url_citation", "url_citation": citation} for citation in citations],
        "attachments": [_attachment(file) for file in distinct_files(files)],
    }


def _attachment(file: FileAttached) -> dict[str, Any]:
    described = {"url": file.url, "name": file_name(file), "content_type": file.content_type}
    return {name: value for name, value in described.items() if value is not None}


def _message(answer: Answer, is_legacy: bool) -> dict[str, Any]:
    """The assistant's message. Content is null only where calls or a refusal come without text."""
    links, described = describe_files(answer.files, answer.text)
    text, refusal, calls = answer.text + links, answer.joined("refusal"), answer.tool_calls
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if calls or refusal else ""),
        "refusal": refusal or None,
    }
    if reasoning := answer.joined("reasoning"):
        message["reasoning_content"] = reasoning
    if calls and is_legacy:
        message["function_call"] = _function(calls[0])
    elif calls:
        message["tool_calls"] = [
            {"id": call.call_id or f"call_{index}", "type": "function", "function": _function(call)}
            | ({"extra_content": dict(call.extra_content)} if call.extra_content else {})
            for index, call in enumerate(calls)
        ]
    if answer.suggested_replies:
        message["suggested_replies"] = answer.suggested_replies
    return message | described


def _function(call: AnswerPart) -> dict[str, str]:
    return {"name": call.name, "arguments": call.text}
