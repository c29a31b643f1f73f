"""From a Lambda event to an ASGI request, through Mangum's adapters."""

import json
import re
from typing import Any, NamedTuple

from mangum import Mangum
from mangum.types import LambdaHandler, Scope

from streaming_runtime.context import LambdaContext
from streaming_runtime.errors import UnsupportedEventError
from streaming_runtime.event_repairs import repair
from streaming_runtime.settings import ResponseForm, RestForm, Settings

# A Function URL's domain. API Gateway has other domains, and so has `sam local`, which says "localhost".
_FUNCTION_URL = re.compile(r"[a-z0-9-]+\.lambda-url\.[a-z0-9-]+\.on\.aws", re.IGNORECASE | re.ASCII)

# What scope["asgi"] promises from 2.4 on: `send` raises an OSError when the response can no longer be
# delivered.
ASGI_VERSIONS = {"version": "3.0", "spec_version": "2.4"}


class HttpRequest(NamedTuple):
    """One request for the application."""

    scope: Scope
    body: bytes
    # Whether the response goes out as a stream.
    is_streamed: bool
    # Mangum's adapter for this kind of event: it turns a complete response into the document for a buffered
    # answer.
    adapter: LambdaHandler

    def __repr__(self) -> str:
        # Without what the caller sent.
        return f"HttpRequest(is_streamed={self.is_streamed})"


def parse_event(payload: bytes) -> dict[str, Any]:
    """The event as a dictionary. Raises UnsupportedEventError."""
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise UnsupportedEventError("the event is not JSON") from error
    if not isinstance(event, dict):
        raise UnsupportedEventError("the event is not a JSON object, so it is no HTTP request")
    return event


def build_request(event: dict[str, Any], context: LambdaContext, mangum: Mangum, settings: Settings) -> HttpRequest:
    """Infer the kind of event and build the ASGI scope. Raises UnsupportedEventError."""
    repaired, host = repair(event)
    try:
        # Mangum describes the context structurally, and more narrowly than AWS's client fills it.
        adapter = mangum.infer(repaired, context)  # type: ignore[arg-type]
        scope, body = adapter.scope, adapter.body
    except RuntimeError as error:
        raise UnsupportedEventError("the event is no HTTP request that Mangum knows") from error
    except Exception as error:
        raise UnsupportedEventError("the event lacks a part of an HTTP request, or has it in a wrong form") from error
    scope["asgi"] = dict(ASGI_VERSIONS)
    scope["aws.event"] = event
    if host is not None:
        scope["headers"] = [
            *([key, value] for key, value in scope["headers"] if key != b"host"),
            [b"host", host],
        ]
    return HttpRequest(scope, body, _is_streamed(event, settings), adapter)


def is_function_url(event: dict[str, Any]) -> bool:
    """Whether the event came through a Function URL."""
    context = event.get("requestContext")
    domain = context.get("domainName") if isinstance(context, dict) else None
    return isinstance(domain, str) and _FUNCTION_URL.fullmatch(domain) is not None


def is_rest_api(event: dict[str, Any]) -> bool:
    """Whether the event came through an API Gateway REST API. HTTP APIs have a version, balancers no resource."""
    return "resource" in event and "version" not in event and isinstance(event.get("requestContext"), dict)


def _is_streamed(event: dict[str, Any], settings: Settings) -> bool:
    if settings.response_form is not ResponseForm.AUTO:
        return settings.response_form is ResponseForm.STREAMING
    return is_function_url(event) or (settings.rest_form is RestForm.STREAMING and is_rest_api(event))
