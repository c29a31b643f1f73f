"""Calls AWS's JSON APIs without botocore: requests signed here, sent over our own HTTP connections.

Loading boto3 and creating a DynamoDB client costs a cold sandbox several hundred milliseconds. This covers static keys
in the environment, as Lambda gives them to a function.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from accounts._aws import CONNECTION_FAILED, TIMEOUT, AwsError, clock_offset
from accounts._sigv4 import AwsCredentials, sign_headers
from http_connections.connection import Connection, ConnectionLostError
from http_connections.dialing import Origin
from http_connections.http1 import ResponseHead, encode_request_head
from http_connections.pool import ConnectionPool, UnreachableError

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 5.0
# A connection idle for longer is not trusted: the process may have been frozen meanwhile, and the peer gone.
MAX_IDLE_SECONDS = 15.0
MAX_CALLS_AT_ONCE = 16
# DynamoDB's largest answer has 16 MB of items, which JSON makes longer.
MAX_ANSWER_BYTES = 67_108_864


class _Service(NamedTuple):
    target: str
    content_type: str


_SERVICES = {
    "dynamodb": _Service("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "kms": _Service("TrentService", "application/x-amz-json-1.1"),
}


class _Endpoint(NamedTuple):
    origin: Origin
    netloc: str
    """Host and port as they stand in the URL, which is what is signed."""


def can_serve(environ: Mapping[str, str]) -> bool:
    """Whether the environment has all that is needed, and nothing that only botocore can honour."""
    has_keys = bool(environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"))
    region = _region(environ)
    has_proxy = any(environ.get(name) for name in ("HTTPS_PROXY", "https_proxy"))
    is_redirected = "AWS_ENDPOINT_URL" in environ
    is_known_partition = region is not None and not region.startswith(("us-iso", "eu-isoe"))
    # For everything else there is boto3: proxies, profiles, partitions with other addresses.
    return has_keys and is_known_partition and (is_redirected or not has_proxy)


class LeanExchange:
    """Sends signed requests over kept connections.

    Making it raises `ValueError` for keys or an endpoint that can't be used, naming no key.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
        tls_context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._credentials = _credentials(environ)
        self._region = _region(environ) or ""
        self._endpoints = {service: _endpoint(service, self._region, environ) for service in _SERVICES}
        self._ca_bundle = environ.get("AWS_CA_BUNDLE") or None
        self._clock = clock
        self.clock_offset = 0.0
        self._new_tls_context = tls_context
        self._tls: ssl.SSLContext | None = None
        self._connections = ConnectionPool(
            tls_context=self._tls_context,
            connect_seconds=CONNECT_TIMEOUT_SECONDS,
            trust_seconds=MAX_IDLE_SECONDS,
            max_idle=MAX_CALLS_AT_ONCE,
            wall_clock=clock,
        )
        self._slots: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None
        self._is_closed = False

    async def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        async with self._slots_of_running_loop():
            headers, body = self.sign(service, operation, payload)
            status, answer = await self._exchange(self._endpoints[service].origin, operation, headers, body)
        decoded = _decode(answer)
        if decoded is None:
            raise AwsError(operation, "InternalFailure", status=status)
        if status == HTTPStatus.OK:
            return decoded
        code = str(decoded.get("__type") or decoded.get("code") or "InternalFailure")
        # AWS puts the service's name before the code, and in some answers an address behind it.
        raise AwsError(operation, code.rpartition("#")[2].partition(":")[0], status=status, response=decoded)

    async def connect(self, service: str, number: int) -> None:
        if self._is_closed:
            return
        origin = self._endpoints[service].origin
        await asyncio.gather(*(self._connections.open_early(origin) for _ in range(number)))

    async def aclose(self) -> None:
        """Close every connection. Calls under way fail; one that is made afterwards closes its own."""
        self._is_closed = True
        await self._connections.aclose()

    def sign(self, service: str, operation: str, payload: Mapping[str, Any]) -> tuple[dict[str, str], bytes]:
        """Headers and body of a request, as of now."""
        body = json.dumps(payload, separators=(",", ":"), default=_encode_bytes).encode()
        wire = _SERVICES[service]
        headers = sign_headers(
            credentials=self._credentials,
            region=self._region,
            service=service,
            host=self._endpoints[service].netloc,
            headers={"content-type": wire.content_type, "x-amz-target": f"{wire.target}.{operation}"},
            body=body,
            now=self._clock() + self.clock_offset,
        )
        return headers | {"accept-encoding": "identity", "content-length": str(len(body))}, body

    async def _exchange(
        self, origin: Origin, operation: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        request = encode_request_head("POST", "/", headers.items()) + body
        now = asyncio.get_running_loop().time
        try:
            async with self._connections.connection(origin, None, now() + CONNECT_TIMEOUT_SECONDS) as connection:
                sent_at = self._clock()
                deadline = now() + READ_TIMEOUT_SECONDS
                await connection.send([request], deadline)
                head = await connection.receive_head(deadline)
                answer = await _read_body(connection, operation, head, deadline)
                # A call may be tried again after the close, and nobody would close what it leaves.
                connection.is_spent = self._is_closed
        except UnreachableError as error:
            raise AwsError(operation, TIMEOUT if error.is_late else CONNECTION_FAILED) from error
        except TimeoutError as error:
            raise AwsError(operation, TIMEOUT) from error
        except ConnectionLostError as error:
            raise AwsError(operation, CONNECTION_FAILED) from error
        offset = clock_offset(head.headers.get("date"), sent_at, self._clock())
        self.clock_offset = self.clock_offset if offset is None else offset
        return head.status, answer

    def _slots_of_running_loop(self) -> asyncio.Semaphore:
        """Of the running loop: one that was waited for in another can't be waited for in this one."""
        loop = asyncio.get_running_loop()
        if self._slots is None or self._slots[0] is not loop:
            self._slots = (loop, asyncio.Semaphore(MAX_CALLS_AT_ONCE))
        return self._slots[1]

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            bundle = self._ca_bundle
            # Made once: loading the system's certificates takes tens of milliseconds.
            self._tls = ssl.create_default_context(cafile=bundle) if bundle else self._new_tls_context()
        return self._tls


async def _read_body(connection: Connection, operation: str, head: ResponseHead, deadline: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await connection.receive(deadline):
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise AwsError(operation, "InternalFailure", status=head.status)
        parts.append(part)
    return b"".join(parts)


def _decode(answer: bytes) -> dict[str, Any] | None:
    """The object that every answer of AWS is; `None` for anything else, as something between may send it."""
    try:
        decoded = json.loads(answer) if answer else {}
    # JSON that is too deep is no ValueError.
    except (ValueError, RecursionError):
        return None
    return decoded if isinstance(decoded, dict) else None


def _region(environ: Mapping[str, str]) -> str | None:
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or None


def _credentials(environ: Mapping[str, str]) -> AwsCredentials:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    key_id, secret, token = (environ.get(name, "") for name in names)
    # The HTTP library would refuse these too, but by quoting the header's value in its error.
    if not all(value.isascii() and value.isprintable() for value in (key_id, secret, token)):
        raise ValueError("the AWS keys in the environment have characters that can't be sent")
    return AwsCredentials(key_id, secret, token or None)


def _endpoint(service: str, region: str, environ: Mapping[str, str]) -> _Endpoint:
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    url = (
        environ.get(f"AWS_ENDPOINT_URL_{service.upper()}")
        or environ.get("AWS_ENDPOINT_URL")
        or f"https://{service}.{region}.{suffix}"
    )
    try:
        return _Endpoint(Origin.of(url)[0], urlsplit(url).netloc)
    except ValueError:
        raise ValueError(f"the endpoint of {service} must be an http or https address") from None


def _encode_bytes(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no place in a request to AWS")
