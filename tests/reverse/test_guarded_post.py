"""Posting to an address that an owner chose."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from reverse.errors import ErrorCode, PoeError
from reverse.guarded_post import check_address, post
from reverse.url_guard import FetchPolicy
from tests.reverse.test_fetch import Server, answering, certificate, loopback, response, serving

ON_LOOPBACK = FetchPolicy(is_allowed=lambda address: address.is_loopback)
SECRET_PATH = "/hooks/secret-token"


async def send(server: Server, name: str, trusting: ssl.SSLContext, *, seconds: float = 20) -> int:
    return await post(
        f"https://{name}:{server.port}{SECRET_PATH}",
        b'{"a":1}',
        headers={"content-type": "application/json"},
        timeout_seconds=seconds,
        resolver=loopback,
        policy=ON_LOOPBACK,
        tls_context=trusting,
    )


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "500 Oops"])
async def test_the_status_of_the_answer_is_told(tmp_path: Path, status: str) -> None:
    context = certificate(tmp_path, "hooks.example.com")
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")
    async with serving(answering(response(b"ignored", status)), context) as server:
        assert await send(server, "hooks.example.com", trusting) == int(status[:3])
    (head,) = server.heads
    assert head.startswith(f"POST {SECRET_PATH} HTTP/1.1\r\n")
    assert f"Host: hooks.example.com:{server.port}\r\n" in head
    assert "content-length: 7" in head.lower()


async def test_no_redirect_is_followed(tmp_path: Path) -> None:
    context = certificate(tmp_path, "hooks.example.com")
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")
    moved = response(status="307 Moved", location="https://hooks.example.com/elsewhere")
    async with serving(answering(moved), context) as server:
        assert await send(server, "hooks.example.com", trusting) == 307
    assert len(server.heads) == 1


async def test_tls_is_verified_for_the_name(tmp_path: Path) -> None:
    context = certificate(tmp_path, "hooks.example.com")
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")
    async with serving(answering(response()), context) as server:
        with pytest.raises(PoeError) as caught:
            await send(server, "other.example.com", trusting)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert server.heads == []
    assert "secret" not in str(caught.value)


async def test_an_answer_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    context = certificate(tmp_path, "hooks.example.com")
    trusting = ssl.create_default_context(cafile=tmp_path / "server.pem")

    async def silent(*_: object) -> None:
        await asyncio.Event().wait()

    async with serving(silent, context) as server:
        with pytest.raises(PoeError):
            await send(server, "hooks.example.com", trusting, seconds=1)
    assert len(server.heads) <= 1, "it is sent once"


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://localhost/",
        "https://metadata.internal/",
        "https://user:password@example.com/",
        "https://example.com:22/",
        "ftp://example.com/",
        "https://exa mple.com/",
        "",
    ],
)
async def test_an_address_that_is_not_public_and_https_is_refused(url: str) -> None:
    with pytest.raises(PoeError) as caught:
        check_address(url)
    assert caught.value.code is ErrorCode.UNSAFE_URL
    with pytest.raises(PoeError):
        await post(url, b"", headers={}, timeout_seconds=1)


async def test_a_name_that_leads_inside_is_refused_at_the_time_of_posting() -> None:
    for inside in ("127.0.0.1", "10.0.0.1", "169.254.169.254"):

        async def resolver(host: str, port: int, found: str = inside) -> list[str]:
            return ["93.184.216.34", found]

        with pytest.raises(PoeError) as caught:
            await post("https://hooks.example.com/", b"", headers={}, timeout_seconds=5, resolver=resolver)
        assert caught.value.code is ErrorCode.UNSAFE_URL
