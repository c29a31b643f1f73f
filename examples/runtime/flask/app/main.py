"""A Flask application whose page comes in parts."""

import time
from collections.abc import Iterator

from a2wsgi import WSGIMiddleware
from flask import Flask, Response

PARTS = 5

flask_app = Flask(__name__)


def parts() -> Iterator[str]:
    """One line at a time."""
    yield "<!doctype html><title>Streamed</title><h1>Streamed by Flask</h1>\n"
    for number in range(1, PARTS + 1):
        time.sleep(0.2)  # noqa: TID251 - a Flask application blocks, in a thread of its own
        yield f"<p>part {number} of {PARTS}\n"


@flask_app.get("/")
def page() -> Response:
    """The page."""
    return Response(parts(), mimetype="text/html")


@flask_app.get("/hello/<name>")
def hello(name: str) -> dict[str, str]:
    """An ordinary answer."""
    return {"hello": name}


app = WSGIMiddleware(flask_app)
