"""What providers check before they answer: options against what a model declares, and the order of tool calls. Pure.

Refusals have the shape recorded in March and April 2026: a message and a type, without code or field
(docs/reference/poe-official.md#errors-and-limits).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from local.poe_official.dialect import Json, Refused, bad_request
from local.poe_official.model import Model

_EFFORT = "reasoning_effort"
_KINDS: dict[str, tuple[type, ...]] = {"number": (int, float), "boolean": (bool,), "string": (str,)}


def check_options(body: Mapping[str, Any], known: frozenset[str], model: Model) -> dict[str, Any]:
    """The model's own options among the fields. Raises `Refused` for what neither it nor the endpoint takes."""
    for name in body.keys() & known & model.refuses:
        raise unsupported(name)
    if model.owner == "Anthropic" and body.get("temperature") is not None and body.get("top_p") is not None:
        raise Refused(
            400,
            "invalid_request_error",
            None,
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        )
    given = {name: value for name, value in body.items() if name not in known}
    for name, value in given.items():
        schema = model.parameters.get(name)
        if schema is not None:
            check_value(name, value, schema, model)
        elif name == _EFFORT and model.efforts:
            check_value(name, value, {"enum": model.efforts}, model)
        else:
            raise unsupported(name)
    return given


def unsupported(name: str) -> Refused:
    """The refusal of a field."""
    return bad_request(f"Unsupported parameter: '{name}' is not supported with this model.")


def check_value(name: str, value: Any, schema: Mapping[str, Any], model: Model) -> None:
    """Raise `Refused` for a value that the declaration does not allow."""
    if "enum" in schema:
        if value not in schema["enum"]:
            allowed = ", ".join(f"'{one}'" for one in schema["enum"])
            raise bad_request(
                f"Unsupported value: '{value}' is not supported with the '{model.provider_name or model.id}' model. "
                f"Supported values are: {allowed}."
            )
        return
    kinds = _KINDS[schema["type"]]
    # `True` is an `int` in Python, and no number in JSON.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise bad_request(f"Invalid type for '{name}': expected a {schema['type']}.")
    if "minimum" in schema and value < schema["minimum"]:
        raise bad_request(f"Invalid value for '{name}': {value} is less than the minimum of {schema['minimum']}.")
    if "maximum" in schema and value > schema["maximum"]:
        raise bad_request(f"Invalid value for '{name}': {value} is greater than the maximum of {schema['maximum']}.")


def check_size(words: int, limit: int | None, model: Model) -> None:
    """Raise `Refused` for a prompt beyond the model's window, or a limit beyond what it can write."""
    if model.makes_text and model.context is not None and words > model.context:
        raise bad_request(f"prompt is too long: {words} tokens > {model.context} maximum")
    if limit is not None and model.max_output is not None and limit > model.max_output:
        raise bad_request(
            f"max_tokens: {limit} > {model.max_output}, which is the maximum allowed number of output tokens for "
            f"{model.provider_name or model.id}"
        )


def check_chat_pairs(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise `Refused` unless results follow their calls at once, one for each."""
    waiting: list[str] = []
    for message in messages:
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in waiting:
                raise bad_request(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceding message with "
                    "'tool_calls'."
                )
            waiting.remove(message["tool_call_id"])
            continue
        _check_answered(waiting)
        waiting = [str(call.get("id")) for call in message.get("tool_calls") or ()]
    _check_answered(waiting)


def _check_answered(waiting: list[str]) -> None:
    if waiting:
        raise bad_request(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
        )


def thought_signature(call_id: str) -> str:
    """What a model that signs its calls sends with the call of this id, and wants back."""
    return base64.b64encode(hashlib.sha256(f"thought:{call_id}".encode()).digest() * 4).decode()


def check_signatures(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise `Refused` unless the first call of every step since the user's last message has its signature."""
    asked = max((n for n, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    for position, message in enumerate(messages):
        calls = message.get("tool_calls") or ()
        if position < asked or not calls:
            continue
        # Of parallel calls only the first is signed.
        first: Json = dict(calls[0])
        signature = ((first.get("extra_content") or {}).get("google") or {}).get("thought_signature")
        if signature is None:
            name = (first.get("function") or {}).get("name")
            raise bad_request(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                f"work correctly. Additional data, function call `default_api:{name}`, position {position + 1}."
            )
        if signature != thought_signature(str(first.get("id"))):
            raise bad_request("Corrupted thought signature.")


def check_message_pairs(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise `Refused` unless each turn begins with a result for each call of the turn before, and has no other."""
    waiting: list[str] = []
    for message in messages:
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        results = [str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"]
        unknown = [given for given in results if given not in waiting]
        if unknown:
            raise bad_request(
                f"unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(unknown)}. Each `tool_result` "
                "block must have a corresponding `tool_use` block in the previous message."
            )
        missing = [call for call in waiting if call not in results]
        first = [block.get("type") for block in blocks[: len(results)]]
        if missing or any(kind != "tool_result" for kind in first):
            raise bad_request(
                f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(missing)}. Each "
                "`tool_use` block must have a corresponding `tool_result` block in the next message."
            )
        waiting = [str(block.get("id")) for block in blocks if block.get("type") == "tool_use"]
        if len(set(waiting)) < len(waiting):
            raise bad_request("messages: `tool_use` ids must be unique")
    if waiting:
        raise bad_request(
            f"`tool_use` ids were found without `tool_result` blocks immediately after: {', '.join(waiting)}."
        )


def thinking_signature(thinking: str) -> str:
    """The seal of a model's thinking."""
    return base64.b64encode(hashlib.sha256(f"thinking:{thinking}".encode()).digest()).decode()


def is_thinking(thinking: Any) -> bool:
    """Whether the field `thinking` asks for it."""
    return isinstance(thinking, Mapping) and thinking.get("type") == "enabled"


def check_thinking_blocks(messages: Sequence[Mapping[str, Any]], thinking: Any) -> None:
    """Raise `Refused` for thinking with a wrong seal, and where calls are answered without the thinking before them."""
    for position, message in enumerate(messages):
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        for block in blocks:
            if block.get("type") == "thinking" and block.get("signature") != thinking_signature(block["thinking"]):
                raise bad_request(f"messages.{position}.content.0: Invalid `signature` in `thinking` block")
        calls = [block.get("type") for block in blocks].count("tool_use")
        # Earlier turns may go without their thinking.
        is_last = position == len(messages) - 2
        if is_thinking(thinking) and calls and is_last and blocks[0].get("type") != "thinking":
            raise bad_request(
                f"messages.{position}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{blocks[0].get('type')}`. When `thinking` is enabled, a final `assistant` message must start with a "
                "thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks)."
            )


def check_item_pairs(items: Sequence[Mapping[str, Any]]) -> None:
    """Raise `Refused` unless every call has an output further on, and every output a call before it."""
    open_calls: list[str] = []
    for item in items:
        call_id = str(item.get("call_id"))
        if item.get("type") == "function_call":
            open_calls.append(call_id)
        elif item.get("type") == "function_call_output":
            if call_id not in open_calls:
                raise bad_request(f"No tool call found for function call output with call_id {call_id}.")
            open_calls.remove(call_id)
    if open_calls:
        raise bad_request(f"No tool output found for function call {open_calls[0]}.")
