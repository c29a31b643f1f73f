"""Requests made from the application's own description: what comes back is no 5xx, and as the description says.

Few are made, unless `DESCRIPTION_EXAMPLES` says how many for each operation; then every boundary of every field is
tried as well.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterator

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from gateway.fastapi_app import create_application
from gateway.settings import Settings
from reverse.events import FileAttached, Finished, TextDelta
from tests.gateway.scripted import ADMIN_KEY, API_KEY, House, Step

EXAMPLES = int(os.environ.get("DESCRIPTION_EXAMPLES", "0"))
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.ignored_auth,
]
# The OpenAI surface is lenient on purpose, as OpenAI's is; the administration is not.
ADMIN_CHECKS = [*CHECKS, checks.negative_data_rejection]
# The text is JSON as well, as of a model that keeps to a format it was asked for; one that doesn't has failed.
ANSWER: list[Step] = [
    TextDelta("{}"),
    FileAttached("data:image/png;base64,iVBORw0KGgo=", "image/png"),
    FileAttached("data:audio/wav;base64,UklGRiQAAABXQVZF", "audio/wav"),
    FileAttached("data:video/mp4;base64,AAAAGGZ0eXBtcDQy", "video/mp4"),
    Finished(),
]
schema = schemathesis.openapi.from_dict(create_application().openapi())
schema.config.phases.coverage.enabled = bool(EXAMPLES)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A gateway behind a real socket, on a loop of its own; Poe answers with text and one file of each kind."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = House(Settings.from_env({"GATEWAY_STORE": "memory", "GATEWAY_ADMIN_KEY": ADMIN_KEY}))
    server = uvicorn.Server(uvicorn.Config(app.app, log_level="critical", lifespan="on", timeout_graceful_shutdown=1))

    app.poe.next_script = lambda _secret: ANSWER  # type: ignore[method-assign]

    async def serve() -> None:
        await app.add_key()
        await app.add_account(max_concurrency=16)
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    listener.listen()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES or 5, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_answers_are_as_described(case: Case, address: str) -> None:
    is_admin = case.path.startswith("/admin")
    headers = {"authorization": f"Bearer {ADMIN_KEY if is_admin else API_KEY}"}
    response = case.call(base_url=address, headers=headers)
    case.validate_response(response, checks=ADMIN_CHECKS if is_admin else CHECKS, headers=headers)
