"""Videos as jobs: the request, the job as it is stored, and as callers see it. Pure.

A job belongs to the key that made it, and forgets neither which account works on it nor, when it is done, where the
video is. The prompt is not kept.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from typing import Any

from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.errors import invalid
from gateway.http.schemas import POSITIVE, TEXT, Schema, obj
from gateway.surfaces.media.image_parameters import ImageWishes
from lazy_dataclasses import dataclass
from reverse.chat import Attachment

DOCUMENT_KIND = "video"
# How long Poe keeps the files is not known; OpenAI's expire after a day.
KEPT_SECONDS = 86_400.0
MAX_PROMPT_CHARS = 32_000
# What OpenAI makes of a request that does not say. Its object has no place for "as the bot likes".
_DEFAULT_SECONDS = "4"
_DEFAULT_SIZE = "720x1280"
_MAX_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoRequest:
    """One request for a video."""

    model: str
    prompt: str = field(repr=False)
    seconds: str | None = None
    size: str | None = None
    wishes: ImageWishes = field(default_factory=ImageWishes)
    images: tuple[Attachment, ...] = field(default=(), repr=False)
    """An image to begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoJob:
    """One video in the making, or made. `upstream_id` is set while it is Poe's job; `url` once there is a file."""

    id: str
    model: str
    created_at: float
    # Text, as OpenAI's object has it.
    seconds: str = _DEFAULT_SECONDS
    size: str = _DEFAULT_SIZE
    status: str = "queued"
    progress: int = 0
    completed_at: float | None = None
    error: Mapping[str, str] | None = None
    # Only the account that began a job can look at it.
    account_id: str | None = None
    upstream_id: str | None = None
    url: str | None = field(default=None, repr=False)
    content_type: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it stays as it is."""
        return self.status in ("completed", "failed")

    def completed(self, *, at: float, url: str | None = None, content_type: str | None = None) -> VideoJob:
        return replace(
            self, status="completed", progress=100, completed_at=at, url=url or self.url, content_type=content_type
        )

    def failed(self, code: str, message: str) -> VideoJob:
        return replace(self, status="failed", error={"code": code, "message": message})

    def to_document(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> VideoJob:
        # Documents live a day: a field that is added needs a default, for those of the version before.
        return cls(**document)

    def to_openai(self) -> dict[str, Any]:
        """OpenAI's video object. Nothing in it names the account."""
        return {
            "id": self.id,
            "object": "video",
            "created_at": int(self.created_at),
            "completed_at": None if self.completed_at is None else int(self.completed_at),
            "expires_at": int(self.created_at + KEPT_SECONDS),
            "model": self.model,
            "status": self.status,
            "progress": self.progress,
            "seconds": self.seconds,
            "size": self.size,
            "error": self.error,
            "remixed_from_video_id": None,
        }


def new_job(job_id: str, request: VideoRequest) -> VideoJob:
    """The job of a request, before anything is known of it."""
    return VideoJob(
        id=job_id,
        model=request.model,
        created_at=time.time(),
        seconds=request.seconds or _DEFAULT_SECONDS,
        size=request.size or _DEFAULT_SIZE,
    )


_SECONDS: Schema = {"anyOf": [TEXT, {**POSITIVE, "maximum": _MAX_SECONDS}]}


def _seconds(value: Any, body: Body, name: str) -> str:
    """The length, which OpenAI writes as text."""
    seconds = _whole_number(value)
    if not 0 < seconds <= _MAX_SECONDS:
        message = f"'{body.param(name)}' must be a whole number from 1 to {_MAX_SECONDS}."
        raise invalid(message, param=body.param(name), code="invalid_value")
    return str(seconds)


def _whole_number(value: object) -> int:
    """The number that is sent upstream, whatever zeros stand in front of it; 0 for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    # Python refuses to read thousands of digits.
    digits = value.lstrip("0") if isinstance(value, str) and value.isascii() and value.isdecimal() else ""
    return int(digits) if 0 < len(digits) <= len(str(_MAX_SECONDS)) else 0


class VideoOptions(Body):
    """`parameters`: what the bot declares, as far as it is checked here."""

    seconds: Field[str | None] = Field(_seconds, lambda: _SECONDS, default=None)


class VideoBody(Body):
    """`POST /v1/videos`."""

    model = fields.required_text(max_length=256)
    prompt = fields.required_text(max_length=MAX_PROMPT_CHARS)
    seconds: Field[str | None] = Field(_seconds, lambda: _SECONDS, default=None)
    size = fields.text(max_length=40)
    aspect_ratio = fields.text(max_length=40, description="As 16:9; an extension.")
    parameters = fields.nested(VideoOptions, "Options that the bot itself declares.")
    input_reference = fields.anything(
        {"anyOf": [TEXT, obj("image_url", image_url=TEXT)]},
        "An image to begin with: a data URL or an https address. A file in a form.",
    )


def read_video_request(values: Mapping[str, Any], images: tuple[Attachment, ...] = ()) -> VideoRequest:
    """Normalise a body. Raises `GatewayError` (400), naming the field."""
    body = VideoBody(values)
    own = body.parameters
    if own is not None:
        _ = own.seconds  # checked, and passed on as it is
    return VideoRequest(
        model=body.model.strip(),
        prompt=body.prompt,
        seconds=body.seconds,
        size=body.size,
        # Bots that make videos take shape and size under the same names as those that make images.
        wishes=ImageWishes(size=body.size, aspect_ratio=body.aspect_ratio, parameters=own.values if own else {}),
        images=images,
    )
