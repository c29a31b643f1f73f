"""Images, videos and audio over the account's exchange."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

from reverse.errors import ErrorCode, poe_error
from reverse.events import FileAttached
from reverse.json_text import parse_object
from reverse.official.exchange import Exchange
from reverse.official.generation import build_generation_body, parse_files, parse_video
from reverse.videos import Video
from reverse.wire.transport import content_type

# Poe's documentation polls a video about every five seconds
# (docs/reference/poe-official.md#endpoints-and-authentication).
POLL_SECONDS = 5.0

_NOTHING: Mapping[str, Any] = {}


class MediaClient:
    """What `PoeOfficialClient.media` offers. Every method raises `PoeError`."""

    def __init__(self, exchange: Exchange, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._exchange = exchange
        self._sleep = sleep

    async def images(self, model: str, prompt: str, *, parameters: Mapping[str, Any] = _NOTHING) -> list[FileAttached]:
        """Make images. A file's `url` is an address, or a `data:` URL where the reply holds the image itself."""
        body = build_generation_body(model, parameters, prompt=prompt)
        reply = await self._make("/v1/images", "images", body)
        return parse_files(reply, operation="images", content_type="image/png")

    async def audio(self, model: str, text: str, *, parameters: Mapping[str, Any] = _NOTHING) -> FileAttached:
        """Speak or sing `text`. The reply may be the sound itself or name its address."""
        # The body is not documented; both names that neighbouring endpoints use for the text are sent.
        body = build_generation_body(model, parameters, input=text, prompt=text)
        # Not repeatable, as all that makes something: a second request would cost a second time.
        request = self._exchange.request("POST", "/v1/audio", "audio", json=body)
        reply, data = await self._exchange.fetch(
            request,
            max_bytes=self._exchange.config.max_attachment_bytes,
            timeout_seconds=self._exchange.whole_answer_seconds,
        )
        kind = content_type(reply)
        if kind.startswith("audio/"):
            return FileAttached(f"data:{kind};base64,{base64.b64encode(data).decode()}", kind)
        parsed = parse_object(data)
        if parsed is None:
            raise poe_error(ErrorCode.PROTOCOL, "the reply is neither sound nor JSON", operation="audio")
        return parse_files(parsed, operation="audio", content_type="audio/mpeg")[0]

    async def create_video(self, model: str, prompt: str, *, parameters: Mapping[str, Any] = _NOTHING) -> Video:
        """Start a video. Ask for it with `video`, or wait with `wait_for_video`."""
        body = build_generation_body(model, parameters, prompt=prompt)
        return parse_video(await self._make("/v1/videos", "videos.create", body), operation="videos.create")

    async def extend_video(self, video_id: str, prompt: str, *, parameters: Mapping[str, Any] = _NOTHING) -> Video:
        """Start a continuation of a video."""
        # Last, so that no parameter can name another video.
        body = dict(parameters) | {"video": {"id": video_id}, "prompt": prompt}
        return parse_video(await self._make("/v1/videos/extensions", "videos.extend", body), operation="videos.extend")

    async def remix_video(self, video_id: str, prompt: str) -> Video:
        """Start a variation of a video."""
        path = f"/v1/videos/{_segment(video_id)}/remix"
        return parse_video(await self._make(path, "videos.remix", {"prompt": prompt}), operation="videos.remix")

    async def video(self, video_id: str) -> Video:
        """How far a video is."""
        request = self._exchange.request("GET", f"/v1/videos/{_segment(video_id)}", "videos.get")
        return parse_video(await self._exchange.fetch_json(request), operation="videos.get")

    async def wait_for_video(
        self, video_id: str, *, timeout_seconds: float, poll_seconds: float = POLL_SECONDS
    ) -> Video:
        """The video when it is complete. Raises the job's own error when it failed, `timeout` when time is up."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while not (video := await self.video(video_id)).is_terminal:
                    await self._sleep(poll_seconds)
        except TimeoutError as exc:
            raise poe_error(ErrorCode.TIMEOUT, operation="videos.wait") from exc
        if video.error is not None:
            raise video.error
        return video

    async def video_content(self, video_id: str, *, max_bytes: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of a complete video as they arrive. Raises `protocol` beyond `max_bytes`."""
        limit = self._exchange.config.max_attachment_bytes if max_bytes is None else max_bytes
        path = f"/v1/videos/{_segment(video_id)}/content"
        request = self._exchange.request("GET", path, "videos.content")
        async with aclosing(self._exchange.download(request, max_bytes=limit)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _make(self, path: str, operation: str, body: Mapping[str, Any]) -> dict[str, Any]:
        request = self._exchange.request("POST", path, operation, json=body)
        return await self._exchange.fetch_json(request, timeout_seconds=self._exchange.whole_answer_seconds)


def _segment(text: str) -> str:
    """One path segment, whatever `text` holds."""
    # Dots alone would climb to another path when the address is normalised.
    return quote(text, safe="") if text.strip(".") else "-"
