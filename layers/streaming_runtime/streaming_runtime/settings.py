"""The environment, read once: what Lambda sets, and the settings of this runtime."""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, TypeVar

from streaming_runtime.errors import InitError
from streaming_runtime.event_loop import LoopChoice

PREFIX = "STREAMING_RUNTIME_"
MAX_PORT = 65535
# Far more than Lambda Managed Instances allow, and no more connections than a process may open.
MAX_CONCURRENCY = 10_000
# A week: no function may run that long.
MAX_TIMEOUT_SECONDS = 7 * 24 * 3600

_PATH = r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*"

Choice = TypeVar("Choice", bound=StrEnum)


class ResponseForm(StrEnum):
    """How responses are sent."""

    # By the event: Function URLs get a stream, REST APIs what `RestForm` says, all others Mangum's ordinary answer.
    AUTO = "auto"
    # Always a stream.
    STREAMING = "streaming"
    # Never a stream: for a Function URL whose invoke mode is BUFFERED.
    BUFFERED = "buffered"


class RestForm(StrEnum):
    """How events of an API Gateway REST API are answered: they do not say which its integration expects."""

    # For the integration's `responseTransferMode: BUFFERED`, its default.
    BUFFERED = "buffered"
    # For `responseTransferMode: STREAM`.
    STREAMING = "streaming"


class Exceptions(StrEnum):
    """Whether the text of an application's exception is logged and reported."""

    # As AWS's client does.
    SHOW = "show"
    # Types and places only: for an application whose exceptions may quote what users sent.
    HIDE = "hide"


class Failures(StrEnum):
    """What becomes of a failure before the response has started."""

    # A response with status 500, 503 or 504. For Lambda the invocation succeeded.
    RESPOND = "respond"
    # An error of the invocation, as with AWS's client: Lambda counts it, and answers 502.
    REPORT = "report"


