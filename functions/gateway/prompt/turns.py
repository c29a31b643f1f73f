"""OpenAI's `messages` array as turns: checked, with text parts joined and files collected. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.generation import usage
from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import Fields
from reverse.chat import Attachment, Message, Role, ToolCall

# OpenAI's roles and the turn each becomes. `function` is the predecessor of `tool`.
_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
_TEXT_PARTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
MAX_MESSAGES = 4096
_OCTETS = "application/octet-stream"
_SOUNDS = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


def read_messages(body: Fields) -> list[Message]:
    """The turns of `messages`. Raises `GatewayError` (400), naming the place."""
    items = body.objects("messages", max_items=MAX_MESSAGES)
    if items is None:
        raise body.missing("messages")
    if not items:
        raise invalid("'messages' must have at least one message.", param="messages", code="empty_array")
    turns = _with_own_ids([_read_message(item) for item in items])
    if not any(turn.text.strip() or turn.attachments or turn.tool_calls for turn in turns):
        raise invalid("'messages' must have some content.", param="messages", code="empty_messages")
    return turns


def _read_message(item: Fields) -> Message:
    role = _ROLES.get(item.required_text("role"))
    if role is None:
        raise invalid(
            f"'{item.param('role')}' must be one of: {', '.join(_ROLES)}.",
            param=item.param("role"),
            code="invalid_value",
        )
    text, attachments = _read_content(item)
    calls = _read_tool_calls(item) if role == "assistant" else ()
    name = item.text("name", max_length=256)
    call_id = (item.text("tool_call_id", max_length=256) or name) if role == "tool" else None
    return Message(role, text, tuple(attachments), calls, call_id, name)


def _read_content(item: Fields) -> tuple[str, list[Attachment]]:
    content = item.get("content")
    if content is None:
        # OpenAI allows it for assistant turns with tool calls; others become empty turns, which do no harm.
        return item.text("refusal") or "", []
    if isinstance(content, str):
        return content, []
    texts: list[str] = []
    attachments: list[Attachment] = []
    if not isinstance(content, list):
        raise item.wrong("content", "a string or an array of parts")
    for index, part in enumerate(content):
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            raise item.wrong(f"content[{index}]", "an object")
        _read_part(Fields(part, item.param(f"content[{index}]")), texts, attachments)
    return "\n".join(texts), attachments


def _read_part(part: Fields, texts: list[str], attachments: list[Attachment]) -> None:
    kind = part.required_text("type")
    if kind in _TEXT_PARTS:
        texts.append(part.text(_TEXT_PARTS[kind]) or "")
    elif kind in ("image_url", "input_image"):
        attachments.append(_read_image(part))
    elif kind in ("file", "input_file"):
        attachments.append(_read_file(part.mapping("file") or part))
    elif kind == "input_audio":
        attachments.append(_read_audio(part))
    else:
        raise invalid(
            f"Content parts of type '{kind[:40]}' are not supported.",
            param=part.param("type"),
            code="unsupported_content",
        )


def _read_image(part: Fields) -> Attachment:
    place = part.mapping("image_url") if isinstance(part.get("image_url"), dict) else None
    url = place.required_text("url") if place else part.required_text("image_url")
    return read_address(url, param=part.param("image_url"), name="image", content_type="image/*")


def _read_file(file: Fields) -> Attachment:
    name = _file_name(file.text("filename", max_length=256) or "file")
    data = file.text("file_data")
    if data is not None:
        if data.startswith("data:"):
            return read_address(data, param=file.param("file_data"), name=name)
        return Attachment(name, _OCTETS, _decode(data, file.param("file_data")))
    url = file.text("file_url") or file.text("url")
    if url is None and file.get("file_id") is not None:
        raise invalid(
            "Files can't be named by id here: nothing is kept. Send the file's content in 'file_data'.",
            param=file.param("file_id"),
            code="unsupported_file_id",
        )
    if url is None:
        raise file.missing("file_data")
    return read_address(url, param=file.param("file_url"), name=name)


def _read_audio(part: Fields) -> Attachment:
    audio = part.mapping("input_audio")
    if audio is None:
        raise part.missing("input_audio")
    audio_format = audio.choice("format", tuple(_SOUNDS)) or "wav"
    content_type, name = _SOUNDS[audio_format], f"audio.{audio_format}"
    data = audio.required_text("data")
    if data[:5].lower() == "data:":
        return replace(_read_data_url(data, param=audio.param("data"), name=name), content_type=content_type)
    return Attachment(name, content_type, _decode(data, audio.param("data")))


def read_address(url: str, *, param: str, name: str, content_type: str = _OCTETS) -> Attachment:
    """A file given as a data URL or an https address. Never a path, whatever it looks like.

    `content_type` is what a file that must be fetched first ought to be. Raises `GatewayError` (400) for any other
    address.
    """
    if url[:5].lower() == "data:":
        return _read_data_url(url, param=param, name=name)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _bad_address(param) from None
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise _bad_address(param)
    last = parts.path.rsplit("/", 1)[-1]
    return Attachment(_file_name(last or name), content_type, url=url)


def _bad_address(param: str) -> GatewayError:
    return invalid(f"'{param}' must be a data URL or an https address.", param=param, code="invalid_url")


def _read_data_url(url: str, *, param: str, name: str) -> Attachment:
    head, comma, payload = url[5:].partition(",")
    if not comma:
        raise invalid(f"'{param}' is not a valid data URL.", param=param, code="invalid_url")
    content_type, *options = head.split(";")
    content_type = content_type.strip().lower() or "text/plain"
    is_base64 = bool(options) and options[-1].strip().lower() == "base64"
    data = _decode(payload, param) if is_base64 else unquote_to_bytes(payload)
    if "." not in name and content_type.isascii():
        subtype = content_type.partition("/")[2].partition("+")[0]
        name = _file_name(f"{name}.{'jpg' if subtype == 'jpeg' else subtype or 'bin'}")
    return Attachment(name, content_type[:100], data)


def _decode(text: str, param: str) -> bytes:
    """As forgiving as browsers are: line breaks, missing padding, percent escapes, the alphabet for addresses."""
    try:
        packed = b"".join((unquote_to_bytes(text) if "%" in text else text.encode("ascii")).split())
        packed = packed.translate(_STANDARD_ALPHABET).rstrip(b"=")
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"'{param}' is not valid base64.", param=param, code="invalid_base64") from None


def _file_name(name: str) -> str:
    """A name without a path and without characters that mean something in headers or file systems."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    safe = "".join(character if character.isalnum() or character in "._- " else "_" for character in name)
    return safe.strip(". ")[-120:] or "file"


