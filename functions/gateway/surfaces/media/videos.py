"""Videos as jobs: the request, the job as it is stored and as callers see it, and how it is done.

Poe makes it as a job of its own where a model has them; else the bot is asked, and its answer waited for. A job belongs
to the key that made it, and forgets neither which account works on it nor, when it is done, where the video is. The
prompt is not kept.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, field, replace
from typing import Any

from accounts import AccountKind, AccountNotFoundError, Lease, NoAccountError, NoAccountReason
from gateway.generation import usage
from gateway.generation.answer import collect_answer
from gateway.generation.downloads import MAX_STREAMED_BYTES, Download, collect_files
from gateway.generation.task import GenerationTask
from gateway.http import fields
from gateway.http.declared_body import Body, Field
from gateway.http.errors import NOT_FOUND, UNUSABLE_ANSWER, GatewayError, gateway_error, invalid
from gateway.http.request_log import RequestRecord
from gateway.http.schemas import POSITIVE, TEXT, Schema, obj
from gateway.models.catalogue import kinds_for
from gateway.models.model import Model
from gateway.surfaces.context import Services
from gateway.surfaces.media.image_request import ImageWishes
from gateway.surfaces.media.images import resolve_wishes
from lazy_dataclasses import dataclass
from reverse.chat import Attachment, ChatRequest, Message, PoeClient
from reverse.errors import ErrorCode, poe_error
from reverse.events import Event, FileAttached, Finished, VideoJobStarted
from reverse.videos import VideoJobs

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


_ENDPOINT = "/v1/videos"
_NOT_THERE = "There is no such video, or it has expired."


@dataclass(frozen=True, slots=True)
class VideoMaker:
    """Videos of one key."""

    services: Services
    record: RequestRecord
    key_id: str

    async def create(self, request: VideoRequest, bot: str, model: Model | None) -> tuple[VideoJob, tuple[str, ...]]:
        """A new job, stored, and the names of the fields that the bot can't be told. Raises what asking raises."""
        parameters, ignored = resolve_wishes(request.wishes, bot, model)
        # An id of our own: Poe's belongs to an account, which callers must not learn.
        job = new_job(f"video_{secrets.token_hex(16)}", request)
        # A request with an image goes to the bot: the job is begun with text only.
        if model is not None and _ENDPOINT in model.upstream_endpoints and not request.images:
            fields = {"seconds": request.seconds, "size": request.size}
            sent = {**request.wishes.parameters, **{name: value for name, value in fields.items() if value is not None}}
            job = await self._begin(job, request, bot, sent)
            # The job takes OpenAI's fields only.
            ignored = ("aspect_ratio",) if request.wishes.aspect_ratio else ()
        else:
            # A bot is told only what it declares; the official API refuses anything else.
            declared = model is not None and model.declared("seconds") is not None
            if request.seconds is not None and not declared:
                ignored = (*ignored, "seconds")
            elif request.seconds is not None:
                parameters["seconds"] = request.seconds
            job = await self._make(job, request, bot, model, parameters)
        # Not stored, it could not be found again, although it is paid for: a failure here is the caller's to see.
        await self._keep(job)
        return job, ignored

    async def find(self, job_id: str) -> VideoJob:
        """The job as it stands now. Raises `GatewayError` (404), `PoeError`."""
        document = await self.services.store.get_document(DOCUMENT_KIND, self.key_id, job_id)
        if document is None:
            raise GatewayError(NOT_FOUND, _NOT_THERE, param="video_id")
        job = VideoJob.from_document(document)
        # Nothing changes any more: no account is bothered.
        if job.is_terminal or job.upstream_id is None:
            return job
        asked = await self._ask(job)
        # Clients poll every few seconds; most looks change nothing, and each write would be paid for.
        if asked != job:
            await self._keep(asked)
        return asked

    async def delete(self, job_id: str) -> None:
        """Forget a job; a video that Poe is making is made nevertheless. Raises `GatewayError` (404)."""
        if not await self.services.store.delete_document(DOCUMENT_KIND, self.key_id, job_id):
            raise GatewayError(NOT_FOUND, _NOT_THERE, param="video_id")

    @asynccontextmanager
    async def open(self, job: VideoJob, max_bytes: int) -> AsyncIterator[Download]:
        """The bytes of a complete job. Raises `PoeError`, `GatewayError`."""
        if job.url is not None:
            file = FileAttached(job.url, job.content_type)
            async with self.services.downloads.open(file, max_bytes=max_bytes) as opened:
                yield Download(opened.content_type, opened.size, opened.chunks)
            return
        async with self._jobs(job) as jobs:
            yield Download("video/mp4", None, jobs.video_content(job.upstream_id or "", max_bytes=max_bytes))

    async def _begin(self, job: VideoJob, request: VideoRequest, bot: str, parameters: Mapping[str, Any]) -> VideoJob:
        """Start Poe's own job on one of the accounts."""

        async def ask(client: PoeClient, _lease: Lease) -> AsyncGenerator[Event, None]:
            if client.videos is None:
                raise poe_error(ErrorCode.UNSUPPORTED_FEATURE)
            video = await client.videos.create_video(bot, request.prompt, parameters=parameters)
            yield VideoJobStarted(video.id)
            yield Finished()

        generation = self.services.generations.start(
            GenerationTask(
                key_id=self.key_id,
                model=bot,
                ask=ask,
                prompt_tokens=usage.tokens(request.prompt),
                # Web accounts can't begin jobs; one that was leased in vain would cost a send.
                kinds=tuple(kind for kind in AccountKind if kind.traits.has_video_jobs),
                is_streamed=False,
            ),
            self.record,
        )
        answer = await collect_answer(generation)
        return replace(job, upstream_id=answer.video_job_id, account_id=generation.account_id)

    async def _make(
        self, job: VideoJob, request: VideoRequest, bot: str, model: Model | None, parameters: Mapping[str, Any]
    ) -> VideoJob:
        """Ask the bot and wait. Nothing goes on here after a response, so the job is done when it is first shown."""

        def build(_kind: AccountKind) -> ChatRequest:
            return ChatRequest(bot, (Message("user", request.prompt, request.images),), parameters=dict(parameters))

        task = GenerationTask(
            key_id=self.key_id,
            model=bot,
            build=build,
            prompt_tokens=usage.tokens(request.prompt),
            kinds=kinds_for(model),
            is_streamed=False,
        )
        files = await collect_files(self.services.generations.start(task, self.record))
        result = self.services.downloads
        for file in files:
            # The first video is the answer: OpenAI's object has room for one.
            if await result.is_of_type(file, "video", max_bytes=MAX_STREAMED_BYTES):
                return job.completed(at=time.time(), url=file.url, content_type=file.content_type)
        raise GatewayError(UNUSABLE_ANSWER, "The model answered without a video.", code="no_video")

    async def _ask(self, job: VideoJob) -> VideoJob:
        """Look how far Poe is."""
        async with self._jobs(job) as jobs:
            video = await jobs.video(job.upstream_id or "")
        if video.error is not None:
            failure = gateway_error(video.error)
            return job.failed(failure.code, failure.message)
        status = video.status.value
        if status == "completed":
            return job.completed(at=time.time(), url=video.url)
        # Never back, and 100 only with the video itself: clients take 100 for the end.
        return replace(job, status=status, progress=min(max(video.progress or 0, job.progress), 99))

    @asynccontextmanager
    async def _jobs(self, job: VideoJob) -> AsyncIterator[VideoJobs]:
        """The jobs of the account that works on this one. No lease is needed: looking costs nothing."""
        try:
            account, credentials, derived = await self.services.store.read_credentials(job.account_id or "")
        except AccountNotFoundError:
            raise GatewayError(NOT_FOUND, "The account that makes this video is gone.", param="video_id") from None
        try:
            client = self.services.make_client(account.kind, credentials, derived)
        except ValueError:
            raise NoAccountError(NoAccountReason.NONE_CONFIGURED) from None
        async with client as entered:
            if entered.videos is None:
                raise GatewayError(NOT_FOUND, _NOT_THERE, param="video_id")
            yield entered.videos

    async def _keep(self, job: VideoJob) -> None:
        # From the beginning of the job, so that looking at it does not keep it alive.
        left = job.created_at + KEPT_SECONDS - time.time()
        await self.services.store.put_document(
            DOCUMENT_KIND, self.key_id, job.id, job.to_document(), ttl_seconds=max(left, 1.0)
        )
