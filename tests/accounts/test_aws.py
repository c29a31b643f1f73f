"""Retries, endpoints and connections on the way to AWS."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from accounts import StoreUnavailableError
from accounts._aws import (
    MAX_ATTEMPTS,
    AwsClient,
    AwsError,
    Retrying,
    as_bytes,
    clock_offset,
    retry_delay,
)
from accounts._aws_boto import BotoExchange
from accounts._aws_choice import open_exchange
from accounts._aws_lean import MAX_CALLS_AT_ONCE, LeanExchange, _endpoint, can_serve
from local.ports import free_port

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-central-1"}

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class ScriptedServer:
    """Takes connections, and answers each request with the next of its scripted replies; `None` hangs up instead."""

    replies: list[bytes | None]
    address: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    sockets: list[socket.socket] = field(default_factory=list)
    was_left: threading.Event = field(default_factory=threading.Event)
    """Set when a client closed its connection."""
    leaves: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released each time that one did."""
    was_asked: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self.sockets.append(connection)
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            while True:
                received = b""
                while not _is_whole(received):
                    try:
                        piece = connection.recv(65_536)
                    except OSError:
                        return
                    if not piece:
                        self.was_left.set()
                        self.leaves.release()
                        return
                    received += piece
                self.requests.append(received)
                self.was_asked.set()
                reply = self.replies.pop(0)
                if reply is None:
                    return
                connection.sendall(reply)
                if b"connection: close" in reply.lower():
                    return


def _is_whole(request: bytes) -> bool:
    head, separator, body = request.partition(b"\r\n\r\n")
    length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(separator) and len(body) >= int(length[0].split(b":")[1])


@pytest.fixture
def scripted() -> Iterator[Callable[..., ScriptedServer]]:
    listeners: list[socket.socket] = []
    servers: list[ScriptedServer] = []

    def start(*replies: bytes | None) -> ScriptedServer:
        listener = socket.create_server(("127.0.0.1", 0))
        server = ScriptedServer(list(replies), f"http://127.0.0.1:{listener.getsockname()[1]}")
        threading.Thread(target=server.serve, args=(listener,), daemon=True).start()
        listeners.append(listener)
        servers.append(server)
        return server

    yield start
    for listener in listeners:
        # Closing alone does not wake an accept in another thread.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for server in servers:
        for opened in server.sockets:
            opened.close()


def refusal(status: int, code: str, **more: Any) -> bytes:
    body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", **more}).encode()
    return b"HTTP/1.1 %d No\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


async def no_sleep(_: float) -> None:
    """Retries at once."""


def client_of(server: ScriptedServer, **options: Any) -> AwsClient:
    environ = {**KEYS, "AWS_ENDPOINT_URL": server.address}
    return AwsClient(LeanExchange(environ, **options), sleep=no_sleep)


