"""From a Lambda event to an ASGI request: Mangum's adapters, and what they do not expect put right first."""

import json
import re
from dataclasses import dataclass, field
from typing import Any

from mangum import Mangum
from mangum.types import LambdaHandler, Scope

from streaming_runtime.context import LambdaContext
from streaming_runtime.errors import UnsupportedEventError
from streaming_runtime.settings import ResponseForm, RestForm, Settings

# A Function URL's domain. API Gateway has other domains, and so has `sam local`, which says "localhost".
_FUNCTION_URL = re.compile(r"[a-z0-9-]+\.lambda-url\.[a-z0-9-]+\.on\.aws", re.IGNORECASE)
# A Host header that Mangum can take apart: a name, or a name and a port.
_PLAIN_HOST = re.compile(r"[^:]*(?::[0-9]{1,5})?")

# What scope["asgi"] promises from 2.4 on: `send` raises an OSError when the response can no longer be
# delivered.
ASGI_VERSIONS = {"version": "3.0", "spec_version": "2.4"}


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request for the application."""

    scope: Scope = field(repr=False)
    body: bytes = field(repr=False)
    # Whether the response goes out as a stream.
    is_streamed: bool
    # Mangum's adapter for this kind of event: it turns a complete response into the document for a buffered
    # answer.
    adapter: LambdaHandler = field(repr=False)


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
    event = normalise(event)
    try:
        # Mangum describes the context structurally, and more narrowly than AWS's client fills it.
        adapter = mangum.infer(event, context)  # type: ignore[arg-type]
        scope, body = adapter.scope, adapter.body
    except RuntimeError as error:
        raise UnsupportedEventError("the event is no HTTP request that Mangum knows") from error
    except Exception as error:
        raise UnsupportedEventError("the event lacks a part of an HTTP request, or has it in a wrong form") from error
    scope["asgi"] = dict(ASGI_VERSIONS)
    if (host := _odd_host(event)) is not None:
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


def normalise(event: dict[str, Any]) -> dict[str, Any]:
    """Fill in what emulators leave out or null in events of payload format 2.0; others pass as they are.

    Seen: `"rawQueryString": null`; no `requestContext.http`; null headers; a Host header with an IPv6
    address, which Mangum cannot split.
    """
    request_context = event.get("requestContext")
    if event.get("version") != "2.0" or not isinstance(request_context, dict):
        return event
    http = request_context.get("http")
    http = {
        "method": "GET",
        "path": event.get("rawPath") or "/",
        "sourceIp": "",
        **{key: value for key, value in (http if isinstance(http, dict) else {}).items() if value is not None},
    }
    normalised = {
        **event,
        "rawQueryString": event.get("rawQueryString") or "",
        "headers": _text_headers(event.get("headers")),
        "requestContext": {**request_context, "http": http},
    }
    if (host := _odd_host(normalised)) is not None:
        normalised["headers"] = {**normalised["headers"], "host": "localhost"}
        normalised["streaming_runtime.host"] = host.decode()
    return normalised


def _odd_host(event: dict[str, Any]) -> bytes | None:
    """The Host header as it was, if Mangum cannot take it apart."""
    if isinstance(original := event.get("streaming_runtime.host"), str):
        return _header_bytes(original)
    headers = event.get("headers")
    host = headers.get("host") if isinstance(headers, dict) else None
    if isinstance(host, str) and _PLAIN_HOST.fullmatch(host) is None:
        return _header_bytes(host)
    return None


def _header_bytes(text: str) -> bytes:
    # JSON can carry half of a surrogate pair, UTF-8 can't.
    return text.encode("utf-8", "replace")


def _text_headers(headers: Any) -> dict[str, str]:
    if not isinstance(headers, dict):
        return {}
    texts = {str(name).lower(): str(value) for name, value in headers.items() if value is not None}
    if not texts.get("x-forwarded-port", "443").isdecimal():
        del texts["x-forwarded-port"]
    return texts


def _is_streamed(event: dict[str, Any], settings: Settings) -> bool:
    if settings.response_form is not ResponseForm.AUTO:
        return settings.response_form is ResponseForm.STREAMING
    return is_function_url(event) or (settings.rest_form is RestForm.STREAMING and is_rest_api(event))
