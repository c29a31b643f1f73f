"""The routes in Flask, through a2wsgi."""

from typing import Any

from a2wsgi import WSGIMiddleware
from common import DIGEST, EVENT_STREAM, LARGE, blocking_events, seen_by_middleware
from flask import Flask, Response, jsonify, request

flask_app = Flask(__name__)


@flask_app.before_request
def see() -> None:
    seen_by_middleware.set("middleware")


@flask_app.get("/text/<name>")
def text(name: str) -> Response:
    return Response(f"hello {name} {request.args.get('q')}", mimetype="text/plain")


@flask_app.get("/stream")
def stream() -> Response:
    return Response(blocking_events(request.args["gate"]), mimetype=EVENT_STREAM)


@flask_app.post("/echo")
def echo() -> Any:
    return jsonify(request.get_json())


@flask_app.post("/upload")
def upload() -> Any:
    file = request.files["file"]
    return jsonify({"name": file.filename, "size": len(file.read()), "field": request.form["field"]})


@flask_app.get("/large")
def large() -> Response:
    return Response(LARGE, mimetype="application/octet-stream", headers={"x-digest": DIGEST})


@flask_app.get("/cookies")
def cookies() -> Response:
    response = jsonify(dict(request.cookies))
    response.set_cookie("a", "1")
    response.set_cookie("b", "2", secure=True)
    return response


@flask_app.get("/context")
def context() -> Response:
    return Response(seen_by_middleware.get(), mimetype="text/plain")


@flask_app.get("/fail")
def fail() -> Response:
    raise ValueError("meant")


app = WSGIMiddleware(flask_app)
