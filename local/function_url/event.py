"""An HTTP request as the event that a Function URL makes of it (payload format 2.0), or a REST API."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "proxy-connection",
    "expect",
}
_TEXT_TYPES = {"application/json", "application/javascript", "application/xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request read in full. `headers` have lower-case names; repeated ones are joined by commas, as Lambda does."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    source_ip: str
    http_version: str = "1.1"
    header_list: tuple[tuple[str, str], ...] = ()
    """The headers one by one, as they came."""


def join_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names, repeated headers joined by `,` (cookies by `; `)."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ","
        joined[name] = f"{joined[name]}{separator}{value}" if name in joined else value
    return joined


def build_event(request: HttpRequest, *, domain: str, request_id: str, trace_id: str, epoch_seconds: float) -> bytes:
    """The event, encoded. Shape: AWS's published sample events for Function URLs, November 2026."""
    path, _, query = request.target.partition("?")
    # They are about this connection, and AWS's own one to the function has others.
    headers = {name: value for name, value in request.headers.items() if name not in _HOP_BY_HOP}
    headers |= _added_headers(request, domain, trace_id)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path or "/",
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": domain.partition(".")[0],
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path or "/",
                "protocol": f"HTTP/{request.http_version}",
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(epoch_seconds)),
            "timeEpoch": int(epoch_seconds * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies := headers.get("cookie"):
        event["cookies"] = [cookie.strip() for cookie in cookies.split(";") if cookie.strip()]
    if query:
        event["queryStringParameters"] = _join_parameters(query)
    if request.body:
        event["body"], event["isBase64Encoded"] = _encode_body(request.body, headers.get("content-type", ""))
    return _encode(event)


def build_rest_event(
    request: HttpRequest, *, domain: str, request_id: str, trace_id: str, epoch_seconds: float
) -> bytes:
    """The event of a REST API's proxy integration, encoded. It does not tell whether the answer may be streamed.

    Shape: AWS's published sample, November 2026. The API is at its custom domain, so no stage precedes the path.
    """
    path, _, query = request.target.partition("?")
    headers: dict[str, list[str]] = {}
    for name, value in request.header_list or tuple(request.headers.items()):
        if name.lower() not in _HOP_BY_HOP:
            headers.setdefault(name, []).append(value)
    added = _added_headers(request, domain, trace_id)
    # A caller's own must not stay beside AWS's, by which the gateway tells where a request came from.
    headers = {name: values for name, values in headers.items() if name.lower() not in added}
    headers |= {name: [value] for name, value in added.items()}
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    text_path = unquote(path) or "/"
    event: dict[str, Any] = {
        "resource": "/{proxy+}" if text_path != "/" else "/",
        "path": text_path,
        "httpMethod": request.method,
        # Of repeated ones the last: the lists have them all.
        "headers": {name: values[-1] for name, values in headers.items()},
        "multiValueHeaders": headers,
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {"proxy": text_path.removeprefix("/")} if text_path != "/" else None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": domain.partition(".")[0],
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "extendedRequestId": request_id,
            "httpMethod": request.method,
            "identity": {"sourceIp": request.source_ip, "userAgent": request.headers.get("user-agent", "")},
            "path": text_path,
            "protocol": f"HTTP/{request.http_version}",
            "requestId": request_id,
            "requestTime": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(epoch_seconds)),
            "requestTimeEpoch": int(epoch_seconds * 1000),
            "resourceId": "abc123",
            "resourcePath": "/{proxy+}",
            "stage": "local",
        },
        "body": None,
        "isBase64Encoded": False,
    }
    if request.body:
        event["body"], event["isBase64Encoded"] = _encode_body(request.body, request.headers.get("content-type", ""))
    return _encode(event)


def _added_headers(request: HttpRequest, domain: str, trace_id: str) -> dict[str, str]:
    """What AWS puts in, or in place of the caller's own."""
    return {
        "host": domain,
        "x-amzn-trace-id": trace_id,
        "x-forwarded-for": request.source_ip,
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    }


def _encode(event: Mapping[str, Any]) -> bytes:
    # Lambda counts UTF-8 bytes against the limit, so nothing is escaped that need not be.
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _join_parameters(query: str) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _encode_body(body: bytes, content_type: str) -> tuple[str, bool]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in _TEXT_TYPES or media_type.startswith("text/") or media_type.endswith(("+json", "+xml")):
        try:
            return body.decode("utf-8"), False
        # What calls itself text and is none goes as base64, as on AWS.
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode("ascii"), True
