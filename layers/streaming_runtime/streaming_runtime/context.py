"""The Lambda context object, with the attributes that AWS documents for Python."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from streaming_runtime.runtime_api import Invocation
from streaming_runtime.settings import FunctionIdentity


@dataclass(frozen=True, slots=True)
class CognitoIdentity:
    """Who invoked through a mobile SDK; both are None otherwise."""

    cognito_identity_id: str | None = None
    cognito_identity_pool_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What a mobile SDK sent along."""

    client: dict[str, Any] = field(default_factory=dict, repr=False)
    custom: dict[str, Any] = field(default_factory=dict, repr=False)
    env: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class LambdaContext:
    """One invocation as the application sees it, in `scope["aws.context"]`."""

    function_name: str
    function_version: str
    invoked_function_arn: str
    memory_limit_in_mb: int
    aws_request_id: str
    log_group_name: str
    log_stream_name: str
    identity: CognitoIdentity
    client_context: ClientContext | None
    # Milliseconds since the epoch, as Lambda gives it.
    deadline_ms: int
    # Seconds since the epoch.
    clock: Callable[[], float] = field(default=time.time, repr=False)

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation, never negative."""
        return max(0, self.deadline_ms - int(self.clock() * 1000))


def build_context(invocation: Invocation, function: FunctionIdentity) -> LambdaContext:
    """Join what is known of the function with what came with the invocation."""
    identity = _mapping(invocation.cognito_identity)
    client_context = _mapping(invocation.client_context)
    return LambdaContext(
        function_name=function.name,
        function_version=function.version,
        invoked_function_arn=invocation.function_arn,
        memory_limit_in_mb=function.memory_limit_in_mb,
        aws_request_id=invocation.request_id,
        log_group_name=function.log_group_name,
        log_stream_name=function.log_stream_name,
        identity=CognitoIdentity(identity.get("cognitoIdentityId"), identity.get("cognitoIdentityPoolId")),
        client_context=_client_context(client_context) if client_context else None,
        deadline_ms=invocation.deadline_ms,
    )


def _client_context(document: dict[str, Any]) -> ClientContext:
    return ClientContext(**{key: _mapping(document.get(key)) for key in ("client", "custom", "env")})


def _mapping(value: Any) -> dict[str, Any]:
    """A JSON object, parsed if it is text; anything else counts as absent: callers fill these headers."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
