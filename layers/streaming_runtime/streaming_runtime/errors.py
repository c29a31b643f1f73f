"""What can go wrong in the runtime, as types.

    StreamingRuntimeError
    ├── InitError                               this sandbox cannot serve; reported to /runtime/init/error
    ├── RuntimeApiError                         the Runtime API did something that the loop cannot work with
    │   ├── RuntimeApiUnreachableError          no connection, or it broke before an answer
    │   ├── RuntimeApiMalformedResponseError    what arrived is not HTTP/1.1, or not an invocation
    │   ├── RuntimeApiResponseTooLargeError     what arrived is over the limit
    │   ├── RuntimeApiRefusedError              it answered with an error status
    │   └── ResponseConnectionLostError         the connection of a streamed response broke (also an OSError)
    ├── UnsupportedEventError                   the event is not an HTTP request
    ├── AppProtocolError                        the application broke a rule of ASGI or HTTP
    └── SandboxSpentError                       this process is not fit for another invocation
        ├── AppStuckError                       the application did not end when cancelled
        ├── AppExitedError                      the application ended the process
        └── MemoryExhaustedError                the application ran out of memory

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


class RuntimeApiMalformedResponseError(RuntimeApiError):
    """The Runtime API's answer is not HTTP/1.1, or lacks what an invocation needs."""


class RuntimeApiResponseTooLargeError(RuntimeApiError):
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


class SandboxSpentError(StreamingRuntimeError):
    """This process is not fit for another invocation: it ends with `exit_status`."""

    exit_status = 1


class AppStuckError(SandboxSpentError):
    """The application still runs although it was cancelled and had its time to clean up."""

    error_type = "Runtime.AppStuck"


class AppExitedError(SandboxSpentError):
    """The application called `sys.exit`, or was interrupted; `exit_status` is what it asked for."""

    error_type = "Runtime.ExitError"

    def __init__(self, error: BaseException) -> None:
        code = getattr(error, "code", 1)
        shown = code if code is None or isinstance(code, int) else "a message"
        super().__init__(f"The application ended the process: {type(error).__name__}({shown}).")
        self.exit_status = 0 if code is None else code if isinstance(code, int) else 1


class MemoryExhaustedError(SandboxSpentError):
    """The application met a MemoryError: what else it could not finish is unknown."""

    error_type = "Runtime.OutOfMemory"
