"""Images, sound and videos."""

from __future__ import annotations

from typing import Any

from gateway.http.declared_body import Body, describe
from gateway.http.errors import INVALID_REQUEST, NOT_FOUND, UPSTREAM
from gateway.http.schemas import (
    COUNT,
    FLAG,
    GENERATION,
    IGNORED,
    POINTS,
    TEXT,
    Operation,
    Schema,
    array,
    const,
    enum,
    header,
    json_media,
    obj,
    parameter,
    ref,
)
from gateway.surfaces.media.image_request import EditBody, ImageBody
from gateway.surfaces.media.speech import SpeechBody
from gateway.surfaces.media.videos import VideoBody

_BINARY: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_FORM = "multipart/form-data"
_FILES: dict[str, Schema] = {"image": _BINARY, "mask": _BINARY}
_VIDEO = obj(
    "id object status model created_at progress",
    id=TEXT,
    object=const("video"),
    status=enum("queued", "in_progress", "completed", "failed"),
    model=TEXT,
    created_at=COUNT,
    progress=COUNT,
    error={"type": ["object", "null"]},
    usage={**obj(**POINTS), "description": "In the answer that began the video."},
)
SCHEMAS: dict[str, Schema] = {
    # OpenAI's fields, and those that say whether the numbers and the points are estimates.
    "ImageList": obj(
        "created data",
        created=COUNT,
        data=array({"anyOf": [obj("url", url=TEXT), obj("b64_json", b64_json=TEXT)]}, minItems=1),
        usage=obj(
            "input_tokens output_tokens total_tokens",
            input_tokens=COUNT,
            output_tokens=COUNT,
            total_tokens=COUNT,
            estimated=FLAG,
            **POINTS,
        ),
    ),
    "Video": _VIDEO,
}


def _form_or_json(body: type[Body], files: dict[str, Schema]) -> dict[str, Any]:
    # A form has text and files only; objects can't be written in it.
    form = describe(body, without=("parameters", "images", *files))
    return {
        **json_media(describe(body)),
        _FORM: {"schema": form | {"properties": form["properties"] | files}},
    }


OPERATIONS: dict[str, Operation] = {
    # A row for each endpoint, by its function's name: the description fails where one is missing.
    "create_image": Operation(
        summary="Make images",
        tag="Images",
        body=json_media(describe(ImageBody), question={"model": "GPT-Image-1", "prompt": "A red square"}),
        answer=json_media(ref("ImageList")),
        headers=IGNORED,
        situations=GENERATION,
    ),
    "edit_image": Operation(
        summary="Make images from images",
        tag="Images",
        description="Images come as files of a form, or as data URLs or https addresses in JSON.",
        body=_form_or_json(EditBody, _FILES),
        answer=json_media(ref("ImageList")),
        headers=IGNORED,
        situations=GENERATION,
    ),
    "create_speech": Operation(
        summary="Have a text spoken",
        tag="Audio",
        body=json_media(describe(SpeechBody)),
        answer={"audio/*": {"schema": _BINARY}},
        headers=IGNORED
        | {
            "x-gateway-points": header("What the sound cost; `null` where that is not known yet."),
            "x-gateway-points-estimated": header("`true` where the points are an estimate."),
        },
        situations=GENERATION,
    ),
    "create_video": Operation(
        summary="Begin a video",
        tag="Videos",
        body=_form_or_json(VideoBody, {"input_reference": _BINARY}),
        answer=json_media(ref("Video")),
        headers=IGNORED,
        situations=GENERATION,
    ),
    "retrieve_video": Operation(
        summary="Show how far a video is",
        tag="Videos",
        answer=json_media(ref("Video")),
        situations=(NOT_FOUND, UPSTREAM),
    ),
    "delete_video": Operation(
        summary="Forget a video",
        tag="Videos",
        answer=json_media(obj("id object deleted", id=TEXT, object=const("video.deleted"), deleted={"const": True})),
        situations=(NOT_FOUND,),
    ),
    "download_video": Operation(
        summary="Download a video",
        tag="Videos",
        parameters=(parameter("variant", "query", enum("video")),),
        answer={"video/*": {"schema": _BINARY}},
        situations=(INVALID_REQUEST, NOT_FOUND, UPSTREAM),
    ),
}
