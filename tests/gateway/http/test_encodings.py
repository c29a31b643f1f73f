"""Compressed bodies, on every kind of address: unpacked within the limit, or refused."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from gateway.http.bodies import unpacked
from gateway.http.errors import GatewayError
from tests.gateway.scripted import ADMIN_KEY, House, ask


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzip.compress),
    ("X-Gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("identity", bytes),
    ("identity, gzip", gzip.compress),
]


@pytest.mark.parametrize(("coding", "pack"), CODINGS)
async def test_a_packed_body_is_read(house: House, coding: str, pack: Callable[[bytes], bytes]) -> None:
    await house.add_account()
    body = json.dumps({"model": "GPT-5", **ask()}).encode()
    answer = await house.call(raw=pack(body), headers={"content-encoding": coding})
    assert answer.status == 200
    key = json.dumps({"name": "packed"}).encode()
    headers = {"content-encoding": coding, "content-type": ""}
    made = await house.call("/admin/keys", raw=pack(key), headers=headers, key=ADMIN_KEY, method="POST")
    assert made.status == 201


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "x"])
async def test_other_codings_are_refused_by_name(house: House, coding: str) -> None:
    answer = await house.call(raw=b"{}", headers={"content-encoding": coding})
    assert (answer.status, answer.error["code"]) == (415, "unsupported_content_encoding")


@pytest.mark.parametrize(
    "body",
    [b"{}", gzip.compress(b"{}")[:-4], gzip.compress(b"{}") + b"x", b"\x1f"],
    ids=["not packed", "cut", "more behind", "one byte"],
)
async def test_a_broken_body_is_the_callers_error(house: House, body: bytes) -> None:
    answer = await house.call(raw=body, headers={"content-encoding": "gzip"})
    assert (answer.status, answer.error["code"]) == (400, "invalid_content_encoding")


def test_a_small_body_that_unpacks_to_much_is_not_unpacked() -> None:
    packed = gzip.compress(bytes(50_000_000))
    with pytest.raises(GatewayError) as caught:
        unpacked(packed, "gzip", max_bytes=1_000_000)
    assert caught.value.status == 413


def test_a_body_as_large_as_allowed_is_unpacked() -> None:
    data: Any = bytes(1_000_000)
    assert unpacked(gzip.compress(data), "gzip", max_bytes=1_000_000) == data
