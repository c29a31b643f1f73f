"""Images, videos and audio: request bodies and replies. Pure.

The reply of /v1/images and the exchange of /v1/audio are not documented
(docs/reference/poe-official.md#endpoints-and-authentication), so every shape that the neighbouring endpoints have is
understood.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reverse.errors import ErrorCode, poe_error
from reverse.events import FileAttached
from reverse.official.failures import failure_of_error
from reverse.official.json_values import JSONObject, number_at, object_at, objects_at, text_at, time_at
from reverse.official.media_links import find_media
from reverse.videos import Video, VideoStatus


def build_generation_body(model: str, parameters: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """A body with the model, the given fields and the parameters, which can't replace them."""
    given = {name: value for name, value in fields.items() if value is not None}
    return dict(parameters) | {"model": model} | given


def parse_files(body: JSONObject, *, operation: str, content_type: str) -> list[FileAttached]:
    """The files of a reply: addresses or base64 data in a `data` list, links in text, or one `url`.

    Raises the error that the reply carries, or `empty_answer`.
    """
    if body.get("error"):
        raise failure_of_error(object_at(body, "error"), operation=operation)
    files = [file for item in objects_at(body, "data") if (file := _item(item, content_type)) is not None]
    for choice in objects_at(body, "choices"):
        files += find_media(text_at(object_at(choice, "message"), "content") or "")
    own = text_at(body, "url")
    files += [FileAttached(own, content_type=None)] if own else []
    if not files:
        raise poe_error(ErrorCode.EMPTY_ANSWER, operation=operation)
    return files


def _item(item: JSONObject, content_type: str) -> FileAttached | None:
    url, data = text_at(item, "url"), text_at(item, "b64_json")
    if url:
        return FileAttached(url)
    return FileAttached(f"data:{content_type};base64,{data}", content_type) if data else None


def parse_video(body: JSONObject, *, operation: str) -> Video:
    """A video job. Raises a `protocol` error for a reply without id or with an unknown status."""
    video_id, status = text_at(body, "id"), text_at(body, "status")
    try:
        known = VideoStatus(status or "")
    except ValueError:
        known = None
    if not video_id or known is None:
        raise poe_error(ErrorCode.PROTOCOL, "the reply is not a video", operation=operation)
    failed = known is VideoStatus.FAILED
    return Video(
        id=video_id,
        status=known,
        model=text_at(body, "model"),
        progress=number_at(body, "progress"),
        created_at=time_at(body, "created_at"),
        url=text_at(body, "url"),
        error=failure_of_error(object_at(body, "error"), operation=operation) if failed else None,
    )
