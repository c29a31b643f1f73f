"""Answers of the API as they are on the wire: in one piece, as recorded, and as the stream they would have been."""

from __future__ import annotations

import json
from typing import Any

from local.poe_official.bots import pieces


def streamed(endpoint: str, body: dict[str, Any]) -> str:
    """The server-sent events of an answer, by the rules of its endpoint."""
    make = {
        "/v1/chat/completions": _chat_events,
        "/v1/responses": _response_events,
        "/v1/messages": _message_events,
    }[endpoint]
    return "".join(f"event: {event.get('type', 'message')}\ndata: {json.dumps(event)}\n\n" for event in make(body))


def _chat_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    (choice,) = body["choices"]
    message = choice["message"]
    head = {name: body[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    thoughts = pieces(message.get("reasoning_content") or "")
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece, "reasoning": piece} for piece in thoughts]
    deltas += [{"content": piece} for piece in pieces(message["content"] or "")]
    for index, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        opening = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        deltas += [{"tool_calls": [opening]}]
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
            for piece in pieces(function["arguments"])
        ]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return [*chunks, {**head, "choices": [], "usage": body["usage"]}]


def _response_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    begun = body | {"status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    for index, item in enumerate(body["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        empty = item | {"content": [], "summary": [], "arguments": ""}
        events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
        if item["type"] == "function_call":
            kind = "response.function_call_arguments.delta"
            events += [{"type": kind, **place, "delta": piece} for piece in pieces(item["arguments"])]
        for part in item.get("content") or item.get("summary") or ():
            kind = "response.output_text.delta" if "content" in item else "response.reasoning_summary_text.delta"
            events += [{"type": kind, **place, "content_index": 0, "delta": piece} for piece in pieces(part["text"])]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return [*events, {"type": "response.completed", "response": body}]


def _message_events(body: dict[str, Any]) -> list[dict[str, Any]]:
    begun = body | {"content": [], "stop_reason": None}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(body["content"]):
        text = block.get("text") or block.get("thinking") or json.dumps(block.get("input"))
        empty = {name: "" if name in ("text", "thinking", "signature") else value for name, value in block.items()}
        empty |= {"input": {}} if "input" in block else {}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        kind, name = {
            "text": ("text_delta", "text"),
            "thinking": ("thinking_delta", "thinking"),
            "tool_use": ("input_json_delta", "partial_json"),
        }[block["type"]]
        deltas = [{"type": kind, name: piece} for piece in pieces(text)]
        deltas += [{"type": "signature_delta", "signature": block["signature"]}] if "signature" in block else []
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    ending = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    usage = {"output_tokens": body["usage"]["output_tokens"]}
    return [*events, {"type": "message_delta", "delta": ending, "usage": usage}, {"type": "message_stop"}]
