"""Request bodies of all surfaces: whole ones with every feature, changed in places at random. Everything comes from the
seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"$ref": "#/$defs/b"}},
    "required": ["a"],
    "$defs": {"b": {"anyOf": [{"type": "null"}, {"enum": [1, "x"]}]}},
}
_PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
MODELS = ("GPT-5", "Claude-Sonnet-4.5", "Gemini-3-Pro", "Echo", "Searcher", "no such model", "GPT-Image-1")


def _chat(random: Random) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "x"}'}}
    custom = {"id": "c2", "type": "custom", "custom": {"name": "p", "input": "text"}}
    signed = call | {"id": "c3", "extra_content": {"google": {"thought_signature": "c2ln"}}}
    sealed = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    turns: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Rules."}]},
        {"role": "user", "name": "ada", "content": [{"type": "text", "text": "Hi"}, _image(random)]},
        {"role": "assistant", "content": None, "tool_calls": [call, custom, signed], "reasoning_content": "Hm."},
        {"role": "assistant", "content": "One moment.", "thinking_blocks": [sealed], "refusal": None},
        {"role": "tool", "tool_call_id": "c1", "content": "result"},
        {"role": "tool", "tool_call_id": "c9", "content": [{"type": "text", "text": "lost"}]},
        {"role": "assistant", "content": "Text", "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "{}"},
        {"role": "user", "content": "Go on."},
    ]
    return {
        "messages": _some(turns, random),
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "F", "parameters": _SCHEMA, "strict": True}},
            {"type": "custom", "custom": {"name": "p", "format": {"type": "text"}}},
            {"type": "web_search"},
        ],
        "tool_choice": random.choice(
            ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}, {"type": "web_search"}]
        ),
        "parallel_tool_calls": False,
        "response_format": _chat_format(random),
        "temperature": 0.5,
        "top_p": 0.9,
        "n": random.choice([1, 1, 2]),
        "max_tokens": 50,
        "stop": ["END", "\n\n"],
        "stream_options": {"include_usage": True},
        "reasoning_effort": "low",
        "metadata": {"session_id": "s"},
        "logit_bias": {},
        "web_search_options": {},
        "parameters": {"aspect": "1:1"},
        "truncation": "auto",
    }


def _chat_format(random: Random) -> Any:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": _SCHEMA, "strict": True}}
    return random.choice([{"type": "text"}, {"type": "json_object"}, schema])


def _image(random: Random) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _PIXEL, "detail": "low"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,SGk=", "filename": "a.txt"}},
        {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        {"type": "text", "text": "\ud83d\ude00"},
        {"type": "unknown", "text": "x"},
    ]
    return random.choice(parts)


def _completion(random: Random) -> dict[str, Any]:
    prompt = random.choice(["Hello", "Hello", ["a", "b"], [1, 2, 3], ""])
    return {"prompt": prompt, "suffix": None, "echo": True, "n": 1, "best_of": 1, "stop": "x", "max_tokens": 9}


def _response(random: Random) -> dict[str, Any]:
    items: list[Any] = [
        "text",
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": _PIXEL}],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"text": "Hm."}], "encrypted_content": "claude#c2ln"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "extra_content": {"x": 1}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "t", "annotations": []}]},
        {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r"}]},
        {"type": "custom_tool_call", "call_id": "c2", "name": "p", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": "y"},
        {"type": "additional_tools", "tools": [{"type": "function", "name": "g", "parameters": {}}]},
        {"type": "local_shell_call", "call_id": "c3", "action": {"command": ["ls"]}, "status": "completed"},
        {"type": "mcp_call", "id": "m", "name": "n", "arguments": "{}", "output": "o", "server_label": "s"},
        {"type": "item_reference", "id": "msg_1"},
        {"type": "compaction", "encrypted_content": "x"},
    ]
    return {
        "input": random.choice([_some(items, random), _some(items, random), "Hi"]),
        "instructions": "Be brief.",
        "tools": [
            {"type": "function", "name": "f", "parameters": _SCHEMA, "strict": False},
            {"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"}},
            {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "h", "parameters": {}}]},
            {"type": "web_search_preview"},
            {"type": "tool_search", "execution": "client"},
        ],
        "tool_choice": random.choice(["auto", "required", {"type": "function", "name": "f"}, {"type": "web_search"}]),
        "text": {"format": {"type": "json_schema", "name": "x", "schema": _SCHEMA}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
        "max_output_tokens": 50,
        "previous_response_id": random.choice([None] * 9 + ["resp_" + "0" * 32]),
        "store": random.choice([True, False]),
        "include": ["reasoning.encrypted_content"],
        "metadata": {"a": "b"},
        "truncation": "auto",
    }


def _message(random: Random) -> dict[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": _PIXEL.partition(",")[2]}
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image", "source": source}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "eHl6"},
                {"type": "text", "text": "So.", "citations": [{"type": "web_search_result_location", "url": "x"}]},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": "x"}},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "r"}]},
                {"type": "tool_result", "tool_use_id": "c9", "content": "lost", "is_error": True},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "d"}},
            ],
        },
        {"role": "assistant", "content": "Text"},
        {"role": "user", "content": "Go on."},
    ]
    return {
        "messages": _some(turns, random),
        "max_tokens": 2000,
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "tools": [
            {"name": "f", "description": "F", "input_schema": _SCHEMA},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
            {"type": "bash_20250124", "name": "bash"},
        ],
        "tool_choice": random.choice(
            [{"type": "auto"}, {"type": "any"}, {"type": "tool", "name": "f"}, {"type": "tool", "name": "web_search"}]
        ),
        "thinking": random.choice([{"type": "enabled", "budget_tokens": 1500}, {"type": "adaptive"}]),
        "output_config": {"effort": "low"},
        "output_format": {"type": "json_schema", "schema": _SCHEMA},
        "stop_sequences": ["END"],
        "top_k": 3,
        "metadata": {"user_id": "u"},
    }


def _image_request(_random: Random) -> dict[str, Any]:
    return {
        "prompt": "a cat",
        "n": 1,
        "size": "1024x1024",
        "quality": "low",
        "response_format": "url",
        "style": "vivid",
    }


def _speech(_random: Random) -> dict[str, Any]:
    return {"input": "Hello", "voice": "alloy", "response_format": "mp3", "speed": 1.0, "instructions": "slowly"}


SURFACES: dict[str, Callable[[Random], dict[str, Any]]] = {
    "/v1/chat/completions": _chat,
    "/v1/responses": _response,
    "/v1/messages": _message,
    "/v1/completions": _completion,
    "/v1/messages/count_tokens": _message,
    "/v1/responses/input_tokens": _response,
    "/v1/images/generations": _image_request,
    "/v1/audio/speech": _speech,
}
# So often is each surface asked, in relation to the others.
_WEIGHTS = (6, 6, 6, 2, 1, 1, 1, 1)
_JUNK: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**63, -(2**70), 1e308, 0.1, "", " ", "x", "\x00", "\ud800", "null", "{}", "a" * 300,
    "\N{ZERO WIDTH JOINER}" * 3, "\u202e", [], {}, [None], [[]], [{}], {"": ""}, {"type": None}, {"type": "x" * 80},
    [0] * 40, {"a": {"b": {"c": [[[[]]]]}}},
)  # fmt: skip


def body_of(random: Random) -> tuple[str, bytes]:
    """A path and a body."""
    (path,) = random.choices([*SURFACES], _WEIGHTS)
    whole = SURFACES[path](random)
    kept = {name: value for name, value in whole.items() if random.random() < 0.6}
    required = {name: whole[name] for name in ("messages", "input", "prompt", "max_tokens") if name in whole}
    if "tool_choice" in kept:
        required["tools"] = whole["tools"]
    body: Any = {"model": random.choice(MODELS), "stream": random.random() < 0.5, **kept, **required}
    body = deepcopy(body)
    # Many bodies are left as they are: they reach the furthest.
    for _ in range(random.choice([0, 0, 0, 0, 1, 1, 2, 5])):
        body = changed(body, random)
    data = json.dumps(body).encode()
    if random.random() < 0.02:
        at = random.randrange(len(data))
        data = data[:at] + bytes([random.randrange(256)]) + data[at + random.randrange(3) :]
    return path, data


def changed(value: Any, random: Random) -> Any:
    """The JSON value with one place changed: another value there, nothing, or the same twice."""
    places = list(_places(value))
    if not places:
        return value
    holder, key = random.choice(places)
    match random.randrange(6):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.insert(key, holder[key])
        case 2 if isinstance(holder, dict):
            holder[random.choice(["type", "id", "content", "name", "x" * 60, ""])] = holder[key]
        case 3 if isinstance(holder, list):
            random.shuffle(holder)
        case _:
            holder[key] = deepcopy(random.choice(_JUNK))
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        item = pending.pop()
        keys = item.keys() if isinstance(item, dict) else range(len(item))
        for key in keys:
            found.append((item, key))
            if isinstance(item[key], dict | list):
                pending.append(item[key])
    return found


def _is_rare(value: Any, random: Random) -> bool:
    """References are nearly always to what is not there."""
    return isinstance(value, dict) and value.get("type") == "item_reference" and random.random() < 0.9


def _some(values: list[Any], random: Random) -> list[Any]:
    """A part of the values, rarely in another order."""
    found = [value for value in values if random.random() < 0.7 and not _is_rare(value, random)] or values[:1]
    if random.random() < 0.2:
        random.shuffle(found)
    return found
