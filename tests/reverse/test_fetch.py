"""Fetching from addresses that users give: what is refused, what is limited, what is recognized."""

from __future__ import annotations

import asyncio
import datetime
import io
import ipaddress
import logging
import ssl
import traceback
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from reverse.errors import ErrorCode, PoeError, RequestError
from reverse.fetch import FetchedFile, OpenFile, _announced, fetch, open_file, parse_data_url
from reverse.file_types import safe_name, sniff_type
from reverse.url_guard import FetchPolicy, is_public, parse_target
from tests.virtual_time import now

LOOPBACK = FetchPolicy(allow_http=True, is_allowed=lambda address: address.is_loopback)

# Every one leads, or could lead, somewhere it must not. None may get as far as a look-up.
REFUSED_UNSEEN = [
    # Loopback, private, shared, link-local, reserved.
    "https://127.0.0.1/",
    "https://127.1.2.3:8443/x",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://172.31.255.255/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://100.100.100.200/latest/meta-data/",
    "https://169.254.169.254/latest/meta-data/",
    "https://169.254.170.2/v2/credentials",
    "https://192.0.0.192/",
    "https://192.0.2.1/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://198.51.100.7/",
    "https://203.0.113.9/",
    "https://224.0.0.1/",
    "https://239.255.255.250/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    # IPv6, and IPv4 inside it.
    "https://[::1]/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[fec0::1]/",
    "https://[ff02::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:8.8.8.8]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::8.8.8.8]/",
    "https://[64:ff9b:1::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "https://[2001:db8::1]/",
    "https://[3fff::1]/",
    "https://[100::1]/",
    "https://[2a00:1450::5efe:10.0.0.1]/",
    "https://[::1]:443/",
    "https://[0:0:0:0:0:0:0:1]/",
    "https://[v1.x]/",
    "https://[::1",
    "https://::1/",
    # IPv4 in other notations.
    "https://2130706433/",
    "https://017700000001/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://1.1.1.1./",
    "https://8.8.8.0x8/",
    "https://0x8.8.8.8/",
    "https://134744072/",
    "https://256.256.256.256/",
    "https://1.2.3.4.5/",
    "https://example.com.0x7f/",
    # Characters beyond ASCII in the host, and what they fold to.
    "https://①②⑦.⓪.⓪.①/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127。0。0。1/",
    "https://\u0663.\u0664.\u0665.\u0666/",
    "https://exämple.com/",
    "https://loca\u212ahost.example.com/",
    "https://ⓔxample.com/",
    "https://example.com\u3002evil.com/",
    "https://exa\u00admple.com/",
    # User information, confusion of parsers, percent signs, controls.
    "https://user@example.com/",
    "https://user:pass@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com:443\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https:/example.com/",
    "https:example.com/",
    "https:///example.com/",
    "//example.com/",
    "https://%31%32%37.0.0.1/",
    "https://example.com%2f@127.0.0.1/",
    "https://example.com%00.evil.com/",
    "https://exam\tple.com/",
    "https://example.com/\r\nHost: evil",
    "https://example.com /",
    " https://example.com/",
    "https://example.com/a b",
    "https://example.com\n",
    "https://",
    "https://.",
    "https://..",
    "",
    # Names that are not public, or not names.
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://intranet/",
    "https://metadata.google.internal/computeMetadata/v1/",
    "https://printer.local/",
    "https://app.localhost/",
    "https://router.home.arpa/",
    "https://hidden.onion/",
    "https://example..com/",
    "https://.example.com/",
    "https://example.com./",
    "https://-example.com/",
    "https://example-.com/",
    f"https://{'a' * 64}.com/",
    f"https://{'a.' * 127}com/",
    # Schemes and ports.
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com:70/_x",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "dict://example.com:11211/stat",
    "jar:https://example.com!/",
    "HTTPS+unix://example.com/",
    "https://example.com:0/",
    "https://example.com:22/",
    "https://example.com:25/",
    "https://example.com:65536/",
    "https://example.com:99999/",
    "https://example.com:-1/",
    "https://example.com:+443/",
    "https://example.com:\uff14\uff14\uff13/",
    "https://example.com:443:80/",
    "https://example.com:https/",
    "https://example.com/" + "a" * 5000,
]


