"""The routes in Litestar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from common import DIGEST, EVENT_STREAM, LARGE, events, seen_by_middleware
from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Stream

done: list[str] = []


@get("/text/{name:str}", media_type=MediaType.TEXT)
async def text(name: str, q: str | None = None) -> str:
    return f"hello {name} {q}"


@get("/stream")
async def stream(gate: str) -> Stream:
    return Stream(events(gate), media_type=EVENT_STREAM)


@post("/echo", status_code=200)
async def echo(data: dict[str, Any]) -> dict[str, Any]:
    return data


@post("/upload", status_code=200)
async def upload(
    data: Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> dict[str, Any]:
    file = data["file"]
    assert isinstance(file, UploadFile)
    return {"name": file.filename, "size": len(await file.read()), "field": data["field"]}


@get("/large", sync_to_thread=True)
def large() -> Response[bytes]:
    return Response(LARGE, media_type="application/octet-stream", headers={"x-digest": DIGEST})


@get("/cookies")
async def cookies(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
    response = Response(dict(request.cookies))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", secure=True)
    return response


@get("/context", media_type=MediaType.TEXT, sync_to_thread=True)
def context() -> str:
    return seen_by_middleware.get()


@get("/state", media_type=MediaType.TEXT)
async def state(request: Request[Any, Any, Any]) -> str:
    return str(request.app.state.resource)


@get("/fail")
async def fail() -> None:
    raise ValueError("meant")


@get("/background", media_type=MediaType.TEXT)
async def background() -> Response[str]:
    return Response(str(len(done)), media_type=MediaType.TEXT, background=BackgroundTask(note))


async def note() -> None:
    done.append("x")


def see(app: Any) -> Any:
    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        seen_by_middleware.set("middleware")
        await app(scope, receive, send)

    return middleware


@asynccontextmanager
async def lifespan(app: Litestar) -> AsyncIterator[None]:
    app.state.resource = "started"
    yield


app = Litestar(
    [text, stream, echo, upload, large, cookies, context, state, fail, background],
    lifespan=[lifespan],
    middleware=[see],
    openapi_config=None,
)
