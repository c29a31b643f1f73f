"""The pieces of a streamed answer, before faults and pace are applied."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Part(StrEnum):
    """What a frame is for, which is what faults select by."""

    OPENING = "opening"
    CONTENT = "content"
    FINISH = "finish"
    USAGE = "usage"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event, as it goes over the wire."""

    part: Part
    data: bytes


def data_frame(part: Part, value: Any, event: str | None = None) -> Frame:
    """A frame with JSON (or, for a string, plain) data and an optional event name."""
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    name = f"event: {event}\n" if event else ""
    return Frame(part, f"{name}data: {text}\n\n".encode())
