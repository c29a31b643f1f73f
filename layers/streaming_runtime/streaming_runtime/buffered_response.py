"""A response kept in memory and sent as Mangum's ordinary answer: for events not from a Function URL."""

import json

from mangum.types import LambdaHandler

from streaming_runtime.errors import AppProtocolError
from streaming_runtime.failures import Failure
from streaming_runtime.response_head import ResponseHead

# Lambda takes no longer buffered answers.
MAX_BODY_BYTES = 6 * 1024 * 1024


class BufferedResponse:
    """A sink that keeps everything until the application has ended."""

    is_full = False

    def __init__(self) -> None:
        self._head: ResponseHead | None = None
        self._parts: list[bytes] = []
        self._size = 0

    async def open(self, head: ResponseHead, first: bytes) -> None:
        """Begin, or begin anew."""
        self._head = head
        self._parts, self._size = [], 0
        self.write(first)

    def write(self, data: bytes) -> None:
        """Keep bytes of the body. Raises AppProtocolError when it becomes longer than Lambda takes."""
        self._size += len(data)
        if self._size > MAX_BODY_BYTES:
            raise AppProtocolError(f"a buffered response is limited to {MAX_BODY_BYTES} bytes")
        self._parts.append(data)

    async def drain(self) -> None:
        """Never needed: this sink is never full."""

    def finish(self, data: bytes) -> None:
        """Keep the last bytes."""
        self.write(data)

    def fail(self, last_words: bytes, failure: Failure) -> None:  # noqa: ARG002 - nobody has read anything yet
        """Forget what was kept: a half response is worth less than a clean error."""
        body = failure.to_caller()
        self._head = ResponseHead(failure.status, ((b"content-type", b"application/json"),))
        self._parts = [body]

    def encode(self, adapter: LambdaHandler) -> bytes:
        """The answer as the JSON document that the event's sender expects. Raises whatever the adapter raises."""
        if self._head is None:  # pragma: no cover - the cycle opens a sink before it ends
            raise AppProtocolError("there is no response")
        headers = [list(pair) for pair in self._head.headers]
        document = adapter({"status": self._head.status, "headers": headers, "body": b"".join(self._parts)})
        return json.dumps(document).encode()
