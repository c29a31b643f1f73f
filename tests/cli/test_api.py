"""The HTTP side of the command line, against a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from poegw.api import ApiError, Gateway, base_url, is_plain_and_remote, segment
from poegw.errors import CommandError, Exit


class Answering(BaseHTTPRequestHandler):
    """Answers what the test put into `server.answers`, and notes what it was asked."""

    server: Any

    def do_GET(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.server.seen.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
        status, headers, body = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    listening.answers, listening.seen = [], []  # type: ignore[attr-defined]
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    yield listening
    listening.shutdown()
    thread.join()
    listening.server_close()


@pytest.fixture
def gateway(server: Any) -> Gateway:
    return Gateway(f"http://127.0.0.1:{server.server_address[1]}/v1/", "key", timeout_seconds=10)


def answer(server: Any, body: object, status: int = 200, **headers: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    server.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, content))


def test_a_request_carries_the_key_and_json(server: Any, gateway: Gateway) -> None:
    answer(server, {"id": 1})
    assert gateway.send("POST", "/admin/keys", {"name": "ä"}) == {"id": 1}
    ((method, path, headers, body),) = server.seen
    assert (method, path, json.loads(body)) == ("POST", "/admin/keys", {"name": "ä"})
    assert headers["authorization"] == "Bearer key"
    assert headers["user-agent"].startswith("poegw/")


def test_pages_are_followed_up_to_the_limit(server: Any, gateway: Gateway) -> None:
    answer(server, {"data": [{"n": 1}, {"n": 2}], "next_cursor": "c"})
    answer(server, {"data": [{"n": 3}, {"n": 4}], "next_cursor": "d"})
    assert [item["n"] for item in gateway.pages("/admin/requests", limit=3, model=None, key="k")] == [1, 2, 3]
    assert [seen[1] for seen in server.seen] == [
        "/admin/requests?limit=3&key=k",
        "/admin/requests?cursor=c&limit=1&key=k",
    ]


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [(401, Exit.NOT_LOGGED_IN), (403, Exit.REFUSED), (429, Exit.REFUSED), (400, Exit.FAILURE), (502, Exit.FAILURE)],
)
def test_an_error_has_its_sentence_its_status_and_the_request_id(
    server: Any, gateway: Gateway, status: int, exit_status: Exit
) -> None:
    answer(
        server, {"error": {"message": "No.", "type": "t", "code": "c"}}, status, x_request_id="req_1", retry_after="7"
    )
    with pytest.raises(ApiError) as caught:
        gateway.get("/admin/accounts")
    error = caught.value
    assert (error.message, error.code, error.status, error.request_id) == ("No.", "c", exit_status, "req_1")
    assert error.lines()[-1] == "Request id: req_1"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": null}'])
def test_an_answer_that_is_no_envelope_is_an_error_all_the_same(server: Any, gateway: Gateway, body: bytes) -> None:
    answer(server, body, 500)
    with pytest.raises(ApiError, match="status 500"):
        gateway.get("/admin/accounts")


def test_something_that_is_not_json_is_said_so(server: Any, gateway: Gateway) -> None:
    answer(server, b"<html>hello</html>")
    with pytest.raises(CommandError, match="not JSON"):
        gateway.get("/admin/accounts")


def test_events_are_read_and_comments_left_out(server: Any, gateway: Gateway) -> None:
    answer(
        server,
        b": wait\n\ndata: 1\r\n\r\ndata:2\ndata: 3\n\nevent: x\n\ndata: [DONE]",
        content_type="text/event-stream",
    )
    with gateway.stream("/v1/chat/completions", {}) as (_, events):
        assert list(events) == [b"1", b"2\n3", b"[DONE]"]


def test_nobody_there_is_said_without_the_key() -> None:
    with pytest.raises(CommandError, match="could not be reached") as caught:
        Gateway("http://127.0.0.1:9", "hush").get("/healthz")
    assert "hush" not in repr(caught.value.lines())


def test_the_log_has_no_secret(server: Any) -> None:
    lines: list[str] = []
    answer(server, {}, x_request_id="req_2")
    Gateway(f"http://127.0.0.1:{server.server_address[1]}", "hush", log=lines.append).send(
        "POST", "/x", {"key": "hush"}
    )
    assert len(lines) == 2
    assert "req_2" in lines[1]
    assert "hush" not in "".join(lines)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://gateway.example/v1", "https://gateway.example"),
        (" https://gateway.example/v1/ ", "https://gateway.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://x.example/prod/v1", "https://x.example/prod"),
    ],
)
def test_an_address_may_end_in_v1(url: str, base: str) -> None:
    assert base_url(url) == base


@pytest.mark.parametrize(
    "url", ["", "gateway.example", "ftp://x", "https://user:hush@x.example", "https://x/?key=1", "https://"]
)
def test_anything_else_is_no_address(url: str) -> None:
    with pytest.raises(CommandError) as caught:
        base_url(url)
    assert caught.value.status == Exit.USAGE


def test_plain_http_is_for_this_machine() -> None:
    assert is_plain_and_remote("http://192.168.0.5:8080")
    assert not any(map(is_plain_and_remote, ["http://127.0.0.1:1", "http://localhost", "http://[::1]:1", "https://x"]))


def test_a_name_is_one_segment_of_a_path() -> None:
    assert segment("a/../b?c") == "a%2F..%2Fb%3Fc"


@pytest.mark.parametrize(
    "proxy",
    ["socks5://user:planted@127.0.0.1:1", "socks5h://127.0.0.1:1", "http://host:planted", "https://127.0.0.1:1"],
)
def test_a_proxy_that_can_not_work_is_named_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CommandError) as caught:
        Gateway("https://gateway.invalid", "key").get("/healthz")
    assert caught.value.status == Exit.USAGE and "http://" in str(caught.value)
    assert "planted" not in f"{caught.value} {caught.value.hint}"
