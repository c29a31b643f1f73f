"""Makes the images of one request: several generations, their results checked, and encoded as asked for."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts import AccountKind
from gateway.generation import usage
from gateway.generation.generation import GenerationTask
from gateway.generation.parallel import absorb, part_of, run_all
from gateway.generation.usage import TokenUsage
from gateway.http.errors import UPSTREAM, GatewayError, invalid
from gateway.http.request_log import RequestRecord
from gateway.models.catalogue import Model, kinds_for
from gateway.surfaces.media.image_request import ImageCall
from gateway.surfaces.media.results import collect_files
from gateway.surfaces.services import Services
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
class ImageRoom:
    """What making images takes."""

    services: Services
    record: RequestRecord
    key_id: str
    call: ImageCall
    bot: str
    model: Model | None
    """What is known of the bot."""
    parameters: Mapping[str, Any]

    async def make(self) -> tuple[list[FileAttached], TokenUsage | None]:
        """The images, at least one, and what they consumed where that is known. Raises what the last failure was.

        Some bots make several at once; some answers fail. What was made is given, as it was paid for.
        """
        results = await run_all(self.call.count, MAX_PARALLEL, self._make_one)
        made = [result for result in results if not isinstance(result, Exception)]
        files = [file for some, _ in made for file in some]
        if not files:
            raise next(result for result in results if isinstance(result, Exception))
        return files[: self.call.count], _sum([used for _, used in made])

    async def _make_one(self, index: int) -> tuple[list[FileAttached], TokenUsage]:
        record = part_of(self.record, index)
        generation = self.services.generations.start(self._task(), record)
        try:
            files = await collect_files(generation)
        finally:
            absorb(self.record, record)
        images = self.services.result_files
        good = [file for file in files if await images.is_of_type(file, "image", max_bytes=MAX_IMAGE_BYTES)]
        if not good:
            raise GatewayError(UPSTREAM, "The model answered without an image.", code="no_image")
        return good, generation.usage

    def _task(self) -> GenerationTask:
        return GenerationTask(
            key_id=self.key_id,
            model=self.bot,
            build=self._build,
            prompt_tokens=usage.tokens(self.call.prompt) + usage.TOKENS_PER_MESSAGE,
            kinds=kinds_for(self.model),
            is_streamed=False,
        )

    def _build(self, kind: AccountKind) -> ChatRequest:
        parameters = dict(self.parameters)
        if kind is AccountKind.WEB and "nano-banana-2" in self.bot.lower():
            # Else this bot chats about the picture (docs/reference/poe-web.md#sending-a-message).
            parameters.setdefault("image_only", True)
        message = Message("user", self.call.prompt, self.call.images)
        return ChatRequest(self.bot, (message,), parameters=parameters)

    async def encode(self, files: list[FileAttached], used: TokenUsage | None, *, is_buffered: bool) -> bytes:
        """OpenAI's images response. Raises `GatewayError`, `PoeError`."""
        body: dict[str, Any] = {"created": int(time.time())}
        if self.call.wants_data:
            limit = MAX_BUFFERED_DATA_BYTES if is_buffered else MAX_DATA_BYTES
            body["data"] = [{"b64_json": text} for text in await self._texts(files, limit)]
        else:
            body["data"] = [{"url": file.url} for file in files]
        if used is not None:
            body["usage"] = _usage(used, has_images=self.call.is_edit)
        return json.dumps(body, separators=(",", ":")).encode()

    async def _texts(self, files: list[FileAttached], limit: int) -> list[str]:
        texts: list[str] = []
        left = limit
        for file in files:
            try:
                data, content_type = await self.services.result_files.read(
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
                raise GatewayError(UPSTREAM, "The model answered without an image.", code="no_image")
            left -= len(data)
            texts.append((await asyncio.to_thread(base64.b64encode, data)).decode())
        return texts


def _sum(used: list[TokenUsage]) -> TokenUsage | None:
    """What all answers consumed; `None` unless each is the upstream's word."""
    if any(item.is_estimated for item in used):
        return None
    points = [item.points for item in used if item.points is not None]
    return TokenUsage(
        sum(item.prompt_tokens for item in used),
        sum(item.completion_tokens for item in used),
        points=sum(points) if points else None,
        is_estimated=False,
    )


def _usage(used: TokenUsage, *, has_images: bool) -> dict[str, Any]:
    """OpenAI's usage of images. How much of a prompt with images is text the upstream does not say."""
    text = 0 if has_images else used.prompt_tokens
    shown: dict[str, Any] = {
        "input_tokens": used.prompt_tokens,
        "input_tokens_details": {"text_tokens": text, "image_tokens": used.prompt_tokens - text},
        "output_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }
    return shown if used.points is None else shown | {"points": used.points}
