"""HTTP: what is sent to whom, what is believed, and how failures are told apart. Against raw sockets."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import Delivery, ErrorCode, PoeError
from reverse.web._transport import Part, Transport

pytestmark = pytest.mark.virtual_time

SECRETS = WebCredentials("pb-secret", p_lat="lat-secret", cf_clearance="cf-secret", cf_bm="bm-secret")


class RawServer:
    """Answers every request with the same bytes, and keeps what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.connections = 0
        self.url = ""

    @asynccontextmanager
    async def run(self) -> AsyncIterator[RawServer]:
        writers = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.connections += 1
            writers.append(writer)
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    self.heads.append(head)
                    lengths = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
                    if lengths:
                        await reader.readexactly(int(lengths[0].split(":")[1]))
                    writer.write(self.answer)
                    await writer.drain()
            except (asyncio.IncompleteReadError, OSError):
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for writer in writers:
                writer.close()


def http(body: bytes = b"{}", status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def transport_to(
    server: RawServer, *, wall_clock: Callable[[], float] | None = None, **config: object
) -> AsyncIterator[Transport]:
    settings = PoeConfig(**{"web_base_url": server.url, **config})
    transport = Transport(settings, SECRETS, wall_clock=wall_clock or time.time)
    try:
        yield transport
    finally:
        await transport.aclose()


def cookies_in(head: str) -> list[str]:
    return [line.partition(": ")[2] for line in head.splitlines() if line.lower().startswith("cookie:")]


async def test_sends_the_users_cookies_once_and_an_honest_agent():
    async with RawServer(http()).run() as server, transport_to(server) as transport:
        await transport.request("GET", "/")
        await transport.request("POST", "/api/gql_POST", content=b"{}", headers={"Poe-Formkey": "k"})
    for head in server.heads:
        assert cookies_in(head) == ["p-b=pb-secret; p-lat=lat-secret; cf_clearance=cf-secret; __cf_bm=bm-secret"]
        assert f"User-Agent: {PoeConfig().user_agent}" in head
        assert f"Origin: {server.url}" in head and f"Referer: {server.url}/" in head
        assert "sec-ch" not in head.lower() and "mozilla" not in head.lower()
    assert "Poe-Formkey: k" in server.heads[1]


async def test_the_user_may_name_another_agent():
    async with RawServer(http()).run() as server:
        transport = Transport(PoeConfig(web_base_url=server.url), WebCredentials("x", user_agent="mine/1"))
        await transport.request("GET", "/")
        await transport.aclose()
    assert "User-Agent: mine/1" in server.heads[0]


async def test_cookies_that_the_server_sets_are_not_kept():
    """A second p-b beside the user's is what the published client ends up with."""
    answer = http(b"{}", "200 OK", "Set-Cookie: p-b=other; Path=/", "Set-Cookie: extra=1; Path=/")
    async with RawServer(answer).run() as server, transport_to(server) as transport:
        await transport.request("GET", "/")
        await transport.request("GET", "/")
    assert "other" not in server.heads[1] and "extra" not in server.heads[1]


async def test_other_hosts_get_no_cookies():
    async with RawServer(http()).run() as server, RawServer(http()).run() as other, transport_to(server) as transport:
        await transport.request("GET", f"{other.url}/script.js")
    assert cookies_in(other.heads[0]) == []
    assert "secret" not in other.heads[0]


async def test_redirects_are_not_followed():
    async with RawServer(http()).run() as other:
        answer = http(b"", "302 Found", f"Location: {other.url}/")
        async with RawServer(answer).run() as server, transport_to(server) as transport:
            reply = await transport.request("GET", "/")
    assert reply.status == 302 and other.heads == []


async def test_a_body_beyond_the_limit_is_refused():
    async with RawServer(http(b"x" * 2000)).run() as server, transport_to(server) as transport:
        with pytest.raises(PoeError) as caught:
            await transport.request("GET", "/", max_bytes=1000)
    assert caught.value.code is ErrorCode.PROTOCOL


async def test_a_connection_refused_was_certainly_not_delivered():
    async with RawServer(http()).run() as server:
        pass
    async with transport_to(server) as transport:
        with pytest.raises(PoeError) as caught:
            await transport.request("GET", "/")
    assert caught.value.delivery is Delivery.NOT_SENT
    assert caught.value.code is ErrorCode.CONNECTION_FAILED and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", ErrorCode.TIMEOUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ErrorCode.TIMEOUT),
        (b"not http at all\r\n\r\n", ErrorCode.CONNECTION_FAILED),
        (http(b"xxx", "200 OK", "Content-Encoding: gzip"), ErrorCode.PROTOCOL),
    ],
    ids=["silence", "half", "garbage", "broken encoding"],
)
async def test_failures_after_sending_may_have_been_delivered(answer, code):
    async with RawServer(answer).run() as server, transport_to(server) as transport:
        with pytest.raises(PoeError) as caught:
            await transport.request("GET", "/", timeout_seconds=0.2)
    assert caught.value.code is code
    assert caught.value.delivery is Delivery.UNKNOWN


