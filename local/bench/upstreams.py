"""The upstreams of a measurement: how their pace is set, and when each piece was sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from local.bench.measure import TextChunk
from local.bench.surroundings import Surroundings


class Upstream(Protocol):
    """What a way to serve streams gets its pieces from."""

    async def set_pace(self, seconds: float) -> None:
        """Let the pieces of later answers be so far apart."""

    async def delays(self, chunks: Sequence[TextChunk], since: float) -> list[float]:
        """Seconds from a piece's departure to its arrival, of the only stream asked for after `since`.

        A chunk of several pieces counts once, from the departure of the last of them.
        """


@dataclass(frozen=True, slots=True)
class WebUpstream:
    """The simulator of Poe's web API, over its WebSocket."""

    around: Surroundings

    async def set_pace(self, seconds: float) -> None:
        await self.around.web_simulator("settings", pace_seconds=seconds)

    async def delays(self, chunks: Sequence[TextChunk], since: float) -> list[float]:
        sent = await self.around.web_simulator(f"sent?since={since}")
        told = {record["text_length"]: record["time"] for record in reversed(sent) if record["text_length"]}
        lengths = accumulate(len(chunk.text) for chunk in chunks)
        return [chunk.time - told[length] for chunk, length in zip(chunks, lengths, strict=True) if length in told]


@dataclass(frozen=True, slots=True)
class OfficialUpstream:
    """The simulator of Poe's documented API, over HTTP; its pieces are words."""

    around: Surroundings

    async def set_pace(self, seconds: float) -> None:
        await self.around.official_simulator("settings", pace_seconds=seconds)

    async def delays(self, chunks: Sequence[TextChunk], since: float) -> list[float]:
        sent = await self.around.official_simulator(f"sent?since={since}")
        return delays_of_words(chunks, [frame["time"] for frame in sent if frame["part"] == "content"])


def delays_of_words(chunks: Sequence[TextChunk], sent: Sequence[float]) -> list[float]:
    """The n-th word was sent at the n-th of these times. Raises `RuntimeError` unless as many came as were sent."""
    words = list(accumulate(len(chunk.text.split()) for chunk in chunks))
    if not words or words[-1] != len(sent):
        raise RuntimeError(f"{words[-1] if words else 0} pieces came, {len(sent)} were sent")
    return [chunk.time - sent[count - 1] for chunk, count in zip(chunks, words, strict=True)]
