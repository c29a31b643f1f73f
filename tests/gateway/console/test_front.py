"""What browsers get below `/console`: the index, files that never change, and the headers that keep scripts out."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.console import front
from gateway.console.files import read_files
from gateway.console.front import CONTENT_SECURITY_POLICY
from tests.gateway.scripted import API_KEY, Answer, House

APP = b"export const a = 1;\n" * 100


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pages").mkdir()
    (tmp_path / "index.html").write_text('<script type="module" src="static/@/app.js"></script>')
    (tmp_path / "app.js").write_bytes(APP)
    (tmp_path / "pages/keys.js").write_text("export const keys = 1;")
    monkeypatch.setattr(front, "read_files", lambda: read_files(tmp_path))
    return tmp_path


async def get(house: House, path: str, **more: Any) -> Answer:
    return await house.call(path, key=None, **more)


async def app_path(house: House) -> str:
    index = await get(house, "/console/")
    return "/console/" + index.body.decode().partition('src="')[2].partition('"')[0]


async def test_the_index_is_at_the_folder(house: House, files: Path) -> None:
    moved = await get(house, "/console")
    assert (moved.status, moved.headers["location"]) == (308, "console/")
    index = await get(house, "/console/")
    assert (index.status, index.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert index.headers["cache-control"] == "no-cache"
    same = await get(house, "/console/", headers={"if-none-match": f"W/{index.headers['etag']}"})
    assert (same.status, same.body) == (304, b"")


async def test_a_file_is_kept_for_ever_under_the_hash_of_all_of_them(house: House, files: Path) -> None:
    path = await app_path(house)
    found = await get(house, path)
    assert (found.status, found.body) == (200, APP)
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (await get(house, path.replace("app.js", "pages/keys.js"))).status == 200


async def test_text_is_sent_compressed_to_who_takes_it(house: House, files: Path) -> None:
    path = await app_path(house)
    for accepted in ("gzip", "br, gzip;q=0.8", "GZIP, deflate"):
        found = await get(house, path, headers={"accept-encoding": accepted})
        assert found.headers["content-encoding"] == "gzip"
        assert found.headers["content-length"] == str(len(found.body))
        assert gzip.decompress(found.body) == APP
    for refused in ("", "br", "gzip;q=0", "gzip; q=0.0"):
        found = await get(house, path, headers={"accept-encoding": refused})
        assert (found.body, found.headers["vary"]) == (APP, "accept-encoding")
        assert "content-encoding" not in found.headers


async def test_the_headers_of_a_file_can_be_asked_for_alone(house: House, files: Path) -> None:
    found = await get(house, await app_path(house), method="HEAD")
    assert (found.status, found.body, found.headers["content-length"]) == (200, b"", str(len(APP)))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_files_are_read_only(house: House, files: Path, method: str) -> None:
    refused = await get(house, "/console/", method=method)
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/console/static/{digest}/../../api.py",
        "/console/static/{digest}/%2e%2e/index.html",
        "/console/static/{digest}/..",
        "/console/static/../static/{digest}/app.js",
        "/console/static/{digest}//etc/passwd",
        "/console/static/{digest}/index.html",
        "/console/static/{digest}/",
        "/console/static/{digest}/app.js\x00.png",
        "/console/static/0123456789abcdef/app.js",
        "/console/static/@/app.js",
        "/console/app.js",
        "/console/api.py",
        "/console/index.html",
        "/consoles",
    ],
)
async def test_nothing_else_is_found(house: House, files: Path, path: str) -> None:
    digest = (await app_path(house)).split("/")[3]
    missing = await get(house, path.replace("{digest}", digest))
    assert (missing.status, missing.error["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/v1/console", "/v1/console/", "/v1/console/api/session", "/v1/v1/console/"])
async def test_the_console_is_not_below_v1(house: House, files: Path, path: str) -> None:
    assert (await get(house, path)).status == 404
    assert (await house.call(path, key=API_KEY)).status == 404


@pytest.mark.parametrize(
    "path",
    ["/console", "/console/", "/console/none", "/console/static/x/y.js", "/console/api/none", "/console/api/session"],
)
async def test_every_answer_forbids_foreign_and_inline_code_and_frames(house: House, files: Path, path: str) -> None:
    headers = (await get(house, path)).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert policy["default-src"] == "'none'"
    assert (policy["script-src"], policy["style-src"], policy["connect-src"]) == ("'self'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'none'")
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert "access-control-allow-credentials" not in headers


async def test_other_addresses_have_no_headers_of_the_console(house: House) -> None:
    assert "content-security-policy" not in (await get(house, "/healthz")).headers


def test_files_are_served_without_loading_anything_but_themselves() -> None:
    """In a process of its own, after what a cold start loads: not FastAPI, and no module of the pages."""
    program = """
import asyncio, sys
from gateway.app import create_app, preload
from gateway.settings import Settings
from gateway.bootstrap import build_services
app = create_app(lambda: build_services(Settings.from_env({"GATEWAY_STORE": "memory"})))
app.services, preload()
async def call(path):
    sent = []
    async def send(message): sent.append(message)
    async def receive(): return {"type": "http.request", "body": b""}
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "client": None}
    await app(scope, receive, send)
    return sent[0]["status"]
before = set(sys.modules)
asyncio.run(call("/healthz"))
loaded = set(sys.modules)
status = asyncio.run(call("/console/"))
asyncio.run(call("/console/static/0000000000000000/app.js"))
new = sorted(set(sys.modules) - loaded)
assert not [name for name in sys.modules if name.startswith(("fastapi", "pydantic", "gateway.console.pages"))], new
print(status, *new)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    new = done.stdout.split()[1:]
    assert [name for name in new if name.split(".")[0] in ("gateway", "accounts", "reverse", "pool", "starlette")] == []
