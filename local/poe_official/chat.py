"""/v1/chat/completions, strict about fields and roles."""

from __future__ import annotations

from typing import Any

from local.poe_official.bots import Question, Turn, pieces
from local.poe_official.catalogue import CHAT, Model
from local.poe_official.dialect import (
    Completion,
    Json,
    NamedInBody,
    Refused,
    Store,
    bad_request,
    check_parameters,
    read_limit,
)
from local.poe_official.frames import Frame, Part, data_frame
from local.poe_official.limits import Ending

_SUPPORTED = "model messages max_tokens max_completion_tokens stream stream_options top_p tools tool_choice"
_SUPPORTED += " parallel_tool_calls stop temperature logprobs top_logprobs n"
_IGNORED = "store metadata response_format prediction presence_penalty frequency_penalty seed service_tier audio"
_IGNORED += " logit_bias user modalities"
KNOWN_FIELDS = frozenset(f"{_SUPPORTED} {_IGNORED}".split())

_LIMITS = ("max_tokens", "max_completion_tokens")
_ROLES = ("system", "user", "assistant", "tool")
_FINISH_REASONS = {Ending.CALLS: "tool_calls", Ending.CUT: "length"}
_PART_NAMES = {"image_url": "image", "input_audio": "audio"}


class ChatCompletions(NamedInBody):
    """The dialect."""

    endpoint = CHAT

    def question(self, body: Json, model: Model, store: Store) -> Question:
        """The conversation, checked."""
        parameters = check_parameters(body, KNOWN_FIELDS, model)
        if body.get("n") not in (None, 1):
            raise bad_request("n must be 1", "n")
        if not 0 <= (body.get("temperature") or 0) <= 2:
            raise bad_request("temperature must be between 0 and 2", "temperature")
        stops = body.get("stop") or []
        if any(not str(stop).strip() for stop in ([stops] if isinstance(stops, str) else stops)):
            raise bad_request("stop sequences must contain non-whitespace", "stop")
        if body.get("tools") and not model.tools:
            message = f"Model {model.id} does not support tool calling"
            raise bad_request(message, "model", "unsupported_feature_for_model")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise bad_request("messages must not be empty", "messages")
        chosen = body.get("tool_choice")
        limits = [limit for name in _LIMITS if (limit := read_limit(body, name)) is not None]
        return Question(
            turns=tuple(_turn(message) for message in messages),
            tools=[tool.get("function", {}) for tool in body.get("tools") or []],
            tool_choice=chosen.get("function") if isinstance(chosen, dict) else chosen,
            schema=_schema(body.get("response_format")),
            parameters=parameters,
            max_tokens=min(limits) if limits else None,
            stops=(stops,) if isinstance(stops, str) else tuple(stops),
            store=store,
        )

    def frames(self, completion: Completion, body: Json) -> list[Frame]:
        """Role, reasoning, text, calls, finish, usage if asked for, end mark."""
        answer = completion.answer
        deltas: list[Json] = []
        # Reasoning comes under both names (recorded).
        deltas += [{"reasoning_content": piece, "reasoning": piece} for piece in pieces(answer.reasoning)]
        deltas += [{"content": piece} for piece in pieces(answer.text)]
        for index, call in enumerate(_calls(completion)):
            arguments = call["function"]["arguments"]
            opening = call | {"index": index, "function": call["function"] | {"arguments": ""}}
            deltas.append({"tool_calls": [opening]})
            halves = arguments[: len(arguments) // 2], arguments[len(arguments) // 2 :]
            deltas += [{"tool_calls": [{"index": index, "function": {"arguments": half}}]} for half in halves]
        frames = [data_frame(Part.OPENING, _chunk(completion, {"role": "assistant", "content": ""}))]
        frames += [data_frame(Part.CONTENT, _chunk(completion, delta)) for delta in deltas]
        frames.append(data_frame(Part.FINISH, _chunk(completion, {}, _finish(completion))))
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = _chunk(completion, {}) | {"choices": [], "usage": _usage(completion)}
            frames.append(data_frame(Part.USAGE, usage))
        return [*frames, data_frame(Part.DONE, "[DONE]")]

    def whole(self, completion: Completion) -> Json:
        """A `chat.completion`."""
        answer = completion.answer
        message: Json = {"role": "assistant", "content": answer.text or None}
        if answer.reasoning:
            message |= {"reasoning_content": answer.reasoning, "reasoning": answer.reasoning}
        if answer.calls:
            message["tool_calls"] = _calls(completion)
        return {
            "id": f"chatcmpl-{completion.id}",
            "object": "chat.completion",
            "created": completion.created,
            "model": completion.model.name,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(completion)}],
            "usage": _usage(completion),
        }

    def error(self, kind: str, code: int | str | None, message: str) -> Frame:
        """A chunk that is only an error."""
        return data_frame(Part.CONTENT, {"error": {"message": message, "type": kind, "code": code}})


def _turn(message: Any) -> Turn:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise bad_request("Invalid 'role': Input should be 'system', 'user', 'assistant' or 'tool'", "messages")
    content = message.get("content")
    if not isinstance(content, list):
        return Turn(message["role"], str(content or ""))
    text = "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return Turn(message["role"], text, tuple(_file_name(part) for part in content if part.get("type") != "text"))


def _file_name(part: Json) -> str:
    if part.get("type") == "file":
        file = part.get("file") or {}
        if not str(file.get("file_data", "")).startswith("data:"):
            raise bad_request("file_data must be a data URL", "messages")
        return str(file.get("filename", "file"))
    if part.get("type") not in _PART_NAMES:
        raise bad_request(f"Unknown content part {part.get('type')!r}", "messages")
    return _PART_NAMES[part["type"]]


def _schema(response_format: Any) -> Any:
    if not isinstance(response_format, dict):
        return None
    if response_format.get("type") == "json_schema":
        return response_format.get("json_schema", {}).get("schema")
    return {"type": "object"} if response_format.get("type") == "json_object" else None


def _calls(completion: Completion) -> list[Json]:
    return [
        {"id": f"call_{completion.id[:8]}_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(completion.answer.calls)
    ]


def _finish(completion: Completion) -> str:
    return _FINISH_REASONS.get(completion.ending, "stop")


def _chunk(completion: Completion, delta: Json, finish: str | None = None) -> Json:
    return {
        "id": f"chatcmpl-{completion.id}",
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.model.name,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


def _usage(completion: Completion) -> Json:
    prompt, answered = completion.prompt_tokens, completion.completion_tokens
    usage: Json = {"prompt_tokens": prompt, "completion_tokens": answered, "total_tokens": prompt + answered}
    # Details appear for one provider only, and not with tool calls (recorded).
    if completion.model.owner == "OpenAI" and not completion.answer.calls:
        usage["prompt_tokens_details"] = {"cached_tokens": 0}
        usage["completion_tokens_details"] = {"reasoning_tokens": completion.reasoning_tokens}
    return usage


def ask_for(model: Model | None, name: str, endpoint: str) -> Model:
    """The model, if it answers at `endpoint`. Raises `Refused`."""
    if model is None or not model.serves(endpoint):
        raise Refused(404, "not_found_error", 404, f"No such model: {name}")
    return model
