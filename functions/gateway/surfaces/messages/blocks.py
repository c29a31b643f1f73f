"""Anthropic's messages and content blocks as turns. Pure.

One message may become several turns: the results of tools are turns of their own, before the rest of their message.
Files in a result follow in the user's turn, because results are text for most models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field, typed
from gateway.http.errors import invalid
from gateway.http.fields import bad_value, read_filled_text, read_mapping, read_objects, required_type
from gateway.http.schemas import TEXT, Schema, array
from gateway.prompt.content_parts import file_name, read_address, read_data_url, read_thinking_block
from lazy_dataclasses import dataclass
from reverse.chat import Attachment, Message, Role, Thinking, ToolCall

_ROLES: tuple[Role, ...] = ("user", "assistant", "system")
_MAX_NAME = 256
THINKING = "messages.content.thinking"
_NO_TEXT = "The result is in the files that follow."


class Source(Body):
    """Where the content of a block is."""

    type = fields.required_text(description="`base64`, `url`, `text` or `content`.")
    media_type = fields.text(max_length=100)
    data: Field[str | None] = Field(read_filled_text, lambda: TEXT, default=None)
    url: Field[str | None] = Field(read_filled_text, lambda: TEXT, default=None)
    content = fields.anything()


class TextBlock(Body):
    """Text."""

    text = fields.text()
    citations = fields.anything({"type": "object"})


class ImageBlock(Body):
    """An image."""

    source = fields.required(fields.nested(Source))


class DocumentBlock(Body):
    """A document: its text, a PDF, or other blocks."""

    source = fields.required(fields.nested(Source))
    title = fields.text(max_length=500)
    context = fields.text()
    citations = fields.anything({"type": "object"}, "Not offered.")


class SearchResultBlock(Body):
    """Something that was found."""

    title = fields.text()
    source = fields.text()
    content = fields.anything(array({"type": "object"}))
    citations = fields.anything({"type": "object"}, "Not offered.")


class ToolUseBlock(Body):
    """A tool call of an earlier answer."""

    id = fields.required_text(max_length=_MAX_NAME)
    name = fields.required_text(max_length=_MAX_NAME)
    input: Field[dict[str, Any]] = Field(read_mapping, lambda: {"type": "object"})
    extra_content = fields.mapping("What came with the call. Some providers want it back.")


class ToolResultBlock(Body):
    """The result of a tool call."""

    tool_use_id = fields.required_text(max_length=_MAX_NAME)
    content = fields.anything({"anyOf": [TEXT, array({"type": "object"})]})
    is_error = fields.flag()


class ToolReferenceBlock(Body):
    """A tool that a search for tools has found."""

    tool_name = fields.text(max_length=_MAX_NAME)


_KINDS: dict[str, type[Body]] = {
    "text": TextBlock,
    "image": ImageBlock,
    "document": DocumentBlock,
    "search_result": SearchResultBlock,
    "tool_use": ToolUseBlock,
    "tool_result": ToolResultBlock,
    "tool_reference": ToolReferenceBlock,
}


def _blocks_schema() -> Schema:
    # Of blocks of other types, their text counts; without one they are left out and reported.
    others: Schema = {"type": "object", "required": ["type"], "properties": {"type": TEXT}}
    return {"anyOf": [TEXT, array({"anyOf": [*typed(_KINDS), others]}, maxItems=100)]}


def _role(value: Any, body: Body, name: str) -> Role:
    role = read_filled_text(value, body, name)
    if role not in _ROLES:
        raise bad_value(body, name, _ROLES)
    return role


class MessageItem(Body):
    """One message."""

    role: Field[Role] = Field(_role, lambda: {"enum": list(_ROLES)})
    content: Field[Any] = Field(lambda value, _body, _name: value, _blocks_schema)


@dataclass(slots=True)
class _Content:
    """Text and files of some blocks. Types of those that nothing is read from are added to `left_out`."""

    left_out: set[str]
    texts: list[str] = field(default_factory=list)
    files: list[Attachment] = field(default_factory=list)


@dataclass(slots=True)
class Turns:
    """The turns so far, and where each comes from."""

    messages: list[Message] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    """What of the conversation no model gets."""

    def add_system(self, system: Any, body: Body) -> None:
        """The system prompt: a string or text blocks. Raises `GatewayError` (400), naming the place."""
        if system is not None and (text := self._joined_text(system, body, "system")):
            self._append(Message("system", text), "system")

    def add(self, item: MessageItem) -> None:
        """One message. Raises `GatewayError` (400), naming the place."""
        role, content, place = item.role, item.content, item.param("content")
        if isinstance(content, str):
            self._append(Message(role, content), place)
        elif role == "system":
            self._append(Message(role, self._joined_text(content, item, "content")), place)
        elif role == "assistant":
            self._append(self._assistant(read_objects(content, item, "content", Body)), place)
        else:
            self._add_user(read_objects(content, item, "content", Body), place)

    def _append(self, message: Message, place: str) -> None:
        self.messages.append(message)
        self.places.append(place)

    def _assistant(self, blocks: Sequence[Body]) -> Message:
        content = _Content(self.dropped)
        calls: list[ToolCall] = []
        thinking: list[Thinking] = []
        for block in blocks:
            kind = required_type(block)
            if kind == "tool_use":
                call = ToolUseBlock(block.values, block.path)
                # As text, which is what chat completions have.
                arguments = json.dumps(call.input, ensure_ascii=False, separators=(",", ":"))
                calls.append(ToolCall(call.id, call.name, arguments, call.extra_content))
            elif kind in ("thinking", "redacted_thinking"):
                # Models take their earlier reasoning back only with the seal of the provider.
                sealed = read_thinking_block(block.values)
                thinking += [sealed] if sealed is not None else []
                self.dropped |= set() if sealed is not None else {THINKING}
            elif kind in _READERS:
                self._read(block, kind, content)
            else:
                # What tools of Anthropic's servers did earlier: no other model could make sense of it.
                self.dropped.add(f"messages.content.{kind}")
        text = "\n".join(content.texts)
        return Message("assistant", text, tuple(content.files), tuple(calls), thinking=tuple(thinking))

    def _add_user(self, blocks: Sequence[Body], place: str) -> None:
        content = _Content(self.dropped)
        is_empty = True
        for block in blocks:
            kind = required_type(block)
            if kind == "tool_result":
                # A message of nothing but results adds no turn of the user's, which would be an empty one.
                is_empty = not self._add_result(ToolResultBlock(block.values, block.path), content) and is_empty
            else:
                self._read(block, kind, content)
                is_empty = False
        # An empty list of blocks is kept as an empty turn, so that the turns alternate as the caller wrote them.
        if not is_empty or not blocks:
            self._append(Message("user", "\n".join(content.texts), tuple(content.files)), place)

    def _add_result(self, block: ToolResultBlock, following: _Content) -> bool:
        """Append the result as a turn; whether files of it must follow in the user's, to which they are added."""
        result = _Content(self.dropped)
        if isinstance(block.content, str):
            result.texts.append(block.content)
        elif block.content is not None:
            for inner in read_objects(block.content, block, "content", Body):
                self._read(inner, required_type(inner), result)
        call_id, text = block.tool_use_id, "\n".join(result.texts)
        # Poe's other endpoints have no flag for it, so that it has to be said in words.
        if block.is_error:
            text = f"The tool failed: {text}" if text else "The tool failed."
        elif result.files and not text:
            text = _NO_TEXT
        self._append(Message("tool", text, tool_call_id=call_id), block.param("content"))
        if not result.files:
            return False
        # With the id: several results may have files, which all follow in one turn.
        following.texts.append(f"Files of the result for call {call_id}:")
        following.files += result.files
        return True

    def _read(self, block: Body, kind: str, content: _Content) -> None:
        reader = _READERS.get(kind)
        if reader is None:
            _read_other(block, kind, content)
            return
        citations = block.values.get("citations")
        # Asked for with a document: nothing here can cite its passages.
        if isinstance(citations, dict) and citations.get("enabled") is True:
            self.dropped.add("citations")
        # Those of an earlier answer, which are no use to a model.
        elif isinstance(citations, list) and citations:
            self.dropped.add("messages.content.citations")
        reader(block, content)

    def _joined_text(self, value: Any, body: Body, name: str) -> str:
        """A string, or text blocks with an empty line between them."""
        if isinstance(value, str):
            return value
        content = _Content(self.dropped)
        for block in read_objects(value, body, name, Body):
            _read_other(block, required_type(block), content)
        return "\n\n".join(content.texts)


