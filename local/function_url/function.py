"""The emulator's description of a function, and its report about each invocation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from local.function_url.cors import Cors

MAX_EVENT_BYTES = 6_291_556
"""Largest event of a synchronous invocation: 6 MB and a little, as Lambda's own message says."""
MAX_BUFFERED_BYTES = 6_291_556
MAX_STREAMED_BYTES = 200 * 1024 * 1024


class InvokeMode(StrEnum):
    """`InvokeMode` of the function's URL."""

    BUFFERED = "BUFFERED"
    RESPONSE_STREAM = "RESPONSE_STREAM"


class Door(StrEnum):
    """What invokes the function for an HTTP request; it decides the form of the event."""

    FUNCTION_URL = "FUNCTION_URL"
    REST_API = "REST_API"
    """A proxy integration of an API Gateway REST API; with `RESPONSE_STREAM`, one whose transfer mode is `STREAM`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function and its URL, or its API, as a template would describe them."""

    name: str
    handler: str
    command: Sequence[str]
    """How its runtime is started, e.g. `(exec_wrapper, python, bootstrap)`."""
    task_root: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """All the sandbox gets besides Lambda's own variables: like there, nothing is inherited."""
    memory_mb: int = 512
    timeout_seconds: float = 300.0
    init_timeout_seconds: float = 10.0
    region: str = "us-east-1"
    account_id: str = "123456789012"
    url_id: str = "localpoegatewaylocalpoegateway00"
    invoke_mode: InvokeMode = InvokeMode.RESPONSE_STREAM
    door: Door = Door.FUNCTION_URL
    cors: Cors | None = None
    log: Path | None = None
    """File that takes what sandboxes print, with START, END and REPORT lines; `None` leaves them this process's."""

    @property
    def arn(self) -> str:
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.name}"

    @property
    def domain(self) -> str:
        if self.door is Door.REST_API:
            return f"{self.url_id[:10]}.execute-api.{self.region}.amazonaws.com"
        return f"{self.url_id}.lambda-url.{self.region}.on.aws"

    def sandbox_environment(self, runtime_api: str, log_stream: str) -> dict[str, str]:
        """The variables a sandbox starts with: Lambda's reserved ones over the function's own."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            **self.environment,
            "_HANDLER": self.handler,
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
        }


class InvocationOutcome(StrEnum):
    """How an invocation ended."""

    SUCCESS = "success"
    ERROR = "error"
    """The function reported an error, before its answer or in the middle of it, or answered with nonsense."""
    TIMEOUT = "timeout"
    """The deadline passed and the sandbox was killed."""
    CRASHED = "crashed"
    """The sandbox died."""
    TOO_LARGE = "too_large"
    """The answer passed the size limit and was cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What Lambda writes on its REPORT line."""

    request_id: str
    outcome: InvocationOutcome
    duration_ms: float
    init_ms: float | None
    """Of the cold start that this invocation waited for; `None` for a warm one."""
    max_memory_mb: int | None
    """Peak of the sandbox since its start; `None` where /proc does not say."""
    pid: int

    @property
    def billed_ms(self) -> int:
        """Duration and init phase, rounded up to a millisecond (init is billed since August 2025)."""
        return math.ceil(self.duration_ms + (self.init_ms or 0.0))

    def line(self, memory_mb: int) -> str:
        fields = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {self.billed_ms} ms",
            f"Memory Size: {memory_mb} MB",
        ]
        if self.max_memory_mb is not None:
            fields.append(f"Max Memory Used: {self.max_memory_mb} MB")
        if self.init_ms is not None:
            fields.append(f"Init Duration: {self.init_ms:.2f} ms")
        if self.outcome is not InvocationOutcome.SUCCESS:
            fields.append(f"Status: {self.outcome}")
        return "\t".join(fields)
