"""Attachments as the parts that each endpoint takes. Pure."""

from __future__ import annotations

import base64
from typing import Any

from reverse.chat import Attachment
from reverse.errors import ErrorCode, poe_error


def data_url(attachment: Attachment) -> str:
    """The attachment's bytes as a `data:` URL."""
    return f"data:{attachment.content_type};base64,{base64_text(attachment)}"


def base64_text(attachment: Attachment) -> str:
    """The attachment's bytes in base64. Raises `unsupported_file` when only its address is known."""
    if attachment.data is None:
        raise poe_error(ErrorCode.UNSUPPORTED_FILE, "a file that is not an image must be sent with its bytes")
    return base64.b64encode(attachment.data).decode("ascii")


def is_image(attachment: Attachment) -> bool:
    """Whether the attachment is an image by its content type."""
    return attachment.content_type.startswith("image/")


def image_address(attachment: Attachment) -> str:
    """The image's bytes as a `data:` URL where there are any, otherwise the address for Poe to fetch."""
    return attachment.url if attachment.data is None and attachment.url else data_url(attachment)


def chat_part(attachment: Attachment) -> dict[str, Any]:
    """A content part of /v1/chat/completions."""
    if is_image(attachment):
        return {"type": "image_url", "image_url": {"url": image_address(attachment)}}
    return {"type": "file", "file": {"filename": attachment.name, "file_data": data_url(attachment)}}


def responses_part(attachment: Attachment) -> dict[str, Any]:
    """A content part of /v1/responses."""
    if is_image(attachment):
        return {"type": "input_image", "image_url": image_address(attachment)}
    return {"type": "input_file", "filename": attachment.name, "file_data": data_url(attachment)}


def messages_block(attachment: Attachment) -> dict[str, Any]:
    """A content block of /v1/messages."""
    if attachment.data is None and attachment.url:
        source = {"type": "url", "url": attachment.url}
    else:
        source = {"type": "base64", "media_type": attachment.content_type, "data": base64_text(attachment)}
    return {"type": "image" if is_image(attachment) else "document", "source": source}


def check_sizes(attachments: tuple[Attachment, ...], max_bytes: int) -> None:
    """Raise `file_too_large` when one attachment is larger than `max_bytes`."""
    if any(len(attachment.data or b"") > max_bytes for attachment in attachments):
        raise poe_error(ErrorCode.FILE_TOO_LARGE)
