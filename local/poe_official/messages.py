"""/v1/messages, for the models that list it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from local.poe_official.bots import Question, Turn, pieces
from local.poe_official.catalogue import MESSAGES, Model
from local.poe_official.dialect import Completion, Json, NamedInBody, Store, bad_request, check_parameters, read_limit
from local.poe_official.frames import Frame, Part, data_frame
from local.poe_official.limits import Ending

_KNOWN = (
    "model messages max_tokens stream system stop_sequences temperature top_p top_k tools tool_choice thinking metadata"
)
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
        parameters = check_parameters(body, _FIELDS, model)
        limit = read_limit(body, "max_tokens")
        if limit is None:
            raise bad_request("max_tokens: Field required", "max_tokens")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise bad_request("messages must not be empty", "messages")
        roles = [message.get("role") for message in messages]
        if any(role not in ("user", "assistant") for role in roles) or roles[0] != "user":
            raise bad_request("roles must be user and assistant, and start with user", "messages")
        if any(first == second for first, second in pairwise(roles)):
            raise bad_request("roles must alternate", "messages")
        tools = [{"name": tool.get("name"), "parameters": tool.get("input_schema")} for tool in body.get("tools") or []]
        choice = body.get("tool_choice") or {}
        return Question(
            turns=tuple(_turn(message) for message in messages),
            tools=tools,
            tool_choice=choice if choice.get("type") == "tool" else choice.get("type"),
            parameters=parameters,
            max_tokens=limit,
            stops=tuple(body.get("stop_sequences") or ()),
            store=store,
        )

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
        if answer.reasoning:
            content.append({"type": "thinking", "thinking": answer.reasoning, "signature": "c2lnbmF0dXJl"})
        if answer.text:
            content.append({"type": "text", "text": answer.text})
        for n, (name, arguments) in enumerate(answer.calls):
            call = {"id": f"toolu_{completion.id[:8]}_{n}", "name": name, "input": json.loads(arguments)}
            content.append({"type": "tool_use", **call})
        cached = completion.prompt_tokens // 2
        usage = {"input_tokens": completion.prompt_tokens - cached, "output_tokens": completion.completion_tokens}
        return {
            "id": f"req_poe_{completion.id}",
            "type": "message",
            "role": "assistant",
            "model": completion.model.name,
            "content": content,
            "stop_reason": _STOP_REASONS[completion.ending],
            "stop_sequence": completion.question.stops[0] if completion.ending is Ending.STOPPED else None,
            "usage": usage | {"cache_read_input_tokens": cached, "cache_creation_input_tokens": 0},
        }

    def error(self, kind: str, code: int | str | None, message: str) -> Frame:
        """An `error` event; this endpoint has no codes."""
        error = {"type": kind, "message": message} | ({"code": code} if code is not None else {})
        return data_frame(Part.CONTENT, {"type": "error", "error": error}, "error")


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