def _read_other(block: Body, kind: str, content: _Content) -> None:
    """A block of any type: its text, if it has one."""
    if isinstance(block.values.get("text"), str) or kind == "text":
        _read_text(block, content)
    else:
        content.left_out.add(f"messages.content.{kind}")


def _read_tool_reference(block: Body, content: _Content) -> None:
    # The tool itself is among the request's tools, where all of them are offered at once.
    name = ToolReferenceBlock(block.values, block.path).tool_name
    content.texts.append(f"The tool {name} can be called now." if name else "")


def _read_text(block: Body, content: _Content) -> None:
    content.texts.append(TextBlock(block.values, block.path).text or "")


def _read_image(block: Body, content: _Content) -> None:
    source = ImageBlock(block.values, block.path).source
    # For a source without a type. In the end the bytes decide.
    content.files.append(_file(source, "image", default_type="image/png", fetched_type="image/*"))


def _read_document(block: Body, content: _Content) -> None:
    document = DocumentBlock(block.values, block.path)
    source, title = document.source, document.title or ""
    if document.context:
        content.texts.append(document.context)
    match source.type:
        case "text":
            if source.data is None:
                raise source.missing("data")
            # Plain text needs no file: every model reads it in the message.
            content.texts.append(f"{title}:\n\n{source.data}" if title else source.data)
        case "content":
            _read_inner(source.content, source, title, content)
        case "url":
            content.files.append(_file(source, file_name(title or "file")))
        case _:
            # Poe judges files by their names, too; a title rarely ends in `.pdf`.
            name = file_name(((title or "document").removesuffix(".pdf") + ".pdf")[-200:])
            content.files.append(_file(source, name, default_type="application/pdf"))


