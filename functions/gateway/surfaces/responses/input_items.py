"""The `input` of a response as items in one regular shape, which is also how they are stored and listed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field, describe, typed
from gateway.http.errors import invalid
from gateway.http.fields import read_items, read_mapping, read_text, required_type
from gateway.http.schemas import TEXT, Schema, array
from gateway.prompt.content_parts import content_schema
from gateway.prompt.tool_specs import MAX_TOOLS, arguments_field

Item = dict[str, Any]
NewId = Callable[[str], str]

MAX_ITEMS = 4096
_ROLES = ("user", "assistant", "system", "developer")
_MAX_NAME = 256
_USER_PARTS = ("input_text", "input_image", "input_file", "input_audio")
_ANNOTATIONS = ("url_citation", "file_citation", "container_file_citation", "file_path")
_ANSWER_PARTS = ("output_text", "refusal")


def _any(value: Any, _body: Body, _name: str) -> Any:
    return value


class MessageItem(Body):
    """A message."""

    id = fields.text(max_length=_MAX_NAME)
    role = fields.required(fields.choice(*_ROLES))
    content: Field[Any] = Field(_any, lambda: content_schema(*_USER_PARTS, *_ANSWER_PARTS))


class CallItem(Body):
    """A function call of an earlier answer."""

    id = fields.text(max_length=_MAX_NAME)
    call_id = fields.required_text(max_length=_MAX_NAME)
    name = fields.required_text(max_length=_MAX_NAME)
    namespace = fields.text(max_length=_MAX_NAME)
    arguments = arguments_field()
    extra_content = fields.mapping("What came with the call. Some providers want it back.")


class CallOutputItem(Body):
    """The result of a function call, or of none that is known by an id."""

    id = fields.text(max_length=_MAX_NAME)
    call_id = fields.text(max_length=_MAX_NAME)
    output: Field[Any] = Field(_any, lambda: content_schema(*_USER_PARTS))


class CustomCallItem(Body):
    """A call of a custom tool, which takes plain text."""

    id = fields.text(max_length=_MAX_NAME)
    call_id = fields.required_text(max_length=_MAX_NAME)
    name = fields.required_text(max_length=_MAX_NAME)
    namespace = fields.text(max_length=_MAX_NAME)
    input = fields.text()
    extra_content = fields.mapping("What came with the call. Some providers want it back.")


class ToolsItem(Body):
    """Tools that came in the course of the conversation: they count as tools of the request."""

    id = fields.text(max_length=_MAX_NAME)
    tools = fields.objects(Body, max_items=MAX_TOOLS)


class SummaryPart(Body):
    """A part of `summary`."""

    text = fields.text()


class ReasoningItem(Body):
    """Reasoning that a client sends back: given to the provider where it has its seal, else kept and reported."""

    id = fields.text(max_length=_MAX_NAME)
    summary = fields.objects(SummaryPart, max_items=64)
    encrypted_content = fields.text(description="What the provider wants back, where it was given with the item.")


class ReferenceItem(Body):
    """A reference to an item of a stored response."""

    id = fields.required_text(max_length=_MAX_NAME)


_KINDS: dict[str, type[Body]] = {
    "message": MessageItem,
    "function_call": CallItem,
    "function_call_output": CallOutputItem,
    "custom_tool_call": CustomCallItem,
    "custom_tool_call_output": CallOutputItem,
    "additional_tools": ToolsItem,
    "tool_search_output": ToolsItem,
    "reasoning": ReasoningItem,
    "item_reference": ReferenceItem,
}


def input_schema() -> Schema:
    """The schema of `input`."""
    # Of items of other types, calls and results are told to the model; the rest is left out and reported.
    others: Schema = {"type": "object", "required": ["type"], "properties": {"type": TEXT}}
    items = [TEXT, describe(MessageItem), *typed(_KINDS), others]
    return {"anyOf": [{**TEXT, "minLength": 1}, array({"anyOf": items}, minItems=1, maxItems=MAX_ITEMS)]}


class InputFields(Body):
    """The field that the model answers."""

    input: Field[Any] = Field(_any, input_schema)


def read_input(body: InputFields, new_id: NewId) -> list[Item]:
    """The items of `input`: a text, or an array of texts and items. References stay references.

    Raises `GatewayError` (400), naming the place.
    """
    value = [body.input] if isinstance(body.input, str) else body.input
    if not isinstance(value, list):
        raise body.wrong("input", "a string or an array")
    if not value:
        raise invalid("'input' must have at least one item.", param="input", code="empty_array")
    items: list[Item] = []
    for index, item in enumerate(read_items(value, body, "input", MAX_ITEMS)):
        # Not in OpenAI's description, and sent by programs that build lists of strings.
        if isinstance(item, str):
            items.append(_user_text(item, new_id))
        elif isinstance(item, dict):
            items.append(_read_item(item, f"input[{index}]", new_id))
        else:
            raise body.wrong(f"input[{index}]", "an object")
    return items


def _user_text(text: str, new_id: NewId) -> Item:
    content = [{"type": "input_text", "text": text}]
    return {"id": new_id("msg"), "type": "message", "status": "completed", "role": "user", "content": content}


def _read_item(values: Item, path: str, new_id: NewId) -> Item:
    kind = fields.TypedBody(values, path).type
    if kind is None and values.get("id") is not None and values.get("role") is None:
        # OpenAI lets a reference go without its type.
        kind = "item_reference"
    match kind:
        # OpenAI's short form of a message has no type.
        case None | "message":
            return _read_message(MessageItem(values, path), new_id)
        case "function_call":
            return _read_call(CallItem(values, path), new_id)
        case "function_call_output" | "custom_tool_call_output":
            return _read_call_output(kind, CallOutputItem(values, path), new_id)
        case "custom_tool_call":
            return _read_custom_call(CustomCallItem(values, path), new_id)
        case "reasoning":
            return _read_reasoning(ReasoningItem(values, path), new_id)
        case "item_reference":
            return {"type": "item_reference", "id": ReferenceItem(values, path).id}
    # Kept as it is: what of it the model is told is decided when turns are made of it.
    item_id = values.get("id")
    # An id of another form could not be referred to, or listed.
    is_id = isinstance(item_id, str) and 0 < len(item_id) <= _MAX_NAME
    return {**values, "id": item_id if is_id else new_id("it")}


def _read_message(item: MessageItem, new_id: NewId) -> Item:
    role, content = item.role, item.content
    if isinstance(content, str):
        # One shape inside, so that whatever reads stored items needs to know one form only.
        content = [{"type": "text", "text": content}]
    return {
        "id": item.id or new_id("msg"),
        "type": "message",
        "status": "completed",
        "role": role,
        "content": _read_parts(content, item, "content", is_output=role == "assistant"),
    }


def _read_parts(values: Any, item: Body, name: str, *, is_output: bool) -> list[Item]:
    if not isinstance(values, list):
        raise item.wrong(name, "a string or an array of parts")
    parts: list[Item] = []
    for index, value in enumerate(values):
        part = {"type": "text", "text": value} if isinstance(value, str) else value
        if not isinstance(part, dict):
            raise item.wrong(f"{name}[{index}]", "an object")
        parts.append(_read_part(part, item.param(f"{name}[{index}]"), is_output=is_output))
    return parts


class _TextPart(Body):
    text: Field[str] = Field(read_text, lambda: TEXT)


class _RefusalPart(Body):
    refusal = fields.text()


class _ImageAddress(Body):
    url = fields.text()
    detail = fields.text()


class _ImagePart(Body):
    image_url = fields.text()
    detail = fields.text()


class _FilePart(Body):
    filename = fields.text()
    file_data = fields.text()
    file_url = fields.text()


def _read_part(values: Item, path: str, *, is_output: bool) -> Item:
    kind = required_type(Body(values, path))
    match kind:
        case "input_text" | "output_text" | "text":
            text = _TextPart(values, path).text
            # An earlier answer's parts have other types and fields than a user's.
            if is_output:
                annotations = _annotations(values.get("annotations"))
                return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
            return {"type": "input_text", "text": text}
        case "refusal":
            return {"type": "refusal", "refusal": _RefusalPart(values, path).refusal or ""}
        case "input_image" | "image_url":
            return _read_image(Body(values, path))
        case "input_file" | "file":
            return _read_file(Body(values, path))
        case "input_audio":
            # Checked when turns are made of it, like every other file.
            return {"type": "input_audio", "input_audio": values.get("input_audio")}
    # Kept for the list of items; whether a model is told of it is decided later.
    return values


def _annotations(given: Any) -> list[Item]:
    """Those of the kinds that OpenAI has: they are listed as they came, and told to no model."""
    notes = given if isinstance(given, list) else []
    return [note for note in notes if isinstance(note, dict) and note.get("type") in _ANNOTATIONS]


def _read_image(part: Body) -> Item:
    _refuse_file_id(part)
    # Chat completions nest the address; clients that speak both APIs mix them up.
    given = part.values.get("image_url")
    if isinstance(given, dict):
        nested = _ImageAddress(given, part.param("image_url"))
        url, detail = nested.url, nested.detail
    else:
        image = _ImagePart(part.values, part.path)
        url, detail = image.image_url, image.detail
    if not url:
        raise part.missing("image_url")
    # Listed with OpenAI's default; Poe has no such option.
    return {"type": "input_image", "detail": detail or "auto", "image_url": url}


def _read_file(part: Body) -> Item:
    inner = part.values.get("file")
    place = part if inner is None else Body(read_mapping(inner, part, "file"), part.param("file"))
    _refuse_file_id(place)
    file = _FilePart(place.values, place.path)
    given = {"filename": file.filename, "file_data": file.file_data, "file_url": file.file_url}
    if not file.file_data and not file.file_url:
        raise file.missing("file_data")
    # What is absent is left out: an item is stored and listed as it was sent.
    return {"type": "input_file"} | {name: value for name, value in given.items() if value}


def _refuse_file_id(part: Body) -> None:
    if part.values.get("file_id") is not None:
        raise invalid(
            "Files can't be uploaded ahead. Send a data URL or an https address in place of 'file_id'.",
            param=part.param("file_id"),
            code="unsupported_content",
        )


def _read_call(item: CallItem, new_id: NewId) -> Item:
    call = {
        "id": item.id or new_id("fc"),
        "type": "function_call",
        # What a caller sends is complete, and OpenAI lists it so.
        "status": "completed",
        "call_id": item.call_id,
        "name": item.name,
        "arguments": item.arguments,
    }
    return call | _extras(item)


def _extras(item: CallItem | CustomCallItem) -> Item:
    extras = {"namespace": item.namespace, "extra_content": item.extra_content}
    return {name: value for name, value in extras.items() if value}


def _read_custom_call(item: CustomCallItem, new_id: NewId) -> Item:
    call = {
        "id": item.id or new_id("ctc"),
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": item.call_id,
        "name": item.name,
        "input": item.input or "",
    }
    return call | _extras(item)


def _read_call_output(kind: str, item: CallOutputItem, new_id: NewId) -> Item:
    output = item.output
    if not isinstance(output, str):
        output = _read_parts(output, item, "output", is_output=False)
    return {
        "id": item.id or new_id("fco" if kind == "function_call_output" else "cto"),
        "type": kind,
        "status": "completed",
        "call_id": item.call_id,
        "output": output,
    }


def _read_reasoning(item: ReasoningItem, new_id: NewId) -> Item:
    summary = [{"type": "summary_text", "text": part.text or ""} for part in item.summary]
    # Kept whatever it is: whose seal it is shows when the model is asked.
    sealed = {"encrypted_content": item.encrypted_content} if item.encrypted_content else {}
    return {"id": item.id or new_id("rs"), "type": "reasoning", "summary": summary, **sealed}
