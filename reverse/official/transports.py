"""Which of two transports carries a request.

Requests with a JSON body, and those without a body, go over `StreamTransport`: it costs least for an answer in many
small pieces, and for a reading beside many others (httpx's pool looks through all of its connections at each request).
Forms and uploads go over httpx, which is loaded when it is first needed. Both do the same in every case of
`tests/reverse/official/test_transports.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from reverse.config import PoeConfig
from reverse.wire.transport import OutgoingRequest, StreamedReply, Transport

if TYPE_CHECKING:
    from reverse.wire.stream_transport import StreamTransport


class OfficialTransport:
    """Both transports, each with its own connections; a `Transport` itself."""

    def __init__(self, config: PoeConfig, *, wall_clock: Callable[[], float] = time.time) -> None:
        self._config = config
        self._wall_clock = wall_clock
        self._streams: StreamTransport | None = None
        self._others: Transport | None = None

    def open(self, request: OutgoingRequest, *, timeout_seconds: float) -> AbstractAsyncContextManager[StreamedReply]:
        """See `Transport.open`."""
        is_form = request.form is not None or request.file is not None
        transport = self._for_others() if is_form else self._for_streams()
        return transport.open(request, timeout_seconds=timeout_seconds)

    def prepare(self) -> None:
        """Begin to open a connection for the next question, unless there is one. Never raises, nobody has to wait."""
        self._for_streams().prepare(self._config.official_base_url)

    async def connect(self) -> None:
        """Open a connection for a later question. Never raises."""
        await self._for_streams().connect(self._config.official_base_url)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        for transport in (self._streams, self._others):
            if transport is not None:
                await transport.aclose()

    def _for_streams(self) -> StreamTransport:
        if self._streams is None:
            from reverse.wire.stream_transport import StreamTransport

            self._streams = StreamTransport(self._config, wall_clock=self._wall_clock)
        return self._streams

    def _for_others(self) -> Transport:
        if self._others is None:
            from reverse.official.httpx_transport import HttpxTransport  # most sandboxes never need httpx

            self._others = HttpxTransport(self._config, wall_clock=self._wall_clock)
        return self._others
