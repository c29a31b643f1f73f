"""The routes in Quart."""

from typing import Any

from common import DIGEST, EVENT_STREAM, LARGE, events, seen_by_middleware
from quart import Quart, Response, current_app, jsonify, request

done: list[str] = []
app = Quart(__name__)


@app.before_serving
async def start() -> None:
    app.config["RESOURCE"] = "started"


@app.before_request
async def see() -> None:
    seen_by_middleware.set("middleware")


@app.get("/text/<name>")
async def text(name: str) -> Response:
    return Response(f"hello {name} {request.args.get('q')}", mimetype="text/plain")


@app.get("/stream")
async def stream() -> Response:
    response = Response(events(request.args["gate"]), mimetype=EVENT_STREAM)
    response.timeout = None
    return response


@app.post("/echo")
async def echo() -> Any:
    return jsonify(await request.get_json())


@app.post("/upload")
async def upload() -> Any:
    file, form = (await request.files)["file"], await request.form
    return jsonify({"name": file.filename, "size": len(file.read()), "field": form["field"]})


@app.get("/large")
async def large() -> Response:
    return Response(LARGE, mimetype="application/octet-stream", headers={"x-digest": DIGEST})


@app.get("/cookies")
async def cookies() -> Response:
    response = jsonify(dict(request.cookies))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", secure=True)
    return response


@app.get("/context")
async def context() -> Response:
    return Response(seen_by_middleware.get(), mimetype="text/plain")


@app.get("/state")
async def state() -> Response:
    return Response(current_app.config["RESOURCE"], mimetype="text/plain")


@app.get("/fail")
async def fail() -> Response:
    raise ValueError("meant")
