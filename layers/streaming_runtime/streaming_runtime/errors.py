"""What can go wrong in the runtime, as types.

    StreamingRuntimeError
    ├── InitError                           this sandbox cannot serve; reported to /runtime/init/error
    ├── RuntimeApiError                     the Runtime API did something that the loop cannot work with
    │   ├── RuntimeApiUnreachableError      no connection, or it broke before an answer
    │   ├── MalformedAnswerError            what arrived is not HTTP/1.1, or not an invocation
    │   ├── AnswerTooLargeError             what arrived is over the limit
    │   ├── RuntimeApiRefusedError          it answered with an error status
    │   └── ResponseConnectionLostError     the connection of a streamed response broke (also an OSError)
    ├── UnsupportedEventError               the event is not an HTTP request
    ├── AppProtocolError                    the application broke a rule of ASGI or HTTP
    └── AppStuckError                       the application did not end when cancelled

`error_type` is the string that Lambda records. No message contains anything that the caller or the
application sent.
"""


class StreamingRuntimeError(Exception):
    """Anything this package raises."""

    error_type = "Runtime.Unknown"


class InitError(StreamingRuntimeError):
    """The sandbox cannot serve; `error_type` is Lambda's name for the reason."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class RuntimeApiError(StreamingRuntimeError):
    """The Runtime API did something that the loop cannot work with."""

    error_type = "Runtime.ApiError"


class RuntimeApiUnreachableError(RuntimeApiError):
    """No connection to the Runtime API, or it broke before the answer was complete."""


class MalformedAnswerError(RuntimeApiError):
    """The Runtime API's answer is not HTTP/1.1, or lacks what an invocation needs."""


class AnswerTooLargeError(RuntimeApiError):
    """The Runtime API's answer is over the limit."""


class RuntimeApiRefusedError(RuntimeApiError):
    """The Runtime API answered with an error status."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"the Runtime API answered {status} to {what}")
        self.status = status


class ResponseConnectionLostError(RuntimeApiError, ConnectionError):
    """The connection that carries a streamed response broke: raised by ASGI `send`, as an OSError."""


class UnsupportedEventError(StreamingRuntimeError):
    """The event is not an HTTP request that Mangum knows."""

    error_type = "Runtime.UnsupportedEvent"


class AppProtocolError(StreamingRuntimeError):
    """The application broke a rule of ASGI or HTTP: raised by ASGI `send`."""

    error_type = "Runtime.InvalidResponse"


class AppStuckError(StreamingRuntimeError):
    """The application still runs although it was cancelled and had its time to clean up.

    The sandbox is not fit for another invocation.
    """

    error_type = "Runtime.AppStuck"
