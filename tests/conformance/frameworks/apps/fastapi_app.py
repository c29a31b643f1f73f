"""The routes in FastAPI."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from common import DIGEST, EVENT_STREAM, LARGE, events, seen_by_middleware
from fastapi import BackgroundTasks, FastAPI, Form, Request, Response, UploadFile
from fastapi.responses import PlainTextResponse, StreamingResponse

done: list[str] = []


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
    yield {"resource": "started"}


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def see(request: Request, call_next: Any) -> Response:
    seen_by_middleware.set("middleware")
    response: Response = await call_next(request)
    return response


@app.get("/text/{name}")
@app.head("/text/{name}")
async def text(name: str, q: str | None = None) -> PlainTextResponse:
    return PlainTextResponse(f"hello {name} {q}")


@app.get("/stream")
async def stream(gate: str) -> StreamingResponse:
    return StreamingResponse(events(gate), media_type=EVENT_STREAM)


@app.post("/echo")
async def echo(value: dict[str, Any]) -> dict[str, Any]:
    return value


@app.post("/upload")
async def upload(file: UploadFile, field: Annotated[str, Form()]) -> dict[str, Any]:
    return {"name": file.filename, "size": len(await file.read()), "field": field}


@app.get("/large")
def large() -> Response:
    return Response(LARGE, media_type="application/octet-stream", headers={"x-digest": DIGEST})


@app.get("/cookies")
async def cookies(request: Request, response: Response) -> dict[str, str]:
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", secure=True)
    return request.cookies


@app.get("/context")
def context() -> PlainTextResponse:
    return PlainTextResponse(seen_by_middleware.get())


@app.get("/state")
async def state(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.state.resource)


@app.get("/fail")
async def fail() -> None:
    raise ValueError("meant")


@app.get("/background")
async def background(tasks: BackgroundTasks) -> PlainTextResponse:
    tasks.add_task(done.append, "x")
    return PlainTextResponse(str(len(done)))