async def never_asked(host: str, port: int) -> list[str]:
    pytest.fail(f"looked up {host}")


def test_the_corpus_is_large_enough_and_has_no_doubles() -> None:
    assert len(set(REFUSED_UNSEEN)) == len(REFUSED_UNSEEN) >= 100


@pytest.mark.parametrize("url", REFUSED_UNSEEN, ids=lambda url: repr(url)[:60])
async def test_a_hostile_address_is_refused_before_any_look_up(url: str) -> None:
    with pytest.raises(RequestError) as caught:
        await fetch(url, max_bytes=10, timeout_seconds=1, resolver=never_asked)
    assert caught.value.code is ErrorCode.UNSAFE_URL


RESOLVED_TO = [
    ["127.0.0.1"],
    ["10.1.2.3"],
    ["169.254.169.254"],
    ["100.64.0.1"],
    ["0.0.0.0"],
    ["::1"],
    ["fd00:ec2::254"],
    ["fe80::1%eth0"],
    ["::ffff:10.0.0.1"],
    ["64:ff9b::a9fe:a9fe"],
    ["2002:a00:1::"],
    ["93.184.216.34", "127.0.0.1"],
    ["2606:2800:220:1::1", "fc00::1"],
    ["not an address"],
    [],
]


@pytest.mark.parametrize("addresses", RESOLVED_TO, ids=repr)
async def test_a_public_name_that_leads_inside_is_refused(addresses: list[str]) -> None:
    async def resolver(host: str, port: int) -> list[str]:
        return addresses

    with pytest.raises(RequestError) as caught:
        await fetch("https://example.com/x", max_bytes=10, timeout_seconds=1, resolver=resolver)
    assert caught.value.code is ErrorCode.UNSAFE_URL


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://EXAMPLE.com/",
        "HTTPS://example.com:8443/a/b?c=d&e=%20f#g",
        "https://xn--exmple-cua.com/ü.png?q=漢",
        "https://under_score.example.com/",
        "https://1.1.1.1/",
        "https://93.184.216.34:443/x",
        "https://[2606:4700:4700::1111]/",
        "https://3com.com/",
        "https://0x.example.com/",
    ],
)
def test_an_ordinary_address_is_accepted(url: str) -> None:
    target = parse_target(url, FetchPolicy())
    assert target.scheme == "https"
    assert target.path.isascii() and target.path.startswith("/")
    assert parse_target(target.url, FetchPolicy()) == target


@given(st.ip_addresses(v=4))
def test_what_the_standard_library_calls_private_is_never_public(address: ipaddress.IPv4Address) -> None:
    assert not is_public(address) or (address.is_global and not address.is_multicast and not address.is_reserved)


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_that_embeds_ipv4_is_public(address: ipaddress.IPv6Address) -> None:
    embeds = address.ipv4_mapped or address.sixtofour or address.teredo
    assert not is_public(address) or (address.is_global and not embeds)


@given(st.text(max_size=80))
def test_any_text_is_a_target_or_a_request_error(text: str) -> None:
    for url in (text, f"https://{text}", f"https://example.com{text}"):
        try:
            parse_target(url, FetchPolicy())
        except PoeError as error:
            assert error.code is ErrorCode.UNSAFE_URL


# A server of a few lines, so that it can misbehave.

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Server:
    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            server.heads.append(head)
            await handler(head.split(" ")[1], writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def response(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *lines])
    return f"{head}\r\n\r\n".encode() + body


def answering(data: bytes) -> Handler:
    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return handler


async def loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def get(
    server: Server, path: str = "/a.txt", *, max_bytes: int = 1000, timeout_seconds: float = 2
) -> FetchedFile:
    return await fetch(
        f"http://files.example.com:{server.port}{path}",
        max_bytes=max_bytes,
        timeout_seconds=timeout_seconds,
        resolver=loopback,
        policy=LOOPBACK,
    )


