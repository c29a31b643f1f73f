"""The environment, read once: what Lambda sets, and the settings of this runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from streaming_runtime.errors import InitError
from streaming_runtime.event_loop import LoopChoice

PREFIX = "STREAMING_RUNTIME_"
MAX_PORT = 65535

Choice = TypeVar("Choice", bound=StrEnum)


class ResponseForm(StrEnum):
    """How responses are sent."""

    # By the event: Function URLs get a stream, everything else Mangum's ordinary answer.
    AUTO = "auto"
    # Always a stream: for API Gateway's streaming integration.
    STREAMING = "streaming"
    # Never a stream: for a Function URL whose invoke mode is BUFFERED.
    BUFFERED = "buffered"


@dataclass(frozen=True, slots=True)
class Address:
    """Where the Runtime API listens."""

    host: str
    port: int

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Address":
        """Read `AWS_LAMBDA_RUNTIME_API` (`host:port`; the port defaults to 80). Raises InitError."""
        name = "AWS_LAMBDA_RUNTIME_API"
        value = environ.get(name, "")
        host, colon, port = value.rpartition(":")
        if not colon or value.endswith("]"):
            host, port = value, "80"
        if not host or not (port.isascii() and port.isdigit() and 0 < int(port) <= MAX_PORT):
            raise _invalid(name, value, "host:port, as Lambda sets it")
        return cls(host.strip("[]"), int(port))

    @property
    def authority(self) -> str:
        """For the Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class FunctionIdentity:
    """What Lambda tells about the function, for the context object."""

    name: str = ""
    version: str = ""
    memory_limit_in_mb: int = 0
    log_group_name: str = ""
    log_stream_name: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """All that configures one sandbox."""

    address: Address
    # `module.attribute` of an ASGI application or a Mangum instance.
    handler: str
    # The folder that holds the function's code.
    task_root: Path
    # The folder with AWS's own packages (boto3), where there is one.
    runtime_dir: Path | None = None
    function: FunctionIdentity = FunctionIdentity()
    # How responses are sent. `auto` decides by the event: a Function URL gets a stream, everything else an ordinary
    # answer. `streaming` is for API Gateway's streaming integration, `buffered` for a Function URL that buffers.
    response_form: ResponseForm = ResponseForm.AUTO
    # The event loop. `auto` takes uvloop if the function brings it, otherwise asyncio's own.
    loop: LoopChoice = LoopChoice.AUTO
    # How long before the deadline the application is cancelled. Two thirds of it are for the application's
    # cleanup, a third for the end of the response. 1.5 s lets a handful of DynamoDB writes and one retry
    # through.
    deadline_margin_seconds: float = 1.5
    # How long cleanup may take after SIGTERM. Lambda sends SIGKILL 2 s after it, or sooner without
    # extensions.
    shutdown_seconds: float = 1.5

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
            loop=_choice(environ, "LOOP", LoopChoice.AUTO),
            deadline_margin_seconds=_milliseconds(environ, "DEADLINE_MARGIN_MS", default=1500, most=60_000) / 1000,
            shutdown_seconds=_milliseconds(environ, "SHUTDOWN_MS", default=1500, most=10_000) / 1000,
        )


def _function(environ: Mapping[str, str]) -> FunctionIdentity:
    memory = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    return FunctionIdentity(
        name=environ.get("AWS_LAMBDA_FUNCTION_NAME", ""),
        version=environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
        memory_limit_in_mb=int(memory) if memory.isascii() and memory.isdigit() else 0,
        log_group_name=environ.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
        log_stream_name=environ.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
    )


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
