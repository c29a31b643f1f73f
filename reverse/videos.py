"""Videos that Poe makes as jobs of their own: what a client that has them offers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from enum import StrEnum
from typing import Any, Protocol

from lazy_dataclasses import dataclass
from reverse.errors import PoeError


class VideoStatus(StrEnum):
    """Where a video job stands."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Video:
    """A video job. `progress` is in percent; `url` is set where the reply says where the video is."""

    id: str
    status: VideoStatus
    model: str | None = None
    progress: int | None = None
    created_at: float | None = None
    url: str | None = None
    error: PoeError | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the job will not change any more."""
        return self.status in (VideoStatus.COMPLETED, VideoStatus.FAILED)


class VideoJobs(Protocol):
    """The jobs of one account. Every method raises `PoeError`."""

    async def create_video(self, model: str, prompt: str, *, parameters: Mapping[str, Any] = ...) -> Video:
        """Start a video."""

    async def video(self, video_id: str) -> Video:
        """How far a video is."""

    def video_content(self, video_id: str, *, max_bytes: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of a complete video as they arrive. Raises `protocol` beyond `max_bytes`."""
