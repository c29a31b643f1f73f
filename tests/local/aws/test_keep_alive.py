"""Connections to the stand-in for AWS, which are kept as AWS keeps them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server

from local.aws.keep_alive import KeepAliveHandler


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Says how long the body was, which it reads only where it is asked to."""
    if environ["PATH_INFO"] == "/unread":
        start_response("413 Content Too Large", [("Connection", "close")])
        return [b"no"]
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("X-Length", str(len(body)))])
    return [b"fine, ", b"thanks"]


@pytest.fixture
def connection() -> Iterator[http.client.HTTPConnection]:
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=KeepAliveHandler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    opened = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    yield opened
    opened.close()
    server.shutdown()
    thread.join()
    server.server_close()


def test_requests_follow_each_other_on_one_connection(connection: http.client.HTTPConnection) -> None:
    sockets = set()
    for path, size in (("/", 0), ("/", 70_000), ("/unread", 200_000), ("/", 3)):
        connection.request("POST", path, bytes(size))
        reply = connection.getresponse()
        assert reply.read() == (b"no" if path == "/unread" else b"fine, thanks")
        assert reply.headers.get("x-length") == (None if path == "/unread" else str(size))
        assert connection.sock is not None
        sockets.add(connection.sock.getsockname())
    assert len(sockets) == 1


def test_a_body_of_unknown_length_ends_the_connection(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/", iter([b"ab", b"cd"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert connection.getresponse().read() == b"fine, thanks"
    connection.request("POST", "/", b"again")
    assert connection.getresponse().read() == b"fine, thanks"
