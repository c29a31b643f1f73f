"""The runtime and Mangum side by side: the same events, one by one, and the same applications.

The events have the shapes of AWS's published samples. What the runtime does differently is named here, and listed with
its reason in the README of the layer.
"""

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mangum import Mangum

from streaming_runtime.context import LambdaContext
from streaming_runtime.events import build_request
from streaming_runtime.invocation import EXTENSION
from streaming_runtime.runtime_api import Invocation
from streaming_runtime.settings import Address, FunctionIdentity, ResponseForm, RestForm, Settings

EVENTS = {path.stem: json.loads(path.read_text()) for path in sorted(Path(__file__).parent.glob("events/*.json"))}
every_event = pytest.mark.parametrize("name", EVENTS)
CONTEXT = LambdaContext(Invocation("id-1", 1000, b""), FunctionIdentity())
SETTINGS = Settings(Address("127.0.0.1", 1), "", Path())
# Mangum leaves the stage in front of the path, as HTTP APIs send it.
WITHOUT_STAGE = {
    "http_api_named_stage": "/items/1",
    "http_api_named_stage_root": "/",
    "http_api_payload_1_named_stage": "/items/1",
}


def test_every_kind_of_event_is_here():
    kinds = ("function_url", "http_api", "http_api_payload_1", "rest_api", "load_balancer", "lambda_at_edge")
    assert all(any(name.startswith(kind) for name in EVENTS) for kind in kinds)


@every_event
@pytest.mark.usefixtures("current_loop")
def test_the_scope_is_mangums_but_for_the_version_and_the_stage(name: str):
    mangum = Mangum(no_app)
    scope = dict(build_request(copy.deepcopy(EVENTS[name]), CONTEXT, mangum, SETTINGS).scope)
    theirs = dict(mangum.infer(EVENTS[name], CONTEXT).scope)  # type: ignore[arg-type]
    assert scope.pop("asgi") == {"version": "3.0", "spec_version": "2.4"} != theirs.pop("asgi")
    if name in WITHOUT_STAGE:
        assert scope.pop("path") == WITHOUT_STAGE[name] != theirs.pop("path")
    assert scope == theirs


@every_event
@pytest.mark.usefixtures("current_loop")
def test_the_body_is_mangums(name: str):
    mangum = Mangum(no_app)
    request = build_request(copy.deepcopy(EVENTS[name]), CONTEXT, mangum, SETTINGS)
    assert request.body == mangum.infer(EVENTS[name], CONTEXT).body  # type: ignore[arg-type]


@every_event
@pytest.mark.usefixtures("current_loop")
def test_which_doors_stream(name: str):
    def is_streamed(**changes: Any) -> bool:
        settings = Settings(Address("127.0.0.1", 1), "", Path(), **changes)
        return build_request(EVENTS[name], CONTEXT, Mangum(no_app), settings).is_streamed

    assert is_streamed() is name.startswith("function_url")
    assert is_streamed(rest_form=RestForm.STREAMING) is name.startswith(("function_url", "rest_api"))
    assert is_streamed(response_form=ResponseForm.STREAMING) and not is_streamed(response_form=ResponseForm.BUFFERED)


async def no_app(scope: Any, receive: Any, send: Any) -> None:
    """Never called."""


Headers = list[tuple[bytes, bytes]]


def answering(status: int, headers: Headers, *parts: bytes) -> Any:
    """An application that gives this answer, and echoes nothing."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was asked."""
    message = await receive()
    asked = [scope["method"], scope["query_string"].decode(), message["body"].hex(), len(scope["headers"])]
    await answering(200, [(b"content-type", b"application/json")], json.dumps(asked).encode())(scope, receive, send)


