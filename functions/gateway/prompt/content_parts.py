"""Message content in OpenAI's form, a string or an array of parts, as text and files. Pure.

Files come as data URLs, base64 or https addresses; addresses are fetched later. Of the reasoning of earlier answers,
what has the provider's seal is read, which is given back to it; the rest is left out and reported.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from gateway.http import fields
from gateway.http.declared_body import Body, Field, describe, typed
from gateway.http.errors import GatewayError, invalid
from gateway.http.fields import read_filled_text, required_type
from gateway.http.schemas import TEXT, Schema, array
from reverse.chat import Attachment, Thinking

OCTETS = "application/octet-stream"
_STANDARD_ALPHABET = bytes.maketrans(b"-_", b"+/")


def read_address(url: str, *, param: str, name: str, content_type: str = OCTETS) -> Attachment:
    """A file given as a data URL or an https address. Never a path, whatever it looks like.

    `content_type` is what a file that must be fetched first ought to be. Raises `GatewayError` (400) for any other
    address.
    """
    if url[:5].lower() == "data:":
        return read_data_url(url, param=param, name=name)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _bad_address(param) from None
    # No `file:` and no plain http. What the name resolves to is judged when the file is fetched.
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise _bad_address(param)
    last = parts.path.rsplit("/", 1)[-1]
    return Attachment(file_name(last or name), content_type, url=url)


def _bad_address(param: str) -> GatewayError:
    return invalid(f"'{param}' must be a data URL or an https address.", param=param, code="invalid_url")


def read_data_url(url: str, *, param: str, name: str) -> Attachment:
    head, comma, payload = url[5:].partition(",")
    if not comma:
        raise invalid(f"'{param}' is not a valid data URL.", param=param, code="invalid_url")
    content_type, *options = head.split(";")
    content_type = content_type.strip().lower() or "text/plain"
    # By the standard it is the last option (RFC 2397); others, such as a charset, may stand before it.
    is_base64 = bool(options) and options[-1].strip().lower() == "base64"
    data = decode_base64(payload, param) if is_base64 else unquote_to_bytes(payload)
    # Poe judges files by their names, too, so one without an extension may be refused.
    if "." not in name and content_type.isascii():
        subtype = content_type.partition("/")[2].partition("+")[0]
        name = file_name(f"{name}.{'jpg' if subtype == 'jpeg' else subtype or 'bin'}")
    return Attachment(name, content_type[:100], data)


def decode_base64(text: str, param: str) -> bytes:
    """As forgiving as browsers are: line breaks, missing padding, percent escapes, the alphabet for addresses."""
    try:
        packed = b"".join((unquote_to_bytes(text) if "%" in text else text.encode("ascii")).split())
        # After the mending anything else is refused: half a file would be answered as if it were whole.
        packed = packed.translate(_STANDARD_ALPHABET).rstrip(b"=")
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid(f"'{param}' is not valid base64.", param=param, code="invalid_base64") from None


def file_name(name: str) -> str:
    """A name without a path and without characters that mean something in headers or file systems."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    safe = "".join(character if character.isalnum() or character in "._- " else "_" for character in name)
    return safe.strip(". ")[-120:] or "file"


_SOUNDS = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_MAX_NAME = 256


class ImageAddress(Body):
    """`image_url` of a chat completion."""

    url = fields.required_text(description="A data URL or an https address.")
    detail = fields.text()


def _image_url(value: Any, body: Body, name: str) -> str:
    """The address itself, or an object that holds it: clients that speak both of OpenAI's APIs mix them up."""
    if isinstance(value, dict):
        return ImageAddress(value, body.param(name)).url
    return read_filled_text(value, body, name)


class TextPart(Body):
    """Text."""

    text = fields.text()


class RefusalPart(Body):
    """A refusal of an earlier answer."""

    refusal = fields.text()


class ImagePart(Body):
    """An image."""

    image_url: Field[str] = Field(_image_url, lambda: {"anyOf": [describe(ImageAddress), TEXT]})


class FileContent(Body):
    """A file: its content, or its address."""

    filename = fields.text(max_length=_MAX_NAME)
    file_data = fields.text(description="A data URL or base64.")
    file_url = fields.text(description="An https address.")
    url = fields.text()
    file_id = fields.anything(description="Not offered: nothing is kept.")


class FilePart(FileContent):
    """A file, with its fields in `file` or on the part itself."""

    file = fields.nested(FileContent)


class Sound(Body):
    """`input_audio`."""

    data = fields.required_text(description="Base64, or a data URL.")
    format = fields.choice(*_SOUNDS)


class AudioPart(Body):
    """A sound."""

    input_audio = fields.required(fields.nested(Sound))


def _text_of(part: Body) -> str:
    return TextPart(part.values, part.path).text or ""


def _refusal_of(part: Body) -> str:
    return RefusalPart(part.values, part.path).refusal or ""


def _image_of(part: Body) -> Attachment:
    image = ImagePart(part.values, part.path)
    return read_address(image.image_url, param=image.param("image_url"), name="image", content_type="image/*")


