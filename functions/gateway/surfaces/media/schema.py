"""Images, sound, videos, and the older completions."""

from __future__ import annotations

from typing import Any

from gateway.http.errors import INVALID_REQUEST, NOT_FOUND, UPSTREAM
from gateway.openapi.operation import GENERATION, IGNORED, Operation, events, json_media, parameter
from gateway.openapi.schemas import (
    ANY_OBJECT,
    COUNT,
    FLAG,
    NAME,
    POSITIVE,
    TEMPERATURE,
    TEXT,
    TOP_P,
    Schema,
    array,
    const,
    enum,
    obj,
    optional,
    ref,
)
from gateway.surfaces.chat.schema import STOP
from gateway.surfaces.media.image_request import MAX_IMAGES, MAX_PROMPT_CHARS
from gateway.surfaces.media.speech import FORMATS, MAX_INPUT_CHARS

_BINARY: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_PROMPT: Schema = {**NAME, "maxLength": MAX_PROMPT_CHARS}
_FORM = "multipart/form-data"
_OPTIONS = optional({**ANY_OBJECT, "description": "Options that the bot itself declares."})
_IMAGE_FIELDS: dict[str, Schema] = {
    "model": NAME,
    "prompt": _PROMPT,
    "n": optional({"type": "integer", "minimum": 1, "maximum": MAX_IMAGES}),
    "response_format": optional(enum("url", "b64_json")),
    "size": optional({**TEXT, "maxLength": 40}),
    "aspect_ratio": optional({**TEXT, "maxLength": 40}),
    "quality": optional(TEXT),
    "parameters": _OPTIONS,
}
_ADDRESS: Schema = {**TEXT, "description": "A data URL, base64 or an https address."}
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
)
_VIDEO_FIELDS: dict[str, Schema] = {
    "model": NAME,
    "prompt": _PROMPT,
    "seconds": {"anyOf": [TEXT, POSITIVE, {"type": "null"}]},
    "size": optional({**TEXT, "maxLength": 40}),
    "parameters": _OPTIONS,
}

SCHEMAS: dict[str, Schema] = {
    "ImageList": obj(
        "created data",
        created=COUNT,
        data=array({"anyOf": [obj("url", url=TEXT), obj("b64_json", b64_json=TEXT)]}, minItems=1),
        usage={"type": ["object", "null"]},
    ),
    "Video": _VIDEO,
    "CompletionRequest": obj(
        "model prompt",
        model=NAME,
        prompt={"anyOf": [NAME, array(NAME, minItems=1, maxItems=20)]},
        n=optional({"type": "integer", "minimum": 1}),
        stream=optional(FLAG),
        max_tokens=optional(POSITIVE),
        stop=STOP,
        temperature=TEMPERATURE,
        top_p=TOP_P,
        echo=optional(FLAG),
    ),
    "Completion": obj(
        "id object created model choices usage",
        id=TEXT,
        object=const("text_completion"),
        created=COUNT,
        model=TEXT,
        choices=array(obj("index text finish_reason", index=COUNT, text=TEXT, finish_reason=optional(TEXT))),
        usage=ref("Usage"),
    ),
}


def _form_or_json(fields: dict[str, Schema], files: dict[str, Schema], addresses: dict[str, Schema]) -> dict[str, Any]:
    form = {name: schema for name, schema in fields.items() if name != "parameters"}
    return {
        **json_media(obj("model prompt", **fields, **addresses)),
        _FORM: {"schema": obj("model prompt", **form, **files)},
    }


OPERATIONS: dict[str, Operation] = {
    "create_completion": Operation(
        summary="Answer prompts (older endpoint)",
        tag="Completions",
        description="A chat model answers a prompt; it does not go on where the prompt ends.",
        body=json_media(ref("CompletionRequest"), question={"model": "GPT-5", "prompt": "Hello"}),
        answer=json_media(ref("Completion")) | events("A chunk as JSON, at last `[DONE]`."),
        headers=IGNORED,
        situations=GENERATION,
    ),
    "create_image": Operation(
        summary="Make images",
        tag="Images",
        body=json_media(
            obj("model prompt", **_IMAGE_FIELDS), question={"model": "GPT-Image-1", "prompt": "A red square"}
        ),
        answer=json_media(ref("ImageList")),
        headers=IGNORED,
        situations=GENERATION,
    ),
    "edit_image": Operation(
        summary="Make images from images",
        tag="Images",
        description="Images come as files of a form, or as data URLs or https addresses in JSON.",
        body=_form_or_json(_IMAGE_FIELDS, _FILES, {"image": _ADDRESS, "mask": _ADDRESS}),
        answer=json_media(ref("ImageList")),
        headers=IGNORED,
        situations=GENERATION,
    ),
    "create_speech": Operation(
        summary="Have a text spoken",
        tag="Audio",
        body=json_media(
            obj(
                "model input",
                model=NAME,
                input={**NAME, "maxLength": MAX_INPUT_CHARS},
                voice={"anyOf": [TEXT, ANY_OBJECT, {"type": "null"}]},
                response_format=optional(enum(*FORMATS)),
                speed={"type": ["number", "null"], "minimum": 0.25, "maximum": 4},
                instructions=optional(TEXT),
                parameters=_OPTIONS,
            )
        ),
        answer={"audio/*": {"schema": _BINARY}},
        headers=IGNORED,
        situations=GENERATION,
    ),
    "create_video": Operation(
        summary="Begin a video",
        tag="Videos",
        body=_form_or_json(_VIDEO_FIELDS, {"input_reference": _BINARY}, {"input_reference": _ADDRESS}),
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
