"""Faults of a request, and faults in the middle of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from local.poe_official.frames import Frame, Part, data_frame


@dataclass(frozen=True, slots=True)
class RequestFault:
    """Happens in place of the answer, or before it."""


@dataclass(frozen=True, slots=True)
class StreamFault:
    """Changes an answer on its way."""

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """The frames under this fault; most faults act when a frame's turn comes instead."""
        return frames


@dataclass(frozen=True, slots=True)
class HttpError(RequestFault):
    """A status in place of an answer.

    `kind` (the error's `type` on the wire), `code` and `param` make an error body, without those that are not given;
    without a kind the body is `body` as it stands. `code` may be a number or a string, as both are documented.
    """

    status: int = 500
    kind: str | None = None
    code: int | str | None = None
    message: str = "simulated failure"
    param: str | None = None
    retry_after: float | None = None
    body: str = ""
    content_type: str = "text/plain"


@dataclass(frozen=True, slots=True)
class ChallengePage(RequestFault):
    """403 with a page that wants JavaScript, marked as the edge network marks it."""


@dataclass(frozen=True, slots=True)
class EmptyBody(RequestFault):
    """200 and nothing in it."""


@dataclass(frozen=True, slots=True)
class WrongJson(RequestFault):
    """200 and a body that is not what belongs there, or not JSON at all."""

    body: str = '{"unexpected":true}'


@dataclass(frozen=True, slots=True)
class DropConnection(RequestFault):
    """The connection is reset before an answer; with `charged` the answer was made and paid for, and is lost."""

    charged: bool = False


@dataclass(frozen=True, slots=True)
class HangRequest(RequestFault):
    """The request is never answered."""


@dataclass(frozen=True, slots=True)
class DelayResponse(RequestFault):
    """The right answer, `seconds` late."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class NoPoints(RequestFault):
    """The account has no points left from now on."""


@dataclass(frozen=True, slots=True)
class CutSocket(StreamFault):
    """The connection is reset after `at` frames."""

    at: int = 1


@dataclass(frozen=True, slots=True)
class CloseEarly(StreamFault):
    """The answer ends properly on the wire after `at` frames, although it is not complete."""

    at: int = 1

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """Only the first frames."""
        return frames[: self.at]


@dataclass(frozen=True, slots=True)
class StallStream(StreamFault):
    """Nothing is sent after `at` frames, for `seconds`; then it goes on."""

    at: int = 1
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class PingOnly(StreamFault):
    """After `at` frames only comments are sent, every `interval_seconds`, without end."""

    at: int = 1
    interval_seconds: float = 0.05


@dataclass(frozen=True, slots=True)
class ErrorEvent(StreamFault):
    """An error in mid-stream, after `at` frames, and nothing after it."""

    at: int = 1
    kind: str = "provider_error"
    code: int | str | None = 500
    message: str = "simulated failure"


@dataclass(frozen=True, slots=True)
class PointsRunOut(StreamFault):
    """The points are used up in mid-stream, after `at` frames."""

    at: int = 1


@dataclass(frozen=True, slots=True)
class GarbageFrame(StreamFault):
    """A frame that is not JSON, after `at` frames; the answer goes on after it."""

    at: int = 1
    data: str = "{not json"

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """With the frame in its place."""
        return [*frames[: self.at], data_frame(Part.CONTENT, self.data), *frames[self.at :]]


@dataclass(frozen=True, slots=True)
class MissingFinish(StreamFault):
    """The frame that says why the answer ends is lost, and all after it."""

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """Up to the finish."""
        return [frame for frame in frames if frame.part in (Part.OPENING, Part.CONTENT)]


@dataclass(frozen=True, slots=True)
class MissingDone(StreamFault):
    """The end mark is lost."""

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """Without it."""
        return [frame for frame in frames if frame.part is not Part.DONE]


@dataclass(frozen=True, slots=True)
class MissingUsage(StreamFault):
    """The usage is lost."""

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """Without it."""
        return [frame for frame in frames if frame.part is not Part.USAGE]


@dataclass(frozen=True, slots=True)
class SplitBytes(StreamFault):
    """The stream is written `size` bytes at a time, wherever that cuts."""

    size: int = 3

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """Cut anew."""
        data = b"".join(frame.data for frame in frames)
        return [Frame(Part.CONTENT, data[at : at + self.size]) for at in range(0, len(data), self.size)]


@dataclass(frozen=True, slots=True)
class JoinFrames(StreamFault):
    """Frames arrive `size` at a time."""

    size: int = 4

    def shape(self, frames: list[Frame]) -> list[Frame]:
        """Joined."""
        return [
            Frame(frames[at].part, b"".join(frame.data for frame in frames[at : at + self.size]))
            for at in range(0, len(frames), self.size)
        ]


Fault = RequestFault | StreamFault
FAULTS: tuple[type[Fault], ...] = (
    HttpError,
    ChallengePage,
    EmptyBody,
    WrongJson,
    DropConnection,
    HangRequest,
    DelayResponse,
    NoPoints,
    CutSocket,
    CloseEarly,
    StallStream,
    PingOnly,
    ErrorEvent,
    PointsRunOut,
    GarbageFrame,
    MissingFinish,
    MissingDone,
    MissingUsage,
    SplitBytes,
    JoinFrames,
)
