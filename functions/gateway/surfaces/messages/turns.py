"""Anthropic's messages and content blocks as the messages of a chat completion. Pure.

One turn of that API may become several here: the results of tools are messages of their own, before the rest of their
turn. Files in a result follow in the user's turn, because results are text for most models.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from gateway.http import field_names
from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import Fields

_ROLES = ("user", "assistant", "system")
MAX_MESSAGES = 4096
Part = dict[str, Any]


@dataclass(slots=True)
class Turns:
    """The messages, and where each comes from: errors about a message must name the caller's field."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    dropped: set[str] = field(default_factory=set)
    """What of the conversation no model is shown."""

    def add_system(self, body: Fields) -> None:
        """The system prompt: a string or text blocks. Raises `GatewayError` (400), naming the place."""
        text = "\n\n".join(part["text"] for part in self._text_parts(body, "system"))
        if text:
            self._append({"role": "system", "content": text}, "system")

    def add(self, item: Fields) -> None:
        """One turn. Raises `GatewayError` (400), naming the place."""
        role = item.required_text("role")
        place = item.param("content")
        if role not in _ROLES:
            raise invalid(
                f"'{item.param('role')}' must be one of: {', '.join(_ROLES)}.",
                param=item.param("role"),
                code="invalid_value",
            )
        if item.get("content") is None:
            raise item.missing("content")
        if isinstance(item.get("content"), str):
            self._append({"role": role, "content": item.get("content")}, place)
            return
        blocks = item.objects("content") or []
        if role == "assistant":
            self._append(self._assistant(blocks), place)
        elif role == "system":
            parts = self._text_parts(item, "content")
            self._append({"role": role, "content": "\n\n".join(part["text"] for part in parts)}, place)
        else:
            self._user(blocks, place)

    def _append(self, message: dict[str, Any], place: str) -> None:
        self.messages.append(message)
        self.places.append(place)

    def _text_parts(self, item: Fields, name: str) -> list[Part]:
        value = item.get(name)
        if value is None or isinstance(value, str):
            return [_text(value)] if value else []
        parts: list[Part] = []
        for block in item.objects(name) or ():
            if block.required_text("type") != "text":
                raise _unsupported(block)
            parts.append(_text(block.text("text") or ""))
        return parts

    def _assistant(self, blocks: Sequence[Fields]) -> dict[str, Any]:
        parts: list[Part] = []
        calls: list[dict[str, Any]] = []
        for block in blocks:
            kind = block.required_text("type")
            if kind == "tool_use":
                calls.append(_call(block))
            elif kind in ("thinking", "redacted_thinking"):
                # Models don't take their earlier thoughts back, but from the provider that signed them.
                self.dropped.add("messages.content.thinking")
            elif kind in _READERS:
                parts += self._parts(block)
            else:
                # What tools of Anthropic's servers did earlier: no other model could make sense of it.
                self.dropped.add(f"messages.content.{kind}")
        message: dict[str, Any] = {"role": "assistant", "content": parts or None}
        return message | ({"tool_calls": calls} if calls else {})

    def _user(self, blocks: Sequence[Fields], place: str) -> None:
        parts: list[Part] = []
        for block in blocks:
            if block.required_text("type") == "tool_result":
                parts += self._tool_result(block)
            else:
                parts += self._parts(block)
        if parts or not blocks:
            self._append({"role": "user", "content": parts}, place)

    def _tool_result(self, block: Fields) -> list[Part]:
        """Append the result as a turn; returns what of it must follow in the user's."""
        call_id = block.required_text("tool_use_id", max_length=256)
        content = block.get("content")
        if content is None or isinstance(content, str):
            parts = [_text(content or "")]
        else:
            parts = [part for inner in block.objects("content") or () for part in self._parts(inner)]
        files = [part for part in parts if part["type"] != "text"]
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        if block.flag("is_error"):
            text = f"The tool failed: {text}" if text else "The tool failed."
        elif files and not text:
            text = "The result is in the files that follow."
        self._append({"role": "tool", "tool_call_id": call_id, "content": text}, block.param("content"))
        return [_text(f"Files of the result for call {call_id}:"), *files] if files else []

    def _parts(self, block: Fields) -> list[Part]:
        kind = block.required_text("type")
        reader = _READERS.get(kind)
        if reader is None:
            raise _unsupported(block)
        citations = block.get("citations")
        if isinstance(citations, dict) and citations.get("enabled") is True:
            self.dropped.add("citations")
        return reader(block)

    def renaming(self) -> AbstractContextManager[None]:
        """Give errors that are raised inside the caller's names for the fields of the chat completion."""
        return field_names.renaming(self._rename)

    def _rename(self, name: str) -> str:
        for index, place in enumerate(self.places):
            # The parts of a message are not the caller's blocks one by one: its content is as exact as it gets.
            if name == f"messages[{index}]" or name.startswith(f"messages[{index}]."):
                return place
        return rename(name)