def _read_search_result(block: Body, content: _Content) -> None:
    result = SearchResultBlock(block.values, block.path)
    _read_inner(result.content, result, f"{result.title or ''} ({result.source or ''})", content)


def _read_inner(value: Any, item: Body, title: str, content: _Content) -> None:
    """Text and images inside another block."""
    if isinstance(value, str):
        content.texts.append(f"{title}:\n\n{value}" if title else value)
        return
    if title:
        content.texts.append(title)
    for inner in read_objects(value, item, "content", Body) if value is not None else ():
        match required_type(inner):
            case "text":
                _read_text(inner, content)
            case "image":
                _read_image(inner, content)
            case kind:
                _read_other(inner, kind, content)


def _file(source: Source, name: str, *, default_type: str = "", fetched_type: str = "") -> Attachment:
    """A base64 source, or one behind an https address."""
    match source.type:
        case "base64":
            if source.data is None:
                raise source.missing("data")
            url = f"data:{source.media_type or default_type};base64,{source.data}"
            return read_data_url(url, param=source.param("data"), name=name)
        case "url":
            if source.url is None:
                raise source.missing("url")
            # Data URLs are not in Anthropic's description; they hold the file itself, so that there is nothing to
            # fetch.
            if not source.url.lower().startswith(("https://", "data:")):
                param = source.param("url")
                raise invalid(f"'{param}' must be an https address.", param=param, code="invalid_url")
            types = {"content_type": fetched_type} if fetched_type else {}
            return read_address(source.url, param=source.param("url"), name=name, **types)
    # Files of Anthropic's own storage (`file`) can't be read from here.
    raise invalid(
        f"Sources of type '{source.type[:40]}' are not offered: send the file itself, or its address.",
        param=source.param("type"),
        code="unsupported_content",
    )


_READERS: dict[str, Callable[[Body, _Content], None]] = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "search_result": _read_search_result,
    "tool_reference": _read_tool_reference,
}
