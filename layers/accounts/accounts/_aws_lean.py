"""Calls AWS's JSON APIs with the standard library: requests signed here, sent over kept-alive connections.

Loading boto3 and creating a DynamoDB client costs a cold sandbox several hundred milliseconds; this costs it the
import of `http.client`. It covers static keys in the environment, as Lambda gives them to a function.
"""

from __future__ import annotations

import base64
import http.client
import json
import select
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from accounts._aws import CONNECTION_FAILED, TIMEOUT, AwsError, clock_offset
from accounts._sigv4 import AwsCredentials, sign_headers

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 5.0
# A connection idle for longer is not trusted: the process may have been frozen meanwhile, and the peer gone.
MAX_IDLE_SECONDS = 15.0
MAX_IDLE_CONNECTIONS = 16


class _Service(NamedTuple):
    target: str
    content_type: str


_SERVICES = {
    "dynamodb": _Service("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "kms": _Service("TrentService", "application/x-amz-json-1.1"),
}


class _Endpoint(NamedTuple):
    is_tls: bool
    host: str
    port: int | None
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
    """Sends signed requests over kept connections. Safe to use from several threads: each takes its own connection.

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
        self._idle: defaultdict[_Endpoint, list[tuple[http.client.HTTPConnection, float]]] = defaultdict(list)
        self._lock = threading.Lock()
        self._is_closed = False

    def send(self, service: str, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        endpoint = self._endpoints[service]
        body = json.dumps(payload, separators=(",", ":"), default=_encode_bytes).encode()
        headers = self._headers(service, operation, endpoint, body)
        status, answer = self._exchange(endpoint, operation, headers, body)
        try:
            decoded = json.loads(answer) if answer else {}
        except ValueError as error:
            raise AwsError(operation, "InternalFailure", status=status) from error
        if status == http.client.OK:
            return dict(decoded)
        code = str(decoded.get("__type") or decoded.get("code") or "InternalFailure")
        # AWS puts the service's name before the code, and in some answers an address behind it.
        raise AwsError(operation, code.rpartition("#")[2].partition(":")[0], status=status, response=decoded)

    def connect(self, service: str) -> None:
        endpoint = self._endpoints[service]
        connection = self._new_connection(endpoint)
        try:
            _connect(connection)
        except (OSError, http.client.HTTPException):
            connection.close()  # whoever sends finds out why
        else:
            self._keep(endpoint, connection)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            idle = [connection for kept in self._idle.values() for connection, _ in kept]
            self._idle.clear()
        for connection in idle:
            connection.close()

    def _headers(self, service: str, operation: str, endpoint: _Endpoint, body: bytes) -> dict[str, str]:
        wire = _SERVICES[service]
        return sign_headers(
            credentials=self._credentials,
            region=self._region,
            service=service,
            host=endpoint.netloc,
            headers={"content-type": wire.content_type, "x-amz-target": f"{wire.target}.{operation}"},
            body=body,
            now=self._clock() + self.clock_offset,
        )

    def _exchange(
        self, endpoint: _Endpoint, operation: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        connection = self._take_idle(endpoint) or self._new_connection(endpoint)
        try:
            if connection.sock is None:
                _connect(connection)
            sent_at = self._clock()
            connection.request("POST", "/", body, dict(headers))
            response = connection.getresponse()
            answer = response.read()
            offset = clock_offset(response.headers.get("date"), sent_at, self._clock())
            self.clock_offset = self.clock_offset if offset is None else offset
        except TimeoutError as error:
            connection.close()
            raise AwsError(operation, TIMEOUT) from error
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise AwsError(operation, CONNECTION_FAILED) from error
        # Whatever it was, the answer to this request must not be read by the next one.
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            self._keep(endpoint, connection)
        return response.status, answer

    def _new_connection(self, endpoint: _Endpoint) -> http.client.HTTPConnection:
        if not endpoint.is_tls:
            return http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=CONNECT_TIMEOUT_SECONDS)
        with self._lock:
            if self._tls is None:
                bundle = self._ca_bundle
                # Made once: loading the system's certificates takes tens of milliseconds.
                self._tls = ssl.create_default_context(cafile=bundle) if bundle else self._new_tls_context()
        return http.client.HTTPSConnection(
            endpoint.host, endpoint.port, timeout=CONNECT_TIMEOUT_SECONDS, context=self._tls
        )

    def _take_idle(self, endpoint: _Endpoint) -> http.client.HTTPConnection | None:
        while True:
            with self._lock:
                if not self._idle[endpoint]:
                    return None
                # The one used last is the likeliest to be alive.
                connection, idle_since = self._idle[endpoint].pop()
            if 0 <= self._clock() - idle_since <= MAX_IDLE_SECONDS and not _has_ended(connection):
                return connection
            connection.close()

    def _keep(self, endpoint: _Endpoint, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            # A call may end after `close`, and would leave its connection open.
            if not self._is_closed and len(self._idle[endpoint]) < MAX_IDLE_CONNECTIONS:
                self._idle[endpoint].append((connection, self._clock()))
                return
        connection.close()


def _connect(connection: http.client.HTTPConnection) -> None:
    connection.connect()
    opened: socket.socket = connection.sock
    # Connecting has a bound of its own, which is shorter.
    opened.settimeout(READ_TIMEOUT_SECONDS)


def _has_ended(connection: http.client.HTTPConnection) -> bool:
    """Whether the peer closed an idle connection."""
    opened: socket.socket | None = connection.sock
    if opened is None:
        return True
    poll = select.poll()
    poll.register(opened, select.POLLIN)
    if not poll.poll(0):
        return False
    if not isinstance(opened, ssl.SSLSocket):
        return True
    # Session tickets make it readable, too, and come when nothing was asked yet.
    opened.settimeout(0)
    try:
        opened.recv(1)
    except ssl.SSLWantReadError:
        return False
    except OSError:
        return True
    finally:
        opened.settimeout(READ_TIMEOUT_SECONDS)
    return True


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
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError(f"the endpoint of {service} must be an http or https address")
    return _Endpoint(parts.scheme == "https", parts.hostname, parts.port, parts.netloc)


def _encode_bytes(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no place in a request to AWS")