APPS: dict[str, Any] = {
    "echo": echo,
    "text": answering(201, [(b"content-type", b"text/plain; charset=utf-8")], b"caf\xc3\xa9", b" and more"),
    "binary": answering(200, [(b"content-type", b"image/png")], bytes(range(256))),
    "text that is none": answering(200, [(b"content-type", b"text/plain")], b"\xff\xfe"),
    "cookies": answering(200, [(b"set-cookie", b"a=1; Secure"), (b"set-cookie", b"b=2"), (b"x-a", b"1")], b"{}"),
    "repeated": answering(200, [(b"vary", b"origin"), (b"vary", b"accept"), (b"content-type", b"text/plain")], b"x"),
    "empty": answering(204, []),
    "untyped": answering(200, [], b"{}"),
    "redirect": answering(307, [(b"location", b"/elsewhere")]),
    "excluded": answering(200, [(b"x-internal", b"1"), (b"content-type", b"text/plain")], b"x"),
}
every_app = pytest.mark.parametrize("app", APPS)


@pytest.fixture
def mangums_answer() -> Iterator[Callable[[Any, dict[str, Any]], Any]]:
    """What Mangum's own handler returns, from a thread: it runs an event loop of its own."""

    def call(app: Any, event: dict[str, Any]) -> Any:
        with asyncio.Runner() as runner:
            asyncio.set_event_loop(runner.get_loop())
            try:
                return Mangum(app, lifespan="off", exclude_headers=["x-internal"])(copy.deepcopy(event), CONTEXT)  # type: ignore[arg-type]
            finally:
                asyncio.set_event_loop(None)

    yield call


@every_app
@every_event
async def test_buffered_the_answer_is_mangums(runtime_api, start_loop, mangums_answer, app, name):
    theirs = await asyncio.to_thread(mangums_answer, APPS[app], EVENTS[name])
    start_loop(Mangum(APPS[app], exclude_headers=["x-internal"]), form=ResponseForm.BUFFERED)
    exchange = await runtime_api.enqueue(EVENTS[name]).end()
    assert json.loads(exchange.body) == theirs


@every_app
@every_event
async def test_streamed_the_answer_says_the_same(runtime_api, start_loop, app, name):
    """Status, headers and body as the application gave them; only the form is another."""
    received: list[Any] = []

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            received.append(message)
            await send(message)

        await APPS[app](scope, receive, note)

    start_loop(Mangum(noted, exclude_headers=["x-internal"]), form=ResponseForm.STREAMING)
    exchange = await runtime_api.enqueue(EVENTS[name]).end()
    start, *bodies = received
    assert exchange.prelude["statusCode"] == start["status"]
    told = [(key.decode(), value.decode()) for key, value in start["headers"] if key != b"x-internal"]
    assert exchange.prelude["cookies"] == [value for key, value in told if key == "set-cookie"]
    expected: dict[str, str] = {}
    for key, value in told:
        if key != "set-cookie":
            expected[key] = f"{expected[key]}, {value}" if key in expected else value
    assert exchange.prelude["headers"] == expected
    assert exchange.streamed_body == b"".join(message["body"] for message in bodies)


@pytest.mark.parametrize("form", [ResponseForm.BUFFERED, ResponseForm.STREAMING])
async def test_a_failure_is_an_answer_in_json_and_not_mangums_text(runtime_api, start_loop, form):
    """Mangum: `Internal Server Error` as text. A difference that is meant: callers of an API read JSON."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.body", "body": b"without a start"})

    start_loop(app, form=form)
    exchange = await runtime_api.enqueue(EVENTS["function_url_get"]).end()
    document = exchange.prelude if form is ResponseForm.STREAMING else json.loads(exchange.body)
    assert document["statusCode"] == 500 and document["headers"]["content-type"] == "application/json"


async def test_the_scope_has_the_lifespans_state_and_an_extension_beyond_mangums(runtime_api, start_loop, function_url):
    seen: list[set[str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(set(scope))
        assert set(scope["extensions"]) == {EXTENSION}

    start_loop(app)
    await runtime_api.enqueue(function_url()).end()
    assert seen[0] >= {"state", "extensions", "aws.event", "aws.context"}
