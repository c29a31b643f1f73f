"""A runtime for the emulator's tests: the standard library, blocking sockets, and an answer for each path.

Started as the sandbox's process. What it answers is spelled out byte by byte, so that the tests can cut a stream
wherever they like and break every rule.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
NULS = b"\0" * 8


def connect() -> socket.socket:
    return socket.create_connection((HOST, int(PORT)))


def read_reply(connection: socket.socket) -> tuple[dict[str, str], bytes]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536) or sys.exit(0)
    head, _, body = received.partition(b"\r\n\r\n")
    headers = {}
    for line in head.decode().split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    return headers, body


def post(path: str, body: bytes = b"{}", headers: str = "") -> None:
    with connect() as connection:
        head = f"POST /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)
        read_reply(connection)


class Stream:
    """A streaming response, sent piece by piece as told."""

    def __init__(self, request_id: str, content_type: str = "application/vnd.awslambda.http-integration-response"):
        self.connection = connect()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(
            f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\nHost: x\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
            f"Content-Type: {content_type}\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n".encode()
        )

    def send(self, data: bytes) -> None:
        self.connection.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def head(self, status: int = 200, **more: Any) -> None:
        self.send(json.dumps({"statusCode": status, "headers": {"content-type": "text/plain"}, **more}).encode() + NULS)

    def end(self, trailers: bytes = b"") -> None:
        self.connection.sendall(b"0\r\n" + trailers + b"\r\n")
        read_reply(self.connection)
        self.connection.close()


def echo(request_id: str, headers: dict[str, str], event: dict[str, Any]) -> None:
    seen = {"event": event, "headers": headers, "pid": os.getpid(), "ticks": clock.ticks, "env": dict(os.environ)}
    post(f"invocation/{request_id}/response", json.dumps(seen).encode())


def buffered(request_id: str) -> None:
    body = base64.b64encode(b"\x00\xff").decode()
    reply = {"statusCode": 201, "headers": {"x-a": "1"}, "cookies": ["a=1", "b=2"], "isBase64Encoded": True}
    post(f"invocation/{request_id}/response", json.dumps(reply | {"body": body}).encode())


def raw(request_id: str, query: dict[str, str]) -> None:
    stream = Stream(request_id, "text/x-raw")
    stream.send(b"raw")
    stream.end()


def in_pieces(stream: Stream, query: dict[str, str]) -> None:
    answer = b'{"statusCode":202,"headers":{"x-a":"1"},"cookies":["a=1","b=2"]}' + NULS + b"body"
    size = int(query["size"])
    for start in range(0, len(answer), size):
        stream.send(answer[start : start + size])
    stream.end()


def gated(stream: Stream, query: dict[str, str]) -> None:
    """Send a line, and each further one only when its file is in the folder `gate`."""
    stream.head(headers={"content-type": "text/event-stream"})
    for index in range(int(query["count"])):
        while index and not Path(query["gate"], str(index)).exists():
            pause.wait(0.005)
        stream.send(f"{index}\n".encode())
    stream.end()


def fail_by_trailer(stream: Stream, query: dict[str, str]) -> None:
    stream.head()
    stream.send(b"partial")
    stream.end(b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n")


def stop_in_stream(stream: Stream, query: dict[str, str]) -> None:
    stream.head()
    stream.send(b"partial")
    if "exit" in query:
        os._exit(3)
    pause.wait()


def say(stream: Stream, query: dict[str, str]) -> None:
    stream.send(query["prelude"].encode() + (NULS if "end" in query else b""))
    stream.end()


def big(stream: Stream, query: dict[str, str]) -> None:
    stream.head()
    left = int(query["bytes"])
    while left:
        stream.send(b"x" * min(left, 1 << 20))
        left -= min(left, 1 << 20)
    stream.end()


STREAMS = {
    "/pieces": in_pieces,
    "/gated": gated,
    "/trailer": fail_by_trailer,
    "/stop-in-stream": stop_in_stream,
    "/say": say,
    "/big": big,
}


def answer(request_id: str, headers: dict[str, str], event: dict[str, Any]) -> None:
    path, query = event["rawPath"], event.get("queryStringParameters", {})
    match path:
        case "/echo":
            echo(request_id, headers, event)
        case "/buffered":
            buffered(request_id)
        case "/error":
            post(f"invocation/{request_id}/error", b'{"errorType":"Oops","errorMessage":"x"}')
        case "/garbage":
            post(f"invocation/{request_id}/response", b"not json")
        case "/bad-mode":
            post(f"invocation/{request_id}/response", b"{}", "Lambda-Runtime-Function-Response-Mode: loud\r\n")
        case "/exit":
            os._exit(3)
        case "/hang":
            pause.wait()
        case "/raw":
            raw(request_id, query)
        case "/silent":
            pass
        case _:
            STREAMS[path](Stream(request_id), query)


class Clock(threading.Thread):
    """Counts while the process runs, and so shows for how long it did not."""

    ticks = 0

    def run(self) -> None:
        while True:
            self.ticks += 1
            pause.wait(0.005)


pause = threading.Event()
clock = Clock(daemon=True)


def main() -> None:
    match os.environ.get("FAKE_INIT"):
        case "exit":
            sys.exit(1)
        case "hang":
            pause.wait()
        case "error":
            post("init/error", b'{"errorType":"Runtime.ImportModuleError","errorMessage":"x"}')
            sys.exit(1)
    clock.start()
    with connect() as poll:
        while True:
            poll.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n")
            headers, body = read_reply(poll)
            try:
                answer(headers["lambda-runtime-aws-request-id"], headers, json.loads(body))
            except (BrokenPipeError, ConnectionResetError):
                pass


if __name__ == "__main__":
    main()
