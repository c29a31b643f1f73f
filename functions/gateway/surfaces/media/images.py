"""Makes the images of one request: several generations, their results checked, and encoded as asked for.

Size, shape and quality become options that Poe's bots take, never text in the prompt. The rules are the original
gateway's (its table of sizes, November 2026), with what a bot declares put first: only a declared option reaches a bot
that declares any, because Poe's official API refuses all others.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from math import gcd
from typing import Any

from accounts import AccountKind
from gateway.generation import usage
from gateway.generation.downloads import collect_files
from gateway.generation.parallel import run_each
from gateway.generation.task import GenerationTask
from gateway.generation.usage import TokenUsage
from gateway.http.errors import UNUSABLE_ANSWER, UPSTREAM, GatewayError, invalid
from gateway.http.request_log import RequestRecord
from gateway.models.catalogue import kinds_for
from gateway.models.model import Model
from gateway.surfaces.context import Services
from gateway.surfaces.media.image_request import ImageRequest, ImageWishes
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


# What callers send when they mean "as you like".
_NO_CHOICE = frozenset({"", "auto", "default", "1024x1024"})
_ASPECT_KEYS = ("aspect_ratio", "aspect")
_RATIO = re.compile(r"(?:--(?:aspect|ar)\s+)?(\d{1,5})\s*[:xX]\s*(\d{1,5})")
_RESOLUTIONS = {"none": "", "1k": "1K", "2k": "2K", "4k": "4K"}
# A bot's nearest shape counts as the one asked for in pixels: 1792x1024 is 7:4, which some bots call 16:9.
_NEAR = 0.05
_NEUTRAL = frozenset({"auto", "standard", "medium"})


def resolve_wishes(wishes: ImageWishes, bot: str, model: Model | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The bot's parameters, and the names of the fields that it can't be told.

    Raises `GatewayError` (400) for a size that is none, or that the bot does not have.
    """
    # The bot's own options come first: the caller named them as such, and `setdefault` leaves them alone.
    found = dict(wishes.parameters)
    ignored: list[str] = []
    size = (wishes.size or "").strip()
    image_size = wishes.image_size
    resolutions = _resolutions(bot, model)
    # A resolution may stand in `size`, the only such field that OpenAI's clients have.
    if image_size is None and size.lower() in resolutions:
        image_size, size = size, ""
    if image_size is not None:
        value = _resolution(image_size, resolutions)
        if value:
            found.setdefault("image_size", value)
    shape, param = (wishes.aspect_ratio, "aspect_ratio") if wishes.aspect_ratio else (size, "size")
    if shape.lower() not in _NO_CHOICE or param == "aspect_ratio":
        # A bot that declares OpenAI's own field gets it as it was written.
        if param == "size" and model is not None and _allows(model.declared("size"), size):
            found.setdefault("size", size)
        elif (key := _aspect_key(found, bot, model)) is not None:
            found.setdefault(key, _aspect(shape, param, _enum(model.declared(key)) if model else []))
        else:
            # Checked although nothing is told to the bot: nonsense is a mistake for every model.
            _ratio(shape, param)
            ignored.append(param)
    for name, value in wishes.others.items():
        if model is not None and _allows(model.declared(name), value):
            found.setdefault(name, value)
        # What means "as you like" was honoured by not being told.
        elif not (isinstance(value, str) and value in _NEUTRAL):
            ignored.append(name)
    return found, tuple(ignored)


def _resolutions(bot: str, model: Model | None) -> dict[str, str]:
    """The bot's values of `image_size`, by their lower-case names."""
    declared = model.declared("image_size") if model is not None else None
    values = _enum(declared)
    if values:
        return {"none": "", **{str(value).lower(): str(value) for value in values}}
    # The original gateway's rule: this bot takes resolutions, whether or not a list says so.
    return _RESOLUTIONS if declared is not None or "nano-banana-2" in bot.lower() else {}


def _resolution(text: str, allowed: Mapping[str, str]) -> str:
    value = allowed.get(text.strip().lower())
    if value is None:
        choices = ", ".join(allowed) if allowed else "none, as the model has no such option"
        raise invalid(f"'image_size' may be: {choices}.", param="image_size", code="invalid_value")
    return value


def _aspect(text: str, param: str, allowed: list[Any]) -> str:
    width, height = _ratio(text, param)
    return _choose(width, height, allowed, param) if allowed else f"{width}:{height}"


def _ratio(text: str, param: str) -> tuple[int, int]:
    match = _RATIO.fullmatch(text.strip())
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not width or not height:
        raise invalid(f"'{param}' must be like 1536x1024 or 3:2.", param=param, code="invalid_value")
    # 1536x1024 is 3:2 for bots that know shapes only.
    divisor = gcd(width, height)
    return width // divisor, height // divisor


def _aspect_key(found: Mapping[str, Any], bot: str, model: Model | None) -> str | None:
    """What the bot calls its shape; `None` if it is known to have no such option."""
    for key in _ASPECT_KEYS:
        if key in found:
            return key
    # Known to declare options: any other one would be refused.
    if model is not None and model.parameters is not None:
        return next((key for key in _ASPECT_KEYS if model.declared(key) is not None), None)
    # The original gateway's rule for bots of which nothing is declared.
    return "aspect_ratio" if "nano-banana" in bot.lower() else "aspect"


def _choose(width: int, height: int, allowed: list[Any], param: str) -> str:
    """The bot's own name for the shape."""
    known: dict[str, float] = {}
    # Names that are no ratio ("auto", "portrait") are no shape to compare with.
    for value in allowed:
        if isinstance(value, str) and (match := _RATIO.fullmatch(value)) and int(match[2]):
            known[value] = int(match[1]) / int(match[2])
    wanted = width / height
    if f"{width}:{height}" in known:
        return f"{width}:{height}"
    nearest = min(known, key=lambda value: abs(known[value] - wanted), default=None)
    # A square in place of a panorama would be paid for and thrown away.
    if nearest is None or (abs(known[nearest] - wanted) > _NEAR * wanted):
        choices = ", ".join(str(value) for value in allowed)
        raise invalid(f"'{param}' must be one of the model's: {choices}.", param=param, code="invalid_value")
    return nearest


def _enum(declared: Mapping[str, Any] | None) -> list[Any]:
    schema = (declared or {}).get("schema")
    values = schema.get("enum") if isinstance(schema, Mapping) else None
    return values if isinstance(values, list) else []


def _allows(declared: Mapping[str, Any] | None, value: Any) -> bool:
    if declared is None:
        return False
    values = _enum(declared)
    # Declared without a list of values: any may do.
    return not values or value in values
