"""Put right in an event what Mangum does not expect, before it makes a request of it.

Seen: `"rawQueryString": null`, no `requestContext.http`, null headers (emulators); a Host header with an IPv6 address,
which Mangum cannot split; the name of an HTTP API's stage in front of the path, which is no part of the application's.
"""

import re
from typing import Any

# A Host header that Mangum can take apart: a name, or a name and a port.
_PLAIN_HOST = re.compile(r"[^:]*(?::[0-9]{1,5})?")
# The stage that an HTTP API leaves out of its paths.
_DEFAULT_STAGE = "$default"


def repair(event: dict[str, Any]) -> tuple[dict[str, Any], bytes | None]:
    """A copy that Mangum can read, and the Host header as it was, if Mangum could not take it apart.

    Mangum reads "localhost" in its place; None otherwise. Events other than those of HTTP APIs and Function URLs pass
    as they are.
    """
    context = event.get("requestContext")
    if not isinstance(context, dict) or event.get("version") not in ("1.0", "2.0"):
        return event, None
    if event["version"] == "1.0":
        path = event.get("path")
        return {**event, "path": _without_stage(path, context)} if isinstance(path, str) else event, None
    http = context.get("http")
    http = {
        "method": "GET",
        "path": event.get("rawPath") or "/",
        "sourceIp": "",
        **{key: value for key, value in (http if isinstance(http, dict) else {}).items() if value is not None},
    }
    if isinstance(http["path"], str):
        http["path"] = _without_stage(http["path"], context)
    headers = _text_headers(event.get("headers"))
    host = headers.get("host")
    is_odd = host is not None and _PLAIN_HOST.fullmatch(host) is None
    repaired = {
        **event,
        "rawQueryString": event.get("rawQueryString") or "",
        "headers": {**headers, "host": "localhost"} if is_odd else headers,
        "requestContext": {**context, "http": http},
    }
    # JSON can carry half of a surrogate pair, UTF-8 can't.
    return repaired, host.encode("utf-8", "replace") if host is not None and is_odd else None


def _without_stage(path: str, context: dict[str, Any]) -> str:
    """The path behind `/stage`, which an HTTP API leaves in front of it for every stage but `$default`."""
    stage = context.get("stage")
    if not isinstance(stage, str) or not stage or stage == _DEFAULT_STAGE:
        return path
    prefix = f"/{stage}"
    if path == prefix or path.startswith(f"{prefix}/"):
        return path[len(prefix) :] or "/"
    return path


def _text_headers(headers: Any) -> dict[str, str]:
    if not isinstance(headers, dict):
        return {}
    texts = {str(name).lower(): str(value) for name, value in headers.items() if value is not None}
    if not texts.get("x-forwarded-port", "443").isdecimal():
        del texts["x-forwarded-port"]
    return texts
