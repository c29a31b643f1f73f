"""The Lambda context object, as AWS's Python client gives it to a handler.

Attributes, methods and what is absent: AWS's client 4.2.2 (November 2026), beside which the tests run this.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from streaming_runtime import log
from streaming_runtime.runtime_api import Invocation
from streaming_runtime.settings import FunctionIdentity

# A function may run 15 minutes. Where the deadline is unknown, it is not what an application should hurry for.
LONGEST_MS = 900_000
_W3C_FIELDS = ("traceparent", "tracestate", "baggage")


class CognitoIdentity:
    """Who invoked through a mobile SDK; both are None otherwise."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, document: dict[str, Any]) -> None:
        self.cognito_identity_id = document.get("cognitoIdentityId")
        self.cognito_identity_pool_id = document.get("cognitoIdentityPoolId")


class Client:
    """The mobile application that a mobile SDK speaks for. None is what it does not tell."""

    __slots__ = ("app_package_name", "app_title", "app_version_code", "app_version_name", "installation_id")

    def __init__(self, document: dict[str, Any]) -> None:
        self.installation_id = document.get("installation_id")
        self.app_title = document.get("app_title")
        self.app_version_name = document.get("app_version_name")
        self.app_version_code = document.get("app_version_code")
        self.app_package_name = document.get("app_package_name")


class ClientContext:
    """What a mobile SDK sent along. None is what it left out."""

    __slots__ = ("client", "custom", "env")

    def __init__(self, document: dict[str, Any]) -> None:
        self.custom = document.get("custom")
        self.env = document.get("env")
        client = document.get("client")
        self.client = Client(client) if isinstance(client, dict) else None


class LambdaContext:
    """One invocation as the application sees it, in `scope["aws.context"]`. Attributes may be set and added."""

    def __init__(
        self, invocation: Invocation, function: FunctionIdentity, *, clock: Callable[[], float] = time.time
    ) -> None:
        client_context = _mapping(invocation.client_context)
        w3c = client_context.pop("w3c", None) if client_context else None
        self.aws_request_id = invocation.request_id
        self.log_group_name = function.log_group_name
        self.log_stream_name = function.log_stream_name
        self.function_name = function.name
        self.memory_limit_in_mb = function.memory_limit_in_mb
        self.function_version = function.version
        self.invoked_function_arn = invocation.function_arn or None
        self.tenant_id = invocation.tenant_id
        self.client_context = None if client_context is None else ClientContext(client_context)
        self.identity = CognitoIdentity(_mapping(invocation.cognito_identity) or {})
        # Milliseconds since the epoch; None where it is unknown.
        self._deadline_ms = invocation.deadline_ms
        self._w3c = w3c if isinstance(w3c, dict) else {}
        # Seconds since the epoch.
        self._clock = clock

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation, never negative.

        Where the deadline is unknown, Lambda's longest timeout: 0 would say that the time is over.
        """
        if self._deadline_ms is None:
            return LONGEST_MS
        return max(0, self._deadline_ms - int(self._clock() * 1000))

    def w3c(self) -> dict[str, str]:
        """The W3C trace context that came with the invocation; empty where none did."""
        values = ((name, self._w3c.get(name)) for name in _W3C_FIELDS)
        return {name: value for name, value in values if isinstance(value, str)}

    def log(self, msg: object) -> None:
        """Write `msg` to the function's log as it is, without level, time or line end."""
        log.write(str(msg))

    def __repr__(self) -> str:
        # Without the client context, which callers fill.
        return f"LambdaContext(aws_request_id={self.aws_request_id!r}, function_name={self.function_name!r})"


def _mapping(text: str) -> dict[str, Any] | None:
    """A JSON object. Anything else counts as absent: callers fill these headers."""
    try:
        value = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