async def test_a_file_arrives_with_its_type_and_name_and_the_host_is_kept() -> None:
    async with serving(answering(response(b'{"a": 1}'))) as server:
        file = await get(server, "/some%20dir/d%C3%A4ta?x=1")
    assert (file.data, file.content_type, file.name) == (b'{"a": 1}', "application/json", "däta.json")
    assert f"Host: files.example.com:{server.port}" in server.heads[0]
    assert "GET /some%20dir/d%C3%A4ta?x=1 HTTP/1.1" in server.heads[0]
    assert "data" not in repr(file) and "http" not in repr(file)


def test_a_checked_address_shows_its_host_and_not_its_signature() -> None:
    shown = repr(parse_target("https://files.example.com/a?signature=private", FetchPolicy()))
    assert "files.example.com" in shown and "private" not in shown


async def test_no_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """An address may hold a signature, which is as good as a password."""
    caplog.set_level(logging.DEBUG)
    async with serving(answering(response(b"x"))) as server:
        await get(server, "/a?signature=s3cret-value")
        with pytest.raises(RequestError) as caught:
            await get(server, "/a?signature=s3cret-value", max_bytes=0)
    assert not any("s3cret" in record.getMessage() for record in caplog.records)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value, limit=0))


async def test_the_answer_of_a_second_look_up_is_never_used() -> None:
    """The name leads to the public server at the check, and to a private one at every later look-up."""
    answers = [["127.0.0.1"], ["10.0.0.1"], ["10.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    async with serving(answering(response(b"public"))) as server:
        url = f"http://rebind.example.com:{server.port}/"
        file = await fetch(url, max_bytes=100, timeout_seconds=2, resolver=rebinding, policy=LOOPBACK)
        assert file.data == b"public"
        assert asked == ["rebind.example.com"]
        asked.clear()
        answers[0] = ["10.0.0.1"]
        with pytest.raises(RequestError) as caught:
            await fetch(url, max_bytes=100, timeout_seconds=2, resolver=rebinding, policy=LOOPBACK)
    assert caught.value.code is ErrorCode.UNSAFE_URL
    assert len(server.heads) == 1


async def test_the_system_resolver_is_not_asked_again_while_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def forbidden(*args: object, **kwargs: object) -> list[object]:
        assert args[0] == "127.0.0.1", "only the checked address may reach the socket layer"
        return await original(*args, **kwargs)

    loop = asyncio.get_running_loop()
    original = loop.getaddrinfo
    monkeypatch.setattr(loop, "getaddrinfo", forbidden)
    async with serving(answering(response(b"x"))) as server:
        assert (await get(server)).data == b"x"


REDIRECT_TARGETS = [
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "http://2130706433/",
    "//10.0.0.1/",
    "file:///etc/passwd",
    "ftp://files.example.com/",
    "http://user@files.example.com/",
    "http://localhost/",
    "http://[",
]


@pytest.mark.parametrize("location", REDIRECT_TARGETS)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_a_redirect_to_a_forbidden_place_is_not_followed(location: str, status: str) -> None:
    public_only = FetchPolicy(allow_http=True, is_allowed=lambda address: str(address) == "127.0.0.1")
    async with serving(answering(response(b"", status, Location=location))) as server:
        url = f"http://files.example.com:{server.port}/"
        with pytest.raises(RequestError) as caught:
            await fetch(url, max_bytes=100, timeout_seconds=2, resolver=loopback, policy=public_only)
    assert caught.value.code is ErrorCode.UNSAFE_URL
    assert len(server.heads) == 1


async def test_a_redirect_name_is_checked_by_what_it_resolves_to() -> None:
    async def resolver(host: str, port: int) -> list[str]:
        return ["10.0.0.1"] if host == "inside.example.com" else ["127.0.0.1"]

    async with serving(answering(response(b"", "302 Found", Location="http://inside.example.com/"))) as server:
        url = f"http://files.example.com:{server.port}/"
        with pytest.raises(RequestError) as caught:
            await fetch(url, max_bytes=100, timeout_seconds=2, resolver=resolver, policy=LOOPBACK)
    assert caught.value.code is ErrorCode.UNSAFE_URL


async def test_redirects_are_followed_within_bounds() -> None:
    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        step = int(path.rsplit("/", 1)[-1])
        writer.write(response(b"there") if step == 4 else response(b"", "302 Found", Location=f"/hop/{step + 1}"))

    async with serving(handler) as server:
        assert (await get(server, "/hop/0")).url == f"http://files.example.com:{server.port}/hop/4"
        with pytest.raises(RequestError) as caught:
            await get(server, "/hop/-1")
    assert caught.value.code is ErrorCode.UNSAFE_URL


async def test_a_redirect_from_https_to_http_needs_leave() -> None:
    with pytest.raises(PoeError) as caught:
        parse_target("http://example.com/", FetchPolicy())
    assert caught.value.code is ErrorCode.UNSAFE_URL


async def test_a_file_that_announces_too_much_is_not_read() -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")) as server:
        with pytest.raises(RequestError) as caught:
            await get(server)
    assert caught.value.code is ErrorCode.FILE_TOO_LARGE


async def test_a_file_that_grows_beyond_the_limit_is_cut_off() -> None:
    async def endless(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    async with serving(endless) as server:
        with pytest.raises(RequestError) as caught:
            await get(server, max_bytes=10_000)
    assert caught.value.code is ErrorCode.FILE_TOO_LARGE


async def test_a_file_of_exactly_the_limit_is_accepted() -> None:
    async with serving(answering(response(b"x" * 1000))) as server:
        assert len((await get(server, max_bytes=1000)).data) == 1000


@pytest.mark.virtual_time
async def test_a_slow_drip_ends_at_the_time_limit() -> None:
    async def dripping(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    started = now()
    async with serving(dripping) as server:
        with pytest.raises(RequestError) as caught:
            await get(server, timeout_seconds=0.2)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert now() - started < 0.3


@pytest.mark.virtual_time
async def test_silence_and_a_slow_look_up_end_at_the_time_limit() -> None:
    async def silent(path: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async def slow(host: str, port: int) -> list[str]:
        await asyncio.sleep(30)
        return []

    async with serving(silent) as server:
        with pytest.raises(RequestError):
            await get(server, timeout_seconds=0.1)
    with pytest.raises(RequestError):
        await fetch("https://example.com/", max_bytes=1, timeout_seconds=0.1, resolver=slow)


@pytest.mark.parametrize(
    "raw",
    [
        response(b"no", "404 Not Found"),
        response(b"", "500 Oops"),
        response(b"x", "206 Partial"),
        response(b"x", Content_Encoding="gzip"),
        response(b"", "302 Found"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
    ids=repr,
)
async def test_what_is_no_whole_file_is_a_bad_request(raw: bytes) -> None:
    async with serving(answering(raw)) as server:
        with pytest.raises(RequestError) as caught:
            await get(server)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_an_unknown_host_and_a_refused_connection_are_bad_requests() -> None:
    async def unknown(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    for url, resolver in (("http://gone.example.com/", unknown), ("http://files.example.com:9000/", loopback)):
        with pytest.raises(RequestError) as caught:
            await fetch(url, max_bytes=1, timeout_seconds=2, resolver=resolver, policy=LOOPBACK)
        assert caught.value.code is ErrorCode.INVALID_REQUEST


def certificate(folder: Path, name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize(("asked", "accepted"), [("files.example.com", True), ("other.example.com", False)])
async def test_tls_is_verified_for_the_name_although_the_address_is_pinned(
    tmp_path: Path, asked: str, accepted: bool
) -> None:
    server_context = certificate(tmp_path, "files.example.com")
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")
    names: list[str | None] = []
    server_context.sni_callback = lambda _socket, name, _context: names.append(name)
    async with serving(answering(response(b"secret")), server_context) as server:
        wanted = fetch(
            f"https://{asked}:{server.port}/",
            max_bytes=100,
            timeout_seconds=2,
            resolver=loopback,
            policy=FetchPolicy(is_allowed=lambda address: address.is_loopback),
            tls_context=trusting,
        )
        if accepted:
            assert (await wanted).data == b"secret"
        else:
            with pytest.raises(RequestError):
                await wanted
    assert names[0] == asked


async def test_cancelling_closes_the_connection() -> None:
    closed = asyncio.Event()

    async def waiting(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        await writer.drain()
        started.set()
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.005)
        except OSError:
            closed.set()

    started = asyncio.Event()
    async with serving(waiting) as server:
        task = asyncio.create_task(get(server, max_bytes=10_000_000, timeout_seconds=20))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


# Types and names.


def _office(folder: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # A fixed date: the bytes are part of a test's name, which is the same in every worker.
        archive.writestr(zipfile.ZipInfo("[Content_Types].xml"), "<Types/>")
        archive.writestr(zipfile.ZipInfo(f"{folder}/document.xml"), "<x/>")
    return buffer.getvalue()


OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n....", "a.txt", "image/png"),
        (b"\xff\xd8\xff\xe0", "", "image/jpeg"),
        (b"GIF89a", "x.png", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "", "audio/wav"),
        (b"ID3\x04", "", "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "", "audio/mpeg"),
        (b"\x00\x00\x00\x18ftypisom", "", "video/mp4"),
        (b"\x00\x00\x00\x18ftypM4A ", "", "audio/mp4"),
        (b"\x1aE\xdf\xa3", "", "video/webm"),
        (b"%PDF-1.7", "x.html", "application/pdf"),
        (_office("xl"), "", f"{OFFICE}.spreadsheetml.sheet"),
        (_office("ppt"), "x.zip", f"{OFFICE}.presentationml.presentation"),
        (_office("word"), "", f"{OFFICE}.wordprocessingml.document"),
        (_office("other"), "", "application/zip"),
        (b"PK\x03\x04 broken", "", "application/zip"),
        (b"PK\x03\x04 broken", "a.epub", "application/epub+zip"),
        (b'{"a": [1]}', "", "application/json"),
        (b"[1, 2", "", "text/plain"),
        (b"[" * 5000, "", "text/plain"),
        (b"a,b\n1,2\n", "t.csv", "text/csv"),
        (b"# hi", "README.md", "text/markdown"),
        (b"<!DOCTYPE html><p>", "", "text/html"),
        (b"<html>", "image.png", "text/html"),
        (b"<?xml version='1.0'?><a/>", "", "application/xml"),
        (b"<svg xmlns='x'/>", "", "image/svg+xml"),
        ("hello ä".encode(), "", "text/plain"),
        ("hello".encode("utf-16"), "", "text/plain"),
        (b"\x00\x01\x02", "a.txt", "application/octet-stream"),
        (b"\xc3\x28", "a.txt", "application/octet-stream"),
        (b"", "", "text/plain"),
    ],
    ids=repr,
)
def test_a_type_is_told_by_the_bytes_first(data: bytes, name: str, kind: str) -> None:
    assert sniff_type(data, name) == kind


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes_have_a_type_and_any_name_becomes_safe(data: bytes, name: str) -> None:
    kind = sniff_type(data, name)
    cleaned = safe_name(name, kind)
    assert cleaned and len(cleaned) <= 110
    assert not set(cleaned) & set('/\\:*?"<>|\r\n\x00')
    assert not cleaned.startswith(".")


# Data URLs.


@pytest.mark.parametrize(
    ("url", "data", "kind", "name"),
    [
        ("data:,hello%20there", b"hello there", "text/plain", "file.txt"),
        ("data:text/plain;charset=utf-8;base64,aGVsbG8=", b"hello", "text/plain", "file.txt"),
        ("data:image/png;base64,iVBORw0KGgo", b"\x89PNG\r\n\x1a\n", "image/png", "file.png"),
        ("DATA:image/gif;name=cat.gif;BASE64,R0lGODlh", b"GIF89a", "image/gif", "cat.gif"),
        ("data:image/png;base64,aGVsbG8%3D", b"hello", "text/plain", "file.txt"),
        ("data:;base64,__v_", b"\xff\xfb\xff", "audio/mpeg", "file.mp3"),
        ("data:text/plain;name=..%2F..%2Fetc%2Fpasswd,x", b"x", "text/plain", "passwd.txt"),
    ],
)
def test_a_data_url_is_decoded_and_its_type_checked(url: str, data: bytes, kind: str, name: str) -> None:
    file = parse_data_url(url, max_bytes=100)
    assert (file.data, file.content_type, file.name, file.url) == (data, kind, name, None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data:",
        "data:text/plain",
        "https://example.com/",
        "data:;base64,a",
        "data:;base64,§§§§",
        "data:;base64,a$b=",
    ],
)
def test_a_broken_data_url_is_a_bad_request(url: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_data_url(url, max_bytes=100)
    assert caught.value.code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("url", ["data:," + "x" * 101, "data:;base64," + "QUFB" * 34, "data:," + "x" * 10_000])
def test_a_large_data_url_is_refused(url: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_data_url(url, max_bytes=100)
    assert caught.value.code is ErrorCode.FILE_TOO_LARGE


@given(st.text(max_size=100))
def test_any_text_is_a_data_url_or_a_request_error(text: str) -> None:
    for url in (text, f"data:{text}", f"data:;base64,{text}"):
        try:
            parse_data_url(url, max_bytes=1000)
        except PoeError as error:
            assert isinstance(error, RequestError)


@asynccontextmanager
async def opened(
    server: Server, path: str, *, max_bytes: int = 10_000_000, timeout_seconds: float = 5
) -> AsyncIterator[OpenFile]:
    async with open_file(
        f"http://files.example.com:{server.port}{path}",
        max_bytes=max_bytes,
        timeout_seconds=timeout_seconds,
        resolver=loopback,
        policy=LOOPBACK,
    ) as file:
        yield file


async def test_a_file_can_be_read_piece_by_piece() -> None:
    data = b"\x89PNG\r\n\x1a\n" + bytes(3_000_000)
    async with serving(answering(response(data))) as server, opened(server, "/a/picture") as file:
        assert (file.content_type, file.name, file.size) == ("image/png", "picture.png", len(data))
        pieces = [piece async for piece in file.chunks]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) < 1_000_000


async def test_an_empty_file_can_be_opened() -> None:
    async with serving(answering(response(b""))) as server, opened(server, "/nothing") as file:
        assert b"".join([piece async for piece in file.chunks]) == b""


async def test_an_opened_file_ends_where_it_is_too_large() -> None:
    async with serving(answering(response(bytes(5000)))) as server:
        with pytest.raises(PoeError) as caught:
            async with opened(server, "/x", max_bytes=4999):
                pass
        assert caught.value.code is ErrorCode.FILE_TOO_LARGE
    unannounced = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(5000)
    async with serving(answering(unannounced)) as server:
        with pytest.raises(PoeError) as caught:
            async with opened(server, "/x", max_bytes=4999) as file:
                [piece async for piece in file.chunks]
        assert caught.value.code is ErrorCode.FILE_TOO_LARGE


async def test_an_opened_file_has_the_same_guards() -> None:
    for url in ("https://169.254.169.254/", "http://example.com/", "file:///etc/passwd"):
        with pytest.raises(PoeError) as caught:
            async with open_file(url, max_bytes=10, timeout_seconds=1):
                pass
        assert caught.value.code is ErrorCode.UNSAFE_URL


@pytest.mark.virtual_time
async def test_an_opened_file_that_stops_arriving_is_given_up() -> None:
    async def stall(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + bytes(100))
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(stall) as server:
        with pytest.raises(PoeError) as caught:
            async with opened(server, "/x", timeout_seconds=0.2) as file:
                [piece async for piece in file.chunks]
        assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_a_file_whose_first_bytes_drip_is_given_up() -> None:
    """The time is one for all that comes before the first piece, not one for each byte of it."""

    async def drip(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        for _ in range(500):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with serving(drip) as server:
        with pytest.raises(PoeError) as caught:
            async with opened(server, "/x", timeout_seconds=0.5):
                pass
        assert caught.value.code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("length", ["000000000000000000005000", "9" * 30, "٣", "1" * 5000])
def test_an_odd_length_is_none(length: str) -> None:
    assert _announced(httpx.Response(200, headers={"content-length": length.encode()})) is None
