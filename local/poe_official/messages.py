"""/v1/messages, for the models that list it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from local.poe_official.bots import Question, Turn, pieces
from local.poe_official.checks import (
    check_message_pairs,
    check_options,
    check_size,
    check_thinking_blocks,
    is_thinking,
    thinking_signature,
)
from local.poe_official.dialect import Completion, Json, NamedInBody, Store, bad_request, error_object, read_limit
from local.poe_official.frames import Frame, Part, data_frame
from local.poe_official.limits import Ending
from local.poe_official.model import MESSAGES, Model

_KNOWN = "model messages max_tokens stream system stop_sequences temperature top_p top_k tools tool_choice thinking"
_KNOWN += " metadata output_config"
_STOP_REASONS = {
    Ending.DONE: "end_turn",
    Ending.CALLS: "tool_use",
    Ending.STOPPED: "stop_sequence",
    Ending.CUT: "max_tokens",
}
_FIELDS = frozenset(_KNOWN.split())


class Messages(NamedInBody):
    """The dialect."""

    endpoint = MESSAGES

    def question(self, body: Json, model: Model, store: Store) -> Question:
        """The conversation, checked: alternating roles, a limit, results for every call."""
        parameters = check_options(body, _FIELDS, model)
        limit = read_limit(body, "max_tokens")
        if limit is None:
            raise bad_request("max_tokens: Field required")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise bad_request("messages must not be empty")
        roles = [message.get("role") for message in messages]
        if any(role not in ("user", "assistant") for role in roles) or roles[0] != "user":
            raise bad_request("roles must be user and assistant, and start with user")
        if any(first == second for first, second in pairwise(roles)):
            raise bad_request("roles must alternate")
        check_message_pairs(messages)
        thinking = body.get("thinking")
        _check_thinking(thinking, limit)
        check_thinking_blocks(messages, thinking)
        tools = [{"name": tool.get("name"), "parameters": tool.get("input_schema")} for tool in body.get("tools") or []]
        choice = body.get("tool_choice") or {}
        question = Question(
            turns=_system(body.get("system")) + tuple(_turn(message) for message in messages),
            tools=tools,
            tool_choice=choice if choice.get("type") == "tool" else choice.get("type"),
            parameters=parameters | ({"thinking": thinking} if is_thinking(thinking) else {}),
            max_tokens=limit,
            stops=tuple(body.get("stop_sequences") or ()),
            store=store,
            marks_cache="cache_control" in json.dumps(messages) + json.dumps(body.get("system")),
        )
        check_size(question.words, limit, model)
        return question

    def frames(self, completion: Completion, _body: Json, /) -> list[Frame]:
        """message_start, the blocks with their deltas, message_delta with reason and usage, message_stop."""
        whole = self.whole(completion)
        start = whole | {"content": [], "stop_reason": None, "usage": whole["usage"] | {"output_tokens": 1}}
        frames = [data_frame(Part.OPENING, {"type": "message_start", "message": start}, "message_start")]
        frames.append(data_frame(Part.OPENING, {"type": "ping"}, "ping"))
        for index, block in enumerate(whole["content"]):
            frames += [data_frame(Part.CONTENT, event, event["type"]) for event in _block_events(block, index)]
        usage = {"output_tokens": completion.completion_tokens}
        ending = {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"]}, "usage": usage}
        frames.append(data_frame(Part.FINISH, ending, "message_delta"))
        return [*frames, data_frame(Part.DONE, {"type": "message_stop"}, "message_stop")]

    def whole(self, completion: Completion) -> Json:
        """A `message`."""
        answer, content = completion.answer, list[Json]()
        thought = answer.reasoning or ("Let me see." if completion.question.parameters.get("thinking") else "")
        if thought:
            signature = thinking_signature(thought)
            content.append({"type": "thinking", "thinking": thought, "signature": signature})
        if answer.text:
            content.append({"type": "text", "text": answer.text})
        for n, (name, arguments) in enumerate(answer.calls):
            call = {"id": f"toolu_{completion.id[:8]}_{n}", "name": name, "input": json.loads(arguments)}
            content.append({"type": "tool_use", **call})
        cached, answered = completion.cached_tokens, completion.completion_tokens
        read = completion.prompt_tokens - cached
        return {
            "model": completion.model.provider_name or completion.model.id,
            "id": f"req_poe_{completion.id}",
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": _STOP_REASONS[completion.ending],
            "stop_sequence": completion.question.stops[0] if completion.ending is Ending.STOPPED else None,
            # The total leaves out what came from the cache (recorded).
            "usage": {
                "input_tokens": read,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": cached,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": answered,
                "total_tokens": read + answered,
            },
        }

    def error(self, kind: str, code: int | str | None, message: str) -> Frame:
        """An `error` event; this endpoint has no codes."""
        return data_frame(Part.CONTENT, {"type": "error", "error": error_object(message, kind, code)}, "error")


def _system(given: Any) -> tuple[Turn, ...]:
    blocks = [{"text": given}] if isinstance(given, str) else given or []
    return tuple(Turn("system", str(block.get("text", ""))) for block in blocks)


def _check_thinking(thinking: Any, limit: int) -> None:
    budget = (thinking or {}).get("budget_tokens")
    if budget is not None and not 1024 <= budget < limit:
        raise bad_request("`max_tokens` must be greater than `thinking.budget_tokens`, which must be at least 1024.")


def _turn(message: Any) -> Turn:
    content = message.get("content")
    if isinstance(content, str):
        return Turn(message["role"], content)
    blocks = content or []
    results = [block for block in blocks if block.get("type") == "tool_result"]
    if results:
        return Turn("tool", str(results[-1].get("content", "")))
    text = "".join(block.get("text", "") for block in blocks if block.get("type") == "text")
    files = [block["type"] for block in blocks if block.get("type") in ("image", "document")]
    return Turn(message["role"], text, tuple(files))


def _block_events(block: Json, index: int) -> list[Json]:
    match block["type"]:
        case "thinking":
            start = {"type": "thinking", "thinking": "", "signature": ""}
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "text":
            start = {"type": "text", "text": ""}
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        case _:
            start = block | {"input": {}}
            text = json.dumps(block["input"])
            halves = "", text[: len(text) // 2], text[len(text) // 2 :]
            deltas = [{"type": "input_json_delta", "partial_json": half} for half in halves]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]