def _read_tool_calls(item: Fields) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    for call in item.objects("tool_calls", max_items=128) or ():
        call_id = call.text("id", max_length=256) or f"call_{len(calls)}"
        custom = call.mapping("custom") if call.get("type") == "custom" else None
        function = custom or call.mapping("function")
        if function is None:
            raise call.missing("function")
        # A custom tool takes one text. Poe knows functions only; the text becomes the function's one argument.
        arguments = json.dumps({"input": custom.text("input") or ""}) if custom else _arguments(function)
        calls.append(ToolCall(call_id, function.required_text("name", max_length=256), arguments))
    legacy = item.mapping("function_call")
    if legacy is not None and not calls:
        name = legacy.required_text("name", max_length=256)
        calls.append(ToolCall(name, name, _arguments(legacy)))
    return tuple(calls)


def _with_own_ids(turns: Sequence[Message]) -> list[Message]:
    """Calls of old have no id, so their name stands for it: every further call of a name gets one of its own.

    A result without a call's id belongs to the last call of its name. Providers refuse two calls with one id.
    """
    counts: Counter[str] = Counter()

    def own_id(name: str) -> str:
        return name if counts[name] <= 1 else f"{name}_{counts[name]}"

    read: list[Message] = []
    for turn in turns:
        calls: list[ToolCall] = []
        for call in turn.tool_calls:
            is_legacy = call.id == call.name
            counts[call.name] += is_legacy
            calls.append(replace(call, id=own_id(call.name)) if is_legacy else call)
        call_id = turn.tool_call_id
        if call_id is not None and call_id == turn.name:
            call_id = own_id(call_id)
        read.append(replace(turn, tool_calls=tuple(calls), tool_call_id=call_id))
    return read


def with_files_behind_results(turns: Sequence[Message]) -> tuple[Message, ...]:
    """The turns as OpenAI's API has them: tool results are text only, so their files follow in a turn of the user."""
    told: list[Message] = []
    files: list[Attachment] = []
    for turn in turns:
        if files and turn.role != "tool":
            told.append(_files_turn(files))
            files = []
        if turn.role == "tool" and turn.attachments:
            files += turn.attachments
            told.append(replace(turn, text=turn.text or "The result is in the files that follow.", attachments=()))
        else:
            told.append(turn)
    return (*told, _files_turn(files)) if files else tuple(told)


def _files_turn(files: Sequence[Attachment]) -> Message:
    names = ", ".join(file.name for file in files)
    return Message("user", f"Files of the tool results above: {names}", tuple(files))


def _arguments(function: Fields) -> str:
    value = function.get("arguments")
    if isinstance(value, dict):
        return json.dumps(value)
    return function.text("arguments") or "{}"


def estimate_tokens(turns: Sequence[Message]) -> int:
    """The turns' size in tokens, files not counted."""
    texts = [turn.text for turn in turns]
    texts += [call.name + call.arguments for turn in turns for call in turn.tool_calls]
    return usage.tokens("".join(texts)) + usage.TOKENS_PER_MESSAGE * len(turns)