async def test_a_connection_is_reused_until_the_wall_clock_jumps():
    now = 1000.0
    async with RawServer(http()).run() as server, transport_to(server, wall_clock=lambda: now) as transport:
        await transport.request("GET", "/")
        await transport.request("GET", "/")
        assert server.connections == 1
        now += 60
        await transport.request("GET", "/")
        assert server.connections == 2


async def test_a_proxy_that_the_user_names_is_used(caplog):
    caplog.set_level(logging.DEBUG, "reverse")
    async with RawServer(http(b'{"via":"proxy"}')).run() as proxy:
        config = PoeConfig(web_base_url="http://poe.example", proxy=proxy.url)
        transport = Transport(config, SECRETS)
        reply = await transport.request("GET", "/path")
        await transport.aclose()
    assert reply.body == b'{"via":"proxy"}'
    assert proxy.heads[0].startswith("GET http://poe.example/path ")


async def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with RawServer(http()).run() as server, transport_to(server) as transport:
        assert (await transport.request("GET", "/")).status == 200


async def test_parts_keep_their_order_and_a_plain_field_has_no_file_name():
    seen = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length"))
        seen.extend(await reader.readexactly(length))
        writer.write(http())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    config = PoeConfig(web_base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    transport = Transport(config, SECRETS)
    parts = [
        Part("queryInfo", b'{"a":1}'),
        Part("file0", b"AAA", "a.txt", "text/plain"),
        Part("file1", b"B", "b.png", "image/png"),
    ]
    await transport.request("POST", "/api/gql_upload_POST", parts=parts)
    await transport.aclose()
    server.close()
    names = [line for line in bytes(seen).split(b"\r\n") if line.startswith(b"Content-Disposition")]
    assert names == [
        b'Content-Disposition: form-data; name="queryInfo"',
        b'Content-Disposition: form-data; name="file0"; filename="a.txt"',
        b'Content-Disposition: form-data; name="file1"; filename="b.png"',
    ]


@pytest.mark.parametrize("cookie", ["a\r\nX: y", "a;b", "ä", "a\x00"])
def test_a_cookie_that_could_bend_a_header_is_refused_without_being_quoted(cookie):
    with pytest.raises(ValueError, match="can't be sent") as caught:
        Transport(PoeConfig(), WebCredentials(cookie))
    assert cookie not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://[::1", "http://x:99999/", "https://x:port/", "//a..b/x.js", f"//{'a' * 70}.example/", "ftp://x/"]
)
async def test_an_address_of_no_use_from_a_page_is_a_typed_failure(url):
    transport = Transport(PoeConfig(), SECRETS)
    with pytest.raises(PoeError) as caught:
        await transport.request("GET", url, operation="script")
    await transport.aclose()
    assert (caught.value.code, caught.value.delivery) == (ErrorCode.PROTOCOL, Delivery.NOT_SENT)
    assert caught.value.operation == "script"


async def test_an_address_of_a_page_may_have_characters_that_must_be_encoded():
    async with RawServer(http()).run() as server, transport_to(server) as transport:
        await transport.request("GET", "/_next/ä b.js?é")
    assert server.heads[0].startswith("GET /_next/%C3%A4%20b.js?%C3%A9 HTTP/1.1\r\n")


async def test_a_closed_transport_opens_nothing():
    async with RawServer(http()).run() as server:
        async with transport_to(server) as transport:
            await transport.request("GET", "/")
        with pytest.raises(PoeError) as caught:
            await transport.request("GET", "/")
        assert caught.value.delivery is Delivery.NOT_SENT
        assert len(server.heads) == 1
