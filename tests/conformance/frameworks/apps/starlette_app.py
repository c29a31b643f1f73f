"""The routes in Starlette, with sse-starlette, gzip and ranges."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from common import DIGEST, EVENT_STREAM, LARGE, events, seen_by_middleware
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

done: list[str] = []


class Seen:
    """Sets the context variable around each request."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        seen_by_middleware.set("middleware")
        await self.app(scope, receive, send)


async def text(request: Request) -> Response:
    return PlainTextResponse(f"hello {request.path_params['name']} {request.query_params.get('q')}")


async def stream(request: Request) -> Response:
    return StreamingResponse(events(request.query_params["gate"]), media_type=EVENT_STREAM)


async def echo(request: Request) -> Response:
    return JSONResponse(await request.json())


async def upload(request: Request) -> Response:
    async with request.form() as form:
        file = form["file"]
        assert not isinstance(file, str)
        return JSONResponse({"name": file.filename, "size": len(await file.read()), "field": form["field"]})


async def large(request: Request) -> Response:
    return Response(LARGE, media_type="application/octet-stream", headers={"x-digest": DIGEST})


async def cookies(request: Request) -> Response:
    response = JSONResponse(request.cookies)
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", secure=True)
    return response


async def context(request: Request) -> Response:
    return PlainTextResponse(seen_by_middleware.get())


async def state(request: Request) -> Response:
    return PlainTextResponse(request.state.resource)


async def fail(request: Request) -> Response:
    raise ValueError("meant")


async def background(request: Request) -> Response:
    return PlainTextResponse(str(len(done)), background=BackgroundTask(done.append, "x"))


async def sse(request: Request) -> Response:
    async def messages() -> AsyncIterator[dict[str, str]]:
        async for number in events(request.query_params["gate"]):
            yield {"event": "part", "data": number.decode().removeprefix("data: ").strip()}

    return EventSourceResponse(messages())


async def file(request: Request) -> Response:
    path = Path(tempfile.gettempdir()) / "streaming-runtime-range"
    path.write_bytes(LARGE)
    return FileResponse(path)


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
    yield {"resource": "started"}


routes = [
    Route("/text/{name}", text),
    Route("/stream", stream),
    Route("/echo", echo, methods=["POST"]),
    Route("/upload", upload, methods=["POST"]),
    Route("/large", large),
    Route("/cookies", cookies),
    Route("/context", context),
    Route("/state", state),
    Route("/fail", fail),
    Route("/background", background),
    Route("/sse", sse),
    Route("/file", file),
]
app = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(Seen), Middleware(GZipMiddleware)])