def _file_of(part: Body) -> Attachment:
    given = FilePart(part.values, part.path)
    # Chat completions nest the fields in `file`, responses have them on the part.
    file: FileContent = given.file or given
    name = file_name(file.filename or "file")
    if file.file_data is not None:
        param = file.param("file_data")
        # OpenAI documents a data URL here; plain base64 is what many programs send.
        if file.file_data.startswith("data:"):
            return read_address(file.file_data, param=param, name=name)
        return Attachment(name, OCTETS, decode_base64(file.file_data, param))
    url = file.file_url or file.url
    # Said in words of its own: "missing file_data" would not tell why the id is not taken.
    if url is None and file.file_id is not None:
        raise invalid(
            "Files can't be named by id here: nothing is kept. Send the file's content in 'file_data'.",
            param=file.param("file_id"),
            code="unsupported_file_id",
        )
    if url is None:
        raise file.missing("file_data")
    return read_address(url, param=file.param("file_url"), name=name)


def _sound_of(part: Body) -> Attachment:
    sound = AudioPart(part.values, part.path).input_audio
    kind = sound.format or "wav"
    content_type, name, param = _SOUNDS[kind], f"audio.{kind}", sound.param("data")
    if sound.data[:5].lower() == "data:":
        # The declared format counts here as well, whatever type the data URL names.
        return replace(read_data_url(sound.data, param=param, name=name), content_type=content_type)
    return Attachment(name, content_type, decode_base64(sound.data, param))


# By the type of a part: the fields it has, and how it is read.
_TEXTS: dict[str, tuple[type[Body], Callable[[Body], str]]] = {
    "text": (TextPart, _text_of),
    "input_text": (TextPart, _text_of),
    "output_text": (TextPart, _text_of),
    "refusal": (RefusalPart, _refusal_of),
}
_FILES: dict[str, tuple[type[Body], Callable[[Body], Attachment]]] = {
    "image_url": (ImagePart, _image_of),
    "input_image": (ImagePart, _image_of),
    "file": (FilePart, _file_of),
    "input_file": (FilePart, _file_of),
    "input_audio": (AudioPart, _sound_of),
}


def content_schema(*kinds: str) -> Schema:
    """The schema of content: a string, or an array of parts of these types."""
    bodies = {kind: _TEXTS[kind][0] if kind in _TEXTS else _FILES[kind][0] for kind in kinds}
    return {"anyOf": [TEXT, array({"oneOf": typed(bodies)})]}


def read_content(
    content: Any, item: Body, name: str, *, left_out: set[str] | None = None
) -> tuple[str, tuple[Attachment, ...]]:
    """Text, joined by line ends, and files of a content that is there. Raises `GatewayError` (400), naming the part.

    Of a part of an unknown type its text counts; without one, its type is added to `left_out`.
    """
    if isinstance(content, str):
        return content, ()
    if not isinstance(content, list):
        raise item.wrong(name, "a string or an array of parts")
    texts: list[str] = []
    attachments: list[Attachment] = []
    for index, part in enumerate(content):
        # Not in OpenAI's description, but sent by programs that build lists of strings.
        if isinstance(part, str):
            texts.append(part)
        elif not isinstance(part, dict):
            raise item.wrong(f"{name}[{index}]", "an object")
        elif (kind := _read_part(Body(part, item.param(f"{name}[{index}]")), texts, attachments)) is not None:
            if left_out is not None:
                left_out.add(kind)
    return "\n".join(texts), tuple(attachments)


def _read_part(part: Body, texts: list[str], attachments: list[Attachment]) -> str | None:
    """The type of a part that nothing was read from."""
    kind = required_type(part)
    if kind in _TEXTS:
        texts.append(_TEXTS[kind][1](part))
    elif kind in _FILES:
        attachments.append(_FILES[kind][1](part))
    # A newer type of part: its words are worth more than an error.
    elif isinstance(text := part.values.get("text"), str):
        texts.append(text)
    else:
        return kind
    return None


# Agents send all that was thought since the user's last words.
MAX_THINKING_BLOCKS = 256


def read_thinking_block(values: Mapping[str, Any]) -> Thinking | None:
    """A block of Anthropic's API, or what other gateways make of it; `None` where it has no seal."""
    # Redacted: nothing to read, but the provider wants it back unchanged.
    data = values.get("data")
    if isinstance(data, str) and data:
        return Thinking("", data, is_redacted=True)
    text, signature = values.get("thinking", values.get("text")), values.get("signature")
    # Unsealed thinking is refused by the provider, so it is not sent at all.
    if not isinstance(signature, str) or not signature:
        return None
    return Thinking(text if isinstance(text, str) else "", signature)


def read_thinking_blocks(*lists: Any) -> tuple[Thinking, ...]:
    """The sealed blocks of the first list that has any."""
    for values in lists:
        blocks = values[:MAX_THINKING_BLOCKS] if isinstance(values, list) else []
        found = [one for block in blocks if isinstance(block, dict) and (one := read_thinking_block(block)) is not None]
        if found:
            return tuple(found)
    return ()
