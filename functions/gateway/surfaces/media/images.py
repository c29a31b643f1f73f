"""Makes the images of one request: several generations, their results checked, and encoded as asked for."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from accounts import AccountKind
from gateway.generation import usage
from gateway.generation.downloads import collect_files
from gateway.generation.parallel import run_each
from gateway.generation.task import GenerationTask
from gateway.generation.usage import TokenUsage
from gateway.http.errors import UNUSABLE_ANSWER, UPSTREAM, GatewayError, invalid
from gateway.http.request_log import RequestRecord
from gateway.models.catalogue import Model, kinds_for
from gateway.surfaces.context import Services
from gateway.surfaces.media.image_request import ImageRequest
from lazy_dataclasses import dataclass
from reverse.chat import ChatRequest, Message
from reverse.errors import ErrorCode, PoeError
from reverse.events import FileAttached

# More at once would mostly wait for each other's accounts.
MAX_PARALLEL = 4
MAX_IMAGE_BYTES = 20 * 1024 * 1024
# All images of a response in base64, which is held in memory: a response may have 200 MB where it is streamed, and 6 MB
# with everything where Lambda buffers it.
MAX_DATA_BYTES = 36 * 1024 * 1024
MAX_BUFFERED_DATA_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageMaker:
    """Makes and encodes the images of one request."""

    services: Services
    record: RequestRecord
    key_id: str
    request: ImageRequest
    bot: str
    model: Model | None
    """What is known of the bot."""
    parameters: Mapping[str, Any]

    async def make(self) -> tuple[list[FileAttached], TokenUsage]:
        """The images, at least one, and what they consumed. Raises the first failure if all failed.

        Some bots make several at once; some answers fail. What was made is given, as it was paid for.
        """
        results = await run_each(self.request.count, self._make_one, record=self.record, width=MAX_PARALLEL)
        made = [result for result in results if not isinstance(result, Exception)]
        files = [file for some, _ in made for file in some]
        # All failed: the first failure stands for the others, which usually failed the same way.
        if not files:
            raise next(result for result in results if isinstance(result, Exception))
        # Answers without an image cost points, too.
        spent, is_estimate = self.record.points, self.record.points_estimated
        total = replace(TokenUsage.total(usage for _, usage in made), points=spent, points_estimated=is_estimate)
        # Bots that make four at once must not surprise a caller that asked for one.
        return files[: self.request.count], total

    async def _make_one(self, _index: int, record: RequestRecord) -> tuple[list[FileAttached], TokenUsage]:
        generation = self.services.generations.start(self._task(), record)
        files = await collect_files(generation)
        downloads = self.services.downloads
        # A bot may answer with a sound, or a page about its limits.
        good = [file for file in files if await downloads.is_of_type(file, "image", max_bytes=MAX_IMAGE_BYTES)]
        if not good:
            raise GatewayError(UNUSABLE_ANSWER, "The model answered without an image.", code="no_image")
        return good, generation.usage

    def _task(self) -> GenerationTask:
        return GenerationTask(
            key_id=self.key_id,
            model=self.bot,
            build=self._build,
            prompt_tokens=usage.tokens(self.request.prompt) + usage.TOKENS_PER_MESSAGE,
            kinds=kinds_for(self.model),
            # Nothing is shown before the end, so that replaced text simply starts over.
            is_streamed=False,
        )

    def _build(self, kind: AccountKind) -> ChatRequest:
        parameters = dict(self.parameters)
        if kind.traits.ignores_unknown_parameters and "nano-banana-2" in self.bot.lower():
            # Else this bot chats about the picture (docs/reference/poe-web.md#sending-a-message).
            parameters.setdefault("image_only", True)
        message = Message("user", self.request.prompt, self.request.images)
        return ChatRequest(self.bot, (message,), parameters=parameters)

    async def encode(self, files: list[FileAttached], used: TokenUsage, *, is_buffered: bool) -> bytes:
        """OpenAI's images response. Raises `GatewayError`, `PoeError`."""
        body: dict[str, Any] = {"created": int(time.time())}
        if self.request.wants_data:
            limit = MAX_BUFFERED_DATA_BYTES if is_buffered else MAX_DATA_BYTES
            body["data"] = [{"b64_json": text} for text in await self._texts(files, limit)]
        else:
            body["data"] = [{"url": file.url} for file in files]
        body["usage"] = _usage(used, has_images=self.request.is_edit)
        return json.dumps(body, separators=(",", ":")).encode()

    async def _texts(self, files: list[FileAttached], limit: int) -> list[str]:
        texts: list[str] = []
        left = limit
        for file in files:
            try:
                data, content_type = await self.services.downloads.read(
                    file, max_bytes=min(MAX_IMAGE_BYTES, max(left, 1))
                )
            except PoeError as error:
                if error.code is ErrorCode.FILE_TOO_LARGE:
                    raise invalid(
                        "The images are too large for one response; ask for 'url', or for fewer.",
                        param="response_format",
                        code="response_too_large",
                    ) from None
                raise GatewayError(UPSTREAM, "An image could not be fetched.") from None
            if not content_type.startswith("image/"):
                raise GatewayError(UNUSABLE_ANSWER, "The model answered without an image.", code="no_image")
            # What is left is the bound for the next one: the response is held in memory whole.
            left -= len(data)
            # 20 MB take tens of milliseconds, too long for the event loop.
            texts.append((await asyncio.to_thread(base64.b64encode, data)).decode())
        return texts


def _usage(used: TokenUsage, *, has_images: bool) -> dict[str, Any]:
    """OpenAI's usage of images. How much of a prompt with images is text the upstream does not say."""
    text = 0 if has_images else used.prompt_tokens
    shown: dict[str, Any] = {
        "input_tokens": used.prompt_tokens,
        "input_tokens_details": {"text_tokens": text, "image_tokens": used.prompt_tokens - text},
        "output_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }
    return shown | {"estimated": used.is_estimated} | used.shown_points()
