"""The `input` of a response as items in one regular shape, which is also how they are stored and listed. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import Fields

Item = dict[str, Any]
NewId = Callable[[str], str]

MAX_ITEMS = 4096
_ROLES = ("user", "assistant", "system", "developer")
_MAX_ID_LENGTH = 256


def read_input(body: Fields, new_id: NewId) -> list[Item]:
    """The items of `input`: a text, or an array of texts and items. References stay references.

    Raises `GatewayError` (400), naming the place.
    """
    value = body.get("input")
    if value is None:
        raise body.missing("input")
    if isinstance(value, str):
        return [_user_text(value, new_id)]
    if not isinstance(value, list):
        raise body.wrong("input", "a string or an array")
    if not value:
        raise invalid("'input' must have at least one item.", param="input", code="empty_array")
    if len(value) > MAX_ITEMS:
        raise body.wrong("input", f"an array of at most {MAX_ITEMS} items")
    items: list[Item] = []
    for index, item in enumerate(value):
        if isinstance(item, str):
            items.append(_user_text(item, new_id))
        elif isinstance(item, dict):
            items.append(_read_item(Fields(item, f"input[{index}]"), new_id))
        else:
            raise body.wrong(f"input[{index}]", "an object")
    return items


def _user_text(text: str, new_id: NewId) -> Item:
    content = [{"type": "input_text", "text": text}]
    return {"id": new_id("msg"), "type": "message", "status": "completed", "role": "user", "content": content}


def _read_item(item: Fields, new_id: NewId) -> Item:
    kind = item.text("type")
    if kind is None and item.get("id") is not None and item.get("role") is None:
        # OpenAI lets a reference go without its type.
        kind = "item_reference"
    match kind:
        case None | "message":
            return _read_message(item, new_id)
        case "function_call":
            return _read_call(item, new_id)
        case "function_call_output":
            return _read_call_output(item, new_id)
        case "reasoning":
            return _read_reasoning(item, new_id)
        case "item_reference":
            return {"type": "item_reference", "id": item.required_text("id", max_length=_MAX_ID_LENGTH)}
    raise invalid(
        f"Input items of type '{kind[:40]}' are not supported.", param=item.param("type"), code="unsupported_item"
    )


def _item_id(item: Fields, prefix: str, new_id: NewId) -> str:
    return item.text("id", max_length=_MAX_ID_LENGTH) or new_id(prefix)


def _read_message(item: Fields, new_id: NewId) -> Item:
    role = item.choice("role", _ROLES)
    if role is None:
        raise item.missing("role")
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    elif content is None:
        raise item.missing("content")
    return {
        "id": _item_id(item, "msg", new_id),
        "type": "message",
        "status": "completed",
        "role": role,
        "content": _read_parts(content, item, "content", is_output=role == "assistant"),
    }


def _read_parts(values: Any, item: Fields, name: str, *, is_output: bool) -> list[Item]:
    if not isinstance(values, list):
        raise item.wrong(name, "a string or an array of parts")
    parts: list[Item] = []
    for index, value in enumerate(values):
        part = {"type": "text", "text": value} if isinstance(value, str) else value
        if not isinstance(part, dict):
            raise item.wrong(f"{name}[{index}]", "an object")
        parts.append(_read_part(Fields(part, item.param(f"{name}[{index}]")), is_output=is_output))
    return parts


def _read_part(part: Fields, *, is_output: bool) -> Item:
    kind = part.required_text("type")
    match kind:
        case "input_text" | "output_text" | "text":
            text = part.text("text")
            if text is None:
                raise part.missing("text")
            if is_output:
                return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
            return {"type": "input_text", "text": text}
        case "refusal" if is_output:
            return {"type": "refusal", "refusal": part.text("refusal") or ""}
        case "input_image" | "image_url":
            return _read_image(part)
        case "input_file" | "file":
            return _read_file(part)
        case "input_audio":
            return {"type": "input_audio", "input_audio": part.get("input_audio")}
    raise invalid(
        f"Content parts of type '{kind[:40]}' are not supported here.",
        param=part.param("type"),
        code="unsupported_content",
    )


def _read_image(part: Fields) -> Item:
    _refuse_file_id(part)
    # Chat completions nest the address; clients that speak both APIs mix them up.
    place = (part.mapping("image_url") if isinstance(part.get("image_url"), dict) else None) or part
    url = place.text("url") if place is not part else part.text("image_url")
    if not url:
        raise part.missing("image_url")
    return {"type": "input_image", "detail": place.text("detail") or "auto", "image_url": url}


def _read_file(part: Fields) -> Item:
    file = part.mapping("file") or part
    _refuse_file_id(file)
    given = {name: file.text(name) for name in ("filename", "file_data", "file_url")}
    if not given["file_data"] and not given["file_url"]:
        raise file.missing("file_data")
    return {"type": "input_file"} | {name: value for name, value in given.items() if value}


def _refuse_file_id(part: Fields) -> None:
    if part.get("file_id") is not None:
        raise invalid(
            "Files can't be uploaded ahead. Send a data URL or an https address in place of 'file_id'.",
            param=part.param("file_id"),
            code="unsupported_content",
        )


def _call_id(item: Fields) -> str:
    return item.required_text("call_id", max_length=_MAX_ID_LENGTH)


def _read_call(item: Fields, new_id: NewId) -> Item:
    arguments = item.get("arguments")
    namespace = item.text("namespace", max_length=256)
    return {
        "id": _item_id(item, "fc", new_id),
        "type": "function_call",
        "status": "completed",
        "call_id": _call_id(item),
        "name": item.required_text("name", max_length=256),
        "arguments": json.dumps(arguments) if isinstance(arguments, dict) else item.text("arguments") or "{}",
    } | ({"namespace": namespace} if namespace else {})


def _read_call_output(item: Fields, new_id: NewId) -> Item:
    output = item.get("output")
    if output is None:
        raise item.missing("output")
    if not isinstance(output, str):
        output = _read_parts(output, item, "output", is_output=False)
    return {
        "id": _item_id(item, "fco", new_id),
        "type": "function_call_output",
        "status": "completed",
        "call_id": _call_id(item),
        "output": output,
    }


def _read_reasoning(item: Fields, new_id: NewId) -> Item:
    """Reasoning that a client sends back: kept for the record, never shown to a model, which has no use for it."""
    summary = [
        {"type": "summary_text", "text": part.text("text") or ""}
        for part in item.objects("summary", max_items=64) or ()
    ]
    return {"id": _item_id(item, "rs", new_id), "type": "reasoning", "summary": summary}


def item_not_found(item_id: str) -> GatewayError:
    """The error for a reference to an item that is not there, or is somebody else's."""
    return invalid(f"Item with id '{item_id[:80]}' not found.", param="input", code="item_not_found")
