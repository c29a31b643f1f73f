"""An account's realtime channel: numbered frames, a replay buffer and listening sockets.

Source: docs/reference/poe-web.md#channel.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import string
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Ends a socket: without any close frame if `abrupt`, otherwise with close code 1001."""

    abrupt: bool = True


@dataclass(frozen=True, slots=True)
class RawBytes:
    """Bytes for the TCP stream that are no WebSocket frame."""

    data: bytes


OutFrame = str | bytes | RawBytes | Disconnect
"""What a socket sends: a text frame, a binary frame, stray bytes, or its own end."""

_MISSED = json.dumps({"error": "missed_messages"}, separators=(",", ":"))


class Socket:
    """One listener of a channel. Its owner takes frames from `outgoing` and writes them to the network, in order."""

    def __init__(self, limit: int) -> None:
        self.outgoing: asyncio.Queue[OutFrame] = asyncio.Queue(limit)
        self.deaf = False  # after missed_messages a socket gets no further events, as nothing could be made of them

    def push(self, frame: OutFrame) -> None:
        """Queue a frame; a listener that is too slow to read is disconnected."""
        try:
            self.outgoing.put_nowait(frame)
        except asyncio.QueueFull:
            while not self.outgoing.empty():
                self.outgoing.get_nowait()
            self.outgoing.put_nowait(Disconnect())


def event(name: str, chat_id: int, data: Json) -> str:
    """The JSON text of one subscription update, as it stands inside a frame's `messages`."""
    payload: Json = {"subscription_name": name, "unique_id": f"{name}:{chat_id}", "data": {name: data}}
    return json.dumps(
        {"message_type": "subscriptionUpdate", "payload": payload}, ensure_ascii=False, separators=(",", ":")
    )


REFETCH_EVENT = json.dumps({"message_type": "refetchChannel"}, separators=(",", ":"))


@dataclass(slots=True)
class Channel:
    """The state of one channel. `sequence` is the number of the last frame; frames are numbered without gaps."""

    replay_frames: int = 512
    sequence: int = 4_800_000_000
    box: str = ""
    name: str = ""
    hash: str = ""
    subscriptions: set[str] = field(default_factory=set)
    sockets: set[Socket] = field(default_factory=set)
    refusals: int = 0  # so many of the next handshakes are refused
    _kept: deque[tuple[int, str]] = field(default_factory=deque)
    _oldest: int = 0  # frames up to this number cannot be replayed

    def __post_init__(self) -> None:
        self._oldest = self.sequence
        if not self.name:
            self.rename()

    def rename(self) -> None:
        """Take a new name, hash and box: who knows the old ones has to fetch the settings and subscribe again."""
        number = f"chan{secrets.randbelow(100) + 50}-8888"
        letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(20))
        self.box, self.name = number, f"poe-{number}-{letters}"
        self.hash = str(secrets.randbelow(9 * 10**19) + 10**19)
        self.subscriptions.clear()
        self.forget()

    def settings(self, base_host: str) -> dict[str, str | bool]:
        """`tchannelData` as of now: a client that connects with it gets every later frame."""
        return {
            "minSeq": str(self.sequence),
            "channel": self.name,
            "channelHash": self.hash,
            "boxName": self.box,
            "baseHost": base_host,
            "targetUrl": f"/up/{self.box}/updates",
            "enableWebsocket": True,
        }

    def publish(self, events: list[str]) -> int:
        """Send events in one frame to all sockets, keep it for replay, and return its number."""
        self.sequence += 1
        frame = json.dumps({"messages": events, "min_seq": self.sequence}, ensure_ascii=False, separators=(",", ":"))
        self._kept.append((self.sequence, frame))
        if len(self._kept) > self.replay_frames:
            self._oldest, _ = self._kept.popleft()
        for socket in self.sockets:
            if not socket.deaf:
                socket.push(frame)
        return self.sequence

    def push(self, frame: OutFrame) -> None:
        """Send something unnumbered to the sockets that are connected now."""
        for socket in tuple(self.sockets):
            socket.push(frame)

    def skip(self) -> int:
        """Number a frame that is lost before anyone sees it."""
        self.sequence += 1
        return self.sequence

    def forget(self) -> None:
        """Empty the replay buffer: older sequence numbers are too old from now on."""
        self._kept.clear()
        self._oldest = self.sequence

    def attach(self, min_seq: int | None) -> Socket:
        """A new listener, who first gets every kept frame after `min_seq` (None: only what comes).

        If frames after `min_seq` are gone, it gets `missed_messages` and nothing else.
        """
        socket = Socket(limit=self.replay_frames * 4)
        if min_seq is not None and min_seq < self._oldest:
            socket.deaf = True
            socket.push(_MISSED)
        else:
            for number, frame in self._kept:
                if min_seq is not None and number > min_seq:
                    socket.push(frame)
        self.sockets.add(socket)
        return socket

    def detach(self, socket: Socket) -> None:
        """Forget a listener."""
        self.sockets.discard(socket)

    def lose_history(self) -> None:
        """Tell every listener that messages were missed, and replay nothing older than now."""
        self.forget()
        self.push(_MISSED)
        for socket in self.sockets:
            socket.deaf = True

    def refetch(self) -> None:
        """Tell every listener to fetch new channel settings, and move to them."""
        self.publish([REFETCH_EVENT])
        for socket in self.sockets:
            socket.deaf = True
        self.rename()

    def cut(self, how: Literal["abrupt", "close"], refuse: int = 0) -> None:
        """Disconnect every listener and refuse the next `refuse` handshakes."""
        self.refusals += refuse
        self.push(Disconnect(abrupt=how == "abrupt"))
        self.sockets.clear()