# Fields that a chat completion calls otherwise; the longer name first.
_FIELDS = (
    ("response_format.json_schema", "output_config.format"),
    ("response_format", "output_config.format"),
    ("reasoning_effort", "output_config.effort"),
    ("max_completion_tokens", "max_tokens"),
    ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
    ("stop", "stop_sequences"),
)


def rename(name: str) -> str:
    """The caller's name for a field of the chat completion."""
    return field_names.rename(name, _FIELDS)


def rename_blamed(name: str) -> str:
    """The caller's name for a field that the upstream blames, whose messages are not the turns one by one."""
    return "messages" if name.startswith("messages") else rename(name)


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _unsupported(block: Fields) -> GatewayError:
    return invalid(
        f"Content blocks of type '{str(block.get('type'))[:40]}' are not supported here.",
        param=block.param("type"),
        code="unsupported_content",
    )


def _call(block: Fields) -> dict[str, Any]:
    arguments = block.mapping("input")
    if arguments is None:
        raise block.missing("input")
    function = {
        "name": block.required_text("name", max_length=256),
        "arguments": json.dumps(arguments.values, ensure_ascii=False, separators=(",", ":")),
    }
    return {"id": block.required_text("id", max_length=256), "type": "function", "function": function}


def _read_text(block: Fields) -> list[Part]:
    return [_text(block.text("text") or "")]


def _read_image(block: Fields) -> list[Part]:
    return [{"type": "image_url", "image_url": {"url": _address(_source(block), "image/png")}}]


def _read_document(block: Fields) -> list[Part]:
    source = _source(block)
    title = block.text("title", max_length=500) or ""
    context = block.text("context")
    parts = [_text(context)] if context else []
    match source.required_text("type"):
        case "text":
            return [*parts, _text(_quoted(title, source.required_text("data")))]
        case "content":
            return [*parts, *_inner_parts(source, "content", title)]
        case "url":
            return [*parts, {"type": "file", "file": {"filename": title or None, "file_url": _url(source)}}]
        case _:
            name = (title or "document").removesuffix(".pdf") + ".pdf"
            data = _address(source, "application/pdf")
            return [*parts, {"type": "file", "file": {"filename": name[-200:], "file_data": data}}]


def _read_search_result(block: Fields) -> list[Part]:
    title = f"{block.text('title') or ''} ({block.text('source') or ''})"
    return _inner_parts(block, "content", title)


def _inner_parts(item: Fields, name: str, title: str) -> list[Part]:
    """Text and images inside another block."""
    value = item.get(name)
    if isinstance(value, str):
        return [_text(_quoted(title, value))]
    parts: list[Part] = [_text(title)] if title else []
    for inner in item.objects(name) or ():
        match inner.required_text("type"):
            case "text":
                parts += _read_text(inner)
            case "image":
                parts += _read_image(inner)
            case _:
                raise _unsupported(inner)
    return parts


def _quoted(title: str, text: str) -> str:
    return f"{title}:\n\n{text}" if title else text


def _source(block: Fields) -> Fields:
    source = block.mapping("source")
    if source is None:
        raise block.missing("source")
    return source


def _address(source: Fields, content_type: str) -> str:
    """A base64 source as a data URL, or its https address."""
    match source.required_text("type"):
        case "base64":
            given = source.text("media_type", max_length=100) or content_type
            return f"data:{given};base64,{source.required_text('data')}"
        case "url":
            return _url(source)
    raise invalid(
        f"Sources of type '{str(source.get('type'))[:40]}' are not offered: send the file itself, or its address.",
        param=source.param("type"),
        code="unsupported_content",
    )


def _url(source: Fields) -> str:
    url = source.required_text("url")
    if not url.lower().startswith(("https://", "data:")):
        raise invalid(
            f"'{source.param('url')}' must be an https address.", param=source.param("url"), code="invalid_url"
        )
    return url


_READERS = {
    "text": _read_text,
    "image": _read_image,
    "document": _read_document,
    "search_result": _read_search_result,
}
