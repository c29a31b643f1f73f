"""/v1/chat/completions, strict about fields and roles."""

from __future__ import annotations

from typing import Any

from local.poe_official.bots import Question, Turn, pieces
from local.poe_official.checks import (
    check_chat_pairs,
    check_options,
    check_signatures,
    check_size,
    thought_signature,
)
from local.poe_official.dialect import (
    Completion,
    Json,
    NamedInBody,
    Refused,
    Store,
    bad_request,
    error_object,
    read_limit,
    without_tools,
)
from local.poe_official.frames import Frame, Part, data_frame
from local.poe_official.limits import Ending
from local.poe_official.model import CHAT, Model

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
        parameters = check_options(body, KNOWN_FIELDS, model)
        if body.get("n") not in (None, 1):
            raise bad_request("n must be 1")
        if not 0 <= (body.get("temperature") or 0) <= 2:
            raise bad_request("Invalid 'temperature': must be between 0 and 2.")
        stops = body.get("stop") or []
        if any(not str(stop).strip() for stop in ([stops] if isinstance(stops, str) else stops)):
            raise bad_request("Invalid 'stop': stop sequences must contain non-whitespace")
        if body.get("tools") and not model.tools:
            raise without_tools(model)
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise bad_request("messages must not be empty")
        turns = tuple(_turn(message) for message in messages)
        check_chat_pairs(messages)
        if model.signs_calls:
            check_signatures(messages)
        chosen = body.get("tool_choice")
        limits = [limit for name in _LIMITS if (limit := read_limit(body, name)) is not None]
        question = Question(
            turns=turns,
            tools=[tool.get("function", {}) for tool in body.get("tools") or []],
            tool_choice=chosen.get("function") if isinstance(chosen, dict) else chosen,
            schema=_schema(body.get("response_format")),
            parameters=parameters,
            max_tokens=min(limits) if limits else None,
            stops=(stops,) if isinstance(stops, str) else tuple(stops),
            store=store,
        )
        check_size(question.words, question.max_tokens, model)
        return question

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
        message: Json = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message |= {"reasoning_content": answer.reasoning, "reasoning": answer.reasoning}
        if answer.calls:
            message["tool_calls"] = _calls(completion)
        return {
            "id": f"chatcmpl-{completion.id}",
            "object": "chat.completion",
            "created": completion.created,
            "model": completion.asked_as,
            "choices": [{"index": 0, "message": message, "finish_reason": _finish(completion)}],
            "usage": _usage(completion),
        }

    def error(self, kind: str, code: int | str | None, message: str) -> Frame:
        """A chunk that is only an error."""
        return data_frame(Part.CONTENT, {"error": error_object(message, kind, code)})


def _turn(message: Any) -> Turn:
    if not isinstance(message, dict) or message.get("role") not in _ROLES:
        raise bad_request("Invalid 'role': Input should be 'system', 'user', 'assistant' or 'tool'")
    content = message.get("content")
    if not isinstance(content, list):
        return Turn(message["role"], str(content or ""))
    text = "".join(part.get("text", "") for part in content if part.get("type") == "text")
    return Turn(message["role"], text, tuple(_file_name(part) for part in content if part.get("type") != "text"))


def _file_name(part: Json) -> str:
    if part.get("type") == "file":
        file = part.get("file") or {}
        if not str(file.get("file_data", "")).startswith("data:"):
            raise bad_request("file_data must be a data URL")
        return str(file.get("filename", "file"))
    if part.get("type") not in _PART_NAMES:
        raise bad_request(f"Unknown content part {part.get('type')!r}")
    return _PART_NAMES[part["type"]]


def _schema(response_format: Any) -> Any:
    if not isinstance(response_format, dict):
        return None
    if response_format.get("type") == "json_schema":
        return response_format.get("json_schema", {}).get("schema")
    return {"type": "object"} if response_format.get("type") == "json_object" else None


def _calls(completion: Completion) -> list[Json]:
    calls = [
        {"id": f"call_{completion.id[:8]}_{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(completion.answer.calls)
    ]
    if calls and completion.model.signs_calls:
        # Only the first of parallel calls is signed.
        calls[0]["extra_content"] = {"google": {"thought_signature": thought_signature(str(calls[0]["id"]))}}
    return calls


def _finish(completion: Completion) -> str:
    return _FINISH_REASONS.get(completion.ending, "stop")


def _chunk(completion: Completion, delta: Json, finish: str | None = None) -> Json:
    return {
        "id": f"chatcmpl-{completion.id}",
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": completion.asked_as,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _usage(completion: Completion) -> Json:
    # An answer that calls tools has no tokens by these numbers, and details appear for one provider only (recorded).
    calls = bool(completion.answer.calls)
    prompt, answered = completion.prompt_tokens, 0 if calls else completion.completion_tokens
    usage: Json = {"prompt_tokens": prompt, "completion_tokens": answered, "total_tokens": prompt + answered}
    if completion.model.owner == "OpenAI" and completion.model.makes_text and not calls:
        usage["completion_tokens_details"] = {
            "accepted_prediction_tokens": None,
            "audio_tokens": None,
            "reasoning_tokens": completion.reasoning_tokens,
            "rejected_prediction_tokens": None,
        }
        usage["prompt_tokens_details"] = {"audio_tokens": None, "cached_tokens": completion.cached_tokens}
    return usage


def ask_for(model: Model | None, name: str, endpoint: str) -> Model:
    """The model, if it answers at `endpoint`. Raises `Refused`."""
    if model is None or not model.serves(endpoint):
        raise Refused(404, "not_found_error", 404, f"No such model: {name}")
    return model