class TestRetries:
    @pytest.mark.parametrize(
        ("code", "status", "is_retried"),
        [
            ("ThrottlingException", 400, True),
            ("ProvisionedThroughputExceededException", 400, True),
            ("KMSInternalException", 500, True),
            ("SomethingNew", 503, True),
            ("timeout", None, True),
            ("connection_failed", None, True),
            ("ValidationException", 400, False),
            ("ConditionalCheckFailedException", 400, False),
            ("AccessDeniedException", 400, False),
        ],
    )
    def test_only_what_may_pass_is_retried(self, code: str, status: int | None, is_retried: bool) -> None:
        error = AwsError("GetItem", code, status=status)
        assert (retry_delay(error, 1, 0.5) is not None) == is_retried
        assert retry_delay(error, MAX_ATTEMPTS, 0.5) is None

    def test_delays_double_and_are_spread(self) -> None:
        error = AwsError("GetItem", "timeout")
        assert [retry_delay(error, attempt, 1.0) for attempt in (1, 2, 3)] == [0.05, 0.1, 0.2]
        assert retry_delay(error, 3, 0.0) == 0.0

    async def test_a_call_that_was_throttled_succeeds_in_the_end(self, scripted) -> None:
        server = scripted(refusal(400, "ThrottlingException"), refusal(500, "InternalServerError"), OK)
        client = client_of(server)
        assert await client.call("dynamodb", "GetItem", {"a": 1}) == {}
        assert len(server.requests) == 3
        assert server.connections == 1, "refusals are answers: the connection is kept"
        await client.aclose()

    async def test_giving_up_is_said_as_the_stores_own_error(self, scripted) -> None:
        server = scripted(*[refusal(400, "ThrottlingException")] * MAX_ATTEMPTS)
        client = client_of(server)
        with pytest.raises(StoreUnavailableError) as refused:
            await client.call("dynamodb", "GetItem", {})
        assert (refused.value.operation, refused.value.code) == ("GetItem", "ThrottlingException")
        assert server.replies == []
        await client.aclose()

    async def test_a_refusal_of_substance_comes_through_with_its_details(self, scripted) -> None:
        server = scripted(refusal(400, "ConditionalCheckFailedException", Item={"pk": {"S": "x"}}))
        client = client_of(server)
        with pytest.raises(AwsError) as refused:
            await client.call("dynamodb", "PutItem", {})
        assert refused.value.code == "ConditionalCheckFailedException"
        assert refused.value.response["Item"] == {"pk": {"S": "x"}}
        await client.aclose()

    @pytest.mark.parametrize("status", [b"502 Bad", b"400 Bad", b"200 OK"])
    @pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[]", b"null", b"1", b'"ok"', b"[" * 100_000])
    async def test_an_answer_that_is_no_json_object_is_a_failure_of_the_service(
        self, scripted, status: bytes, body: bytes
    ) -> None:
        reply = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)
        server = scripted(*[reply] * MAX_ATTEMPTS)
        client = client_of(server)
        with pytest.raises(StoreUnavailableError, match="InternalFailure"):
            await client.call("dynamodb", "GetItem", {})
        await client.aclose()

    async def test_an_answer_that_is_too_long_is_a_failure_of_the_service(
        self, scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("accounts._aws_lean.MAX_ANSWER_BYTES", 8)
        as_long_as_allowed, too_long = (
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            for body in (b'{"a": 1}', b'{"a": 12}')
        )
        server = scripted(as_long_as_allowed, *[too_long] * MAX_ATTEMPTS)
        client = client_of(server)
        assert await client.call("dynamodb", "GetItem", {}) == {"a": 1}
        with pytest.raises(StoreUnavailableError, match="InternalFailure"):
            await client.call("dynamodb", "GetItem", {})
        await client.aclose()


class TestConnections:
    async def test_a_connection_is_used_again(self, scripted) -> None:
        server = scripted(OK, OK, OK)
        client = client_of(server)
        for _ in range(3):
            await client.call("kms", "Decrypt", {"CiphertextBlob": b"\x00\xff"})
        assert server.connections == 1
        assert b'{"CiphertextBlob":"AP8="}' in server.requests[0]
        assert b"x-amz-target: TrentService.Decrypt" in server.requests[0]
        await client.aclose()

    async def test_connections_can_be_opened_before_they_are_needed(self, scripted) -> None:
        server = scripted(OK, OK)
        client = client_of(server)
        await client.connect("kms", 2)
        await asyncio.gather(*(client.call("kms", "Decrypt", {}) for _ in range(2)))
        assert (server.connections, len(server.requests)) == (2, 2)
        await client.aclose()

    async def test_session_tickets_are_no_end_of_a_connection(self, certificate: tuple[Path, Path]) -> None:
        """They come right after the handshake, before anything was asked."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
        opened: list[ssl.SSLSocket] = []
        was_opened = threading.Event()

        def serve(listener: socket.socket) -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    opened.append(context.wrap_socket(connection, server_side=True))
                    was_opened.set()
                    opened[-1].recv(65_536)
                    opened[-1].sendall(OK)

        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=serve, args=(listener,), daemon=True).start()
            environ = {**KEYS, "AWS_ENDPOINT_URL": f"https://127.0.0.1:{listener.getsockname()[1]}"}
            trusting = ssl.create_default_context(cafile=str(certificate[0]))
            client = AwsClient(LeanExchange(environ, tls_context=lambda: trusting), sleep=no_sleep)
            await client.connect("kms", 1)
            assert await asyncio.to_thread(was_opened.wait, 30)
            assert await client.call("kms", "Decrypt", {}) == {}
            assert len(opened) == 1
            await client.aclose()
            listener.shutdown(socket.SHUT_RDWR)
        opened[0].close()

    async def test_a_connection_that_cannot_be_opened_early_is_no_failure(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = AwsClient(LeanExchange({**KEYS, "AWS_ENDPOINT_URL": address}), sleep=no_sleep)
        await client.connect("kms", 1)
        await client.aclose()

    async def test_a_connection_that_was_closed_meanwhile_is_not_used(self, scripted) -> None:
        async def no_retry(_: float) -> None:
            pytest.fail("the dead connection was used")

        server = scripted(OK, OK)
        client = AwsClient(LeanExchange({**KEYS, "AWS_ENDPOINT_URL": server.address}), sleep=no_retry)
        await client.call("dynamodb", "GetItem", {})
        server.sockets[0].shutdown(socket.SHUT_RDWR)
        await client.call("dynamodb", "GetItem", {})
        assert (server.connections, len(server.requests)) == (2, 2)
        await client.aclose()

    async def test_a_connection_that_idled_too_long_is_not_trusted(self, scripted, clock) -> None:
        server = scripted(OK, OK, OK)
        client = client_of(server, clock=clock)
        await client.call("dynamodb", "GetItem", {})
        clock.advance(14)
        await client.call("dynamodb", "GetItem", {})
        assert server.connections == 1
        clock.advance(16)
        await client.call("dynamodb", "GetItem", {})
        assert server.connections == 2
        await client.aclose()

    async def test_a_connection_that_breaks_is_replaced(self, scripted) -> None:
        server = scripted(None, OK)
        client = client_of(server)
        assert await client.call("dynamodb", "GetItem", {}) == {}
        assert server.connections == 2
        await client.aclose()

    async def test_a_peer_that_closes_is_believed(self, scripted) -> None:
        closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        server = scripted(closing, OK)
        client = client_of(server)
        for _ in range(2):
            await client.call("dynamodb", "GetItem", {})
        assert server.connections == 2
        await client.aclose()

    async def test_a_silent_peer_is_given_up(self, scripted, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("accounts._aws_lean.READ_TIMEOUT_SECONDS", 0.05)
        server = scripted(*[b""] * MAX_ATTEMPTS)
        client = client_of(server)
        with pytest.raises(StoreUnavailableError, match="timeout"):
            await client.call("dynamodb", "GetItem", {})
        assert server.connections == MAX_ATTEMPTS
        await client.aclose()

    async def test_nobody_there(self) -> None:
        port = free_port()
        for prefer in ("lean", "boto"):
            exchange = open_exchange({**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}, prefer=prefer)
            client = AwsClient(exchange, sleep=no_sleep)
            with pytest.raises(StoreUnavailableError, match="connection_failed"):
                await client.call("dynamodb", "GetItem", {"TableName": "t", "Key": {}})
            await client.aclose()

    async def test_calls_at_once_take_a_connection_each(self, scripted) -> None:
        server = scripted(*[OK] * 8)
        client = client_of(server)
        await asyncio.gather(*(client.call("dynamodb", "GetItem", {}) for _ in range(8)))
        assert len(server.requests) == 8
        assert 1 <= server.connections <= 8
        await client.aclose()

    async def test_connections_end_with_the_client(self, scripted) -> None:
        server = scripted(OK)
        client = client_of(server)
        await client.call("dynamodb", "GetItem", {})
        assert not server.was_left.is_set()
        await client.aclose()
        await client.aclose()
        assert await asyncio.to_thread(server.was_left.wait, 5)

    async def test_a_call_that_is_tried_again_after_the_close_leaves_no_connection(self, scripted) -> None:
        server = scripted(b"", OK)
        client = client_of(server)
        calling = asyncio.create_task(client.call("dynamodb", "GetItem", {}))
        assert await asyncio.to_thread(server.was_asked.wait, 30)
        await client.aclose()
        assert await calling == {}
        for _ in range(2):
            assert await asyncio.to_thread(server.leaves.acquire, timeout=30)
        await client.connect("dynamodb", 1)
        assert server.connections == 2

    # Nothing can close the sockets of a loop that is closed.
    @pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
    def test_a_client_can_be_used_in_one_event_loop_after_the_other(self, scripted) -> None:
        calls = 2 * MAX_CALLS_AT_ONCE
        server = scripted(*[OK] * calls * 2)
        client = client_of(server)

        async def call() -> None:
            await asyncio.gather(*(client.call("dynamodb", "GetItem", {}) for _ in range(calls)))

        asyncio.run(call())
        asyncio.run(call())
        assert len(server.requests) == calls * 2
        asyncio.run(client.aclose())
        gc.collect()


class TestEnvironment:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, True),
            ({"AWS_ACCESS_KEY_ID": ""}, False),
            ({"AWS_REGION": ""}, False),
            ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-1"}, True),
            ({"AWS_REGION": "us-iso-east-1"}, False),
            ({"HTTPS_PROXY": "http://proxy"}, False),
            ({"HTTPS_PROXY": "http://proxy", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, True),
        ],
    )
    def test_when_the_lean_way_serves(self, changes: dict[str, str], expected: bool) -> None:
        environ = {**KEYS, **changes}
        assert can_serve(environ) == expected
        if not expected:
            with pytest.raises(ValueError, match="AWS_REGION"):
                open_exchange(environ, prefer="lean")

    def test_the_way_can_be_chosen(self) -> None:
        assert isinstance(open_exchange(KEYS), LeanExchange)
        assert isinstance(open_exchange(KEYS, prefer="boto"), BotoExchange)
        assert isinstance(open_exchange({"AWS_REGION": "eu-central-1"}), BotoExchange)

    @pytest.mark.parametrize(
        ("region", "environ", "expected"),
        [
            (
                "eu-central-1",
                {},
                ("https", "dynamodb.eu-central-1.amazonaws.com", 443, "dynamodb.eu-central-1.amazonaws.com"),
            ),
            (
                "cn-north-1",
                {},
                ("https", "dynamodb.cn-north-1.amazonaws.com.cn", 443, "dynamodb.cn-north-1.amazonaws.com.cn"),
            ),
            ("r", {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000/"}, ("http", "127.0.0.1", 5000, "127.0.0.1:5000")),
            (
                "r",
                {"AWS_ENDPOINT_URL": "http://a", "AWS_ENDPOINT_URL_DYNAMODB": "https://b:1"},
                ("https", "b", 1, "b:1"),
            ),
        ],
    )
    def test_endpoints(self, region: str, environ: dict[str, str], expected: tuple) -> None:
        origin, netloc = _endpoint("dynamodb", region, environ)
        assert (origin.scheme, origin.host, origin.port, netloc) == expected

    def test_an_endpoint_that_is_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match="http"):
            _endpoint("dynamodb", "r", {"AWS_ENDPOINT_URL": "ftp://a"})

    @pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
    @pytest.mark.parametrize("value", ["private\r", "private\nx-amz: 1", "private€"])
    def test_keys_that_no_header_can_hold_are_refused_at_once_and_not_shown(self, name: str, value: str) -> None:
        with pytest.raises(ValueError, match="AWS keys") as caught:
            open_exchange({**KEYS, name: value})
        assert "private" not in "".join(traceback.format_exception(caught.value))

    def test_botocore_without_credentials_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        exchange = BotoExchange({"AWS_REGION": "eu-central-1"})
        with pytest.raises(AwsError, match="NoCredentialsError"):
            exchange.send_blocking("dynamodb", "ListTables", {})


def test_binary_values_come_either_way() -> None:
    assert as_bytes("AP8=") == as_bytes(b"\x00\xff") == b"\x00\xff"


async def test_waits_between_attempts_are_drawn_not_fixed() -> None:
    class AlwaysThrottled:
        async def send(self, *_: object) -> dict[str, Any]:
            raise AwsError("GetItem", "ThrottlingException", status=400)

        async def aclose(self) -> None:
            pass

    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    client = AwsClient(AlwaysThrottled(), rng=random.Random(4), sleep=note)
    with pytest.raises(StoreUnavailableError):
        await client.call("dynamodb", "GetItem", {})
    assert len(waits) == MAX_ATTEMPTS - 1
    assert all(0 <= wait <= limit for wait, limit in zip(waits, (0.05, 0.1, 0.2), strict=True))
    await client.aclose()


class TestClocks:
    """A signature that is refused because of the clock is made anew once, with AWS's time."""

    async def test_a_refused_signature_is_tried_once_more(self) -> None:
        sent: list[str] = []

        async def send(service: str, operation: str, payload: object) -> dict[str, object]:
            sent.append(operation)
            if len(sent) < 2:
                raise AwsError(operation, "InvalidSignatureException", status=400)
            return {"fine": True}

        assert await Retrying(send).call("dynamodb", "GetItem", {}) == {"fine": True}
        assert len(sent) == 2

    async def test_but_not_for_ever(self) -> None:
        sent: list[str] = []

        async def send(service: str, operation: str, payload: object) -> dict[str, object]:
            sent.append(operation)
            raise AwsError(operation, "InvalidSignatureException", status=400)

        with pytest.raises(StoreUnavailableError, match="InvalidSignatureException"):
            await Retrying(send).call("dynamodb", "GetItem", {})
        assert len(sent) == 2

    @pytest.mark.parametrize(
        ("date", "sent_at", "now", "offset"),
        [
            ("Thu, 01 Jan 1970 00:05:00 GMT", 0.0, 0.1, 300.4),
            ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0, 0.1, 0.0),
            ("Thu, 01 Jan 1970 00:05:00 GMT", 0.0, 50.0, None),
            ("nonsense", 0.0, 0.1, None),
            (None, 0.0, 0.1, None),
        ],
        ids=["far off", "near enough", "read long after it was sent", "no date", "none"],
    )
    def test_the_offset_is_read_from_fresh_answers(self, date, sent_at, now, offset) -> None:
        found = clock_offset(date, sent_at, now)
        assert found == (None if offset is None else pytest.approx(offset))