class Address(NamedTuple):
    """Where the Runtime API listens."""

    host: str
    port: int
    # What precedes the API's own paths; emulators that serve several functions have one.
    path: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Address":
        """Read `AWS_LAMBDA_RUNTIME_API`: `host[:port][/path]`; the port defaults to 80. Raises InitError."""
        name = "AWS_LAMBDA_RUNTIME_API"
        value = environ.get(name, "")
        # cargo-lambda names the scheme, too, which can only be this one.
        authority, slash, path = value.removeprefix("http://").partition("/")
        host, colon, port = authority.rpartition(":")
        if not colon or authority.endswith("]"):
            host, port = authority, "80"
        is_port = port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT
        if not host or not is_port or (path and re.fullmatch(_PATH, path) is None):
            raise _invalid(name, value, "host:port, as Lambda sets it, or host:port/path")
        return cls(host.strip("[]"), int(port), (slash + path).rstrip("/"))

    @property
    def authority(self) -> str:
        """For the Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class FunctionIdentity(NamedTuple):
    """What Lambda tells about the function, for the context object. None is what it does not tell."""

    name: str | None = None
    version: str | None = None
    # Text, as in AWS's context object.
    memory_limit_in_mb: str | None = None
    log_group_name: str | None = None
    log_stream_name: str | None = None
    # Only `sam local` and other emulators tell it.
    timeout_seconds: float | None = None


class Settings(NamedTuple):
    """All that configures one sandbox."""

    address: Address
    # `module.attribute` of an ASGI application or a Mangum instance.
    handler: str
    # The folder that holds the function's code.
    task_root: Path
    # The folder with AWS's own packages (boto3), where there is one.
    runtime_dir: Path | None = None
    function: FunctionIdentity = FunctionIdentity()
    # How responses are sent. `auto` decides by the event: a Function URL gets a stream, a REST API what the next
    # setting says, everything else an ordinary answer. `streaming` and `buffered` force one: a Function URL that
    # buffers needs `buffered`.
    response_form: ResponseForm = ResponseForm.AUTO
    # How events of an API Gateway REST API are answered; they do not say themselves. `streaming` is for an integration
    # with `responseTransferMode: STREAM`.
    rest_form: RestForm = RestForm.BUFFERED
    # Whether the text of an application's exception is logged and reported, as AWS's client does (`show`), or only its
    # type and places (`hide`): for an application whose exceptions may quote what users sent. Callers never read it.
    exceptions: Exceptions = Exceptions.SHOW
    # What becomes of a failure before the response has started: a response with status 500, 503 or 504, so that for
    # Lambda the invocation succeeded (`respond`), or an error of the invocation, which Lambda counts and answers with
    # 502 (`report`).
    failures: Failures = Failures.RESPOND
    # The event loop. `auto` takes uvloop if the function brings it, otherwise asyncio's own.
    loop: LoopChoice = LoopChoice.AUTO
    # How long before the deadline the application is cancelled. Two thirds of it are for the application's
    # cleanup, a third for the end of the response. 1.5 s lets a handful of DynamoDB writes and one retry
    # through.
    deadline_margin_seconds: float = 1.5
    # How long cleanup may take after SIGTERM. Lambda sends SIGKILL 2 s after it, or sooner without
    # extensions.
    shutdown_seconds: float = 1.5
    # How long the application's lifespan may take to start; then it counts as unsupported, and the application is
    # served without. Lambda's init phase has 10 s.
    lifespan_seconds: float = 8.0
    # How many invocations may run at once: more than one on Lambda Managed Instances only.
    concurrency: int = 1

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read and validate. Raises InitError, naming the variable, the value and what is allowed."""
        if environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            raise InitError("Runtime.SnapStartUnsupported", "SnapStart is not supported: turn it off")
        runtime_dir = environ.get("LAMBDA_RUNTIME_DIR")
        return cls(
            address=Address.from_environ(environ),
            handler=environ.get("_HANDLER", ""),
            task_root=Path(environ.get("LAMBDA_TASK_ROOT") or "."),
            runtime_dir=Path(runtime_dir) if runtime_dir else None,
            function=_function(environ),
            response_form=_choice(environ, "RESPONSE_FORM", ResponseForm.AUTO),
            rest_form=_choice(environ, "REST_FORM", RestForm.BUFFERED),
            exceptions=_choice(environ, "EXCEPTIONS", Exceptions.SHOW),
            failures=_choice(environ, "FAILURES", Failures.RESPOND),
            loop=_choice(environ, "LOOP", LoopChoice.AUTO),
            deadline_margin_seconds=_milliseconds(environ, "DEADLINE_MARGIN_MS", default=1500, most=60_000) / 1000,
            shutdown_seconds=_milliseconds(environ, "SHUTDOWN_MS", default=1500, most=10_000) / 1000,
            lifespan_seconds=_milliseconds(environ, "LIFESPAN_MS", default=8000, most=900_000) / 1000,
            concurrency=_concurrency(environ),
        )

    @property
    def hides_exceptions(self) -> bool:
        """Whether exceptions are described by type and places only."""
        return self.exceptions is Exceptions.HIDE


def _function(environ: Mapping[str, str]) -> FunctionIdentity:
    timeout = environ.get("AWS_LAMBDA_FUNCTION_TIMEOUT", "")
    is_number = timeout.isascii() and timeout.isdigit() and 0 < int(timeout) <= MAX_TIMEOUT_SECONDS
    return FunctionIdentity(
        name=environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        version=environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        memory_limit_in_mb=environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        log_group_name=environ.get("AWS_LAMBDA_LOG_GROUP_NAME"),
        log_stream_name=environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        timeout_seconds=float(timeout) if is_number else None,
    )


def _concurrency(environ: Mapping[str, str]) -> int:
    """What Lambda Managed Instances set; nothing is set elsewhere, and then it is 1."""
    name = "AWS_LAMBDA_MAX_CONCURRENCY"
    value = environ.get(name, "1")
    if not (value.isascii() and value.isdigit() and 0 < int(value) <= MAX_CONCURRENCY):
        raise _invalid(name, value, f"a whole number from 1 to {MAX_CONCURRENCY}")
    return int(value)


def _choice(environ: Mapping[str, str], suffix: str, default: Choice) -> Choice:
    name = PREFIX + suffix
    value = environ.get(name) or default
    try:
        return type(default)(value)
    except ValueError:
        raise _invalid(name, value, "one of " + ", ".join(type(default))) from None


def _milliseconds(environ: Mapping[str, str], suffix: str, *, default: int, most: int) -> int:
    name = PREFIX + suffix
    value = environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and int(value) <= most):
        raise _invalid(name, value, f"a whole number of milliseconds from 0 to {most}")
    return int(value)


def _invalid(name: str, value: str, allowed: str) -> InitError:
    return InitError("Runtime.InvalidSetting", f"{name}={value!r} is not valid: it must be {allowed}")
