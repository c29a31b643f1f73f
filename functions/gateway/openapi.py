"""The description of every route, as a document and as a page.

Put together from the operations, the error table and FastAPI's own findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from starlette.routing import Route

from gateway.http.errors import (
    INVALID_JSON,
    INVALID_KEY,
    INVALID_REQUEST,
    NOT_FOUND,
    STORE,
    TOO_LARGE,
    UPSTREAM,
    GatewayError,
    Situation,
)
from gateway.http.schemas import ERROR, Operation, Schema, ref
from gateway.surfaces.chat import schema as chat
from gateway.surfaces.completions import route as completions
from gateway.surfaces.media import schema as media
from gateway.surfaces.messages import route as messages
from gateway.surfaces.messages.encoder import error_object, error_status
from gateway.surfaces.responses import schema as responses
from gateway.surfaces.routes import build_routes

_SURFACES = (chat, completions, responses, messages, media)
# By the name of the endpoint: each surface describes its own, with the schemas that they name.
OPERATIONS: dict[str, Operation] = {name: row for surface in _SURFACES for name, row in surface.OPERATIONS.items()}
SCHEMAS: dict[str, Schema] = {"Error": ERROR}
for _surface in _SURFACES:
    SCHEMAS |= _surface.SCHEMAS
PREFIX = "/v1"
TITLE = "Poe gateway"
_SUMMARY = "OpenAI's API, and Anthropic's Messages API, in front of your own Poe accounts."
# Answered without a key, and without the prefix that base addresses of SDKs end with.
_OPEN_PATHS = frozenset({"/", "/version", "/healthz", "/readyz"})
_HEADERS: dict[str, Any] = {
    "x-request-id": {"description": "Names the request in the gateway's log.", "schema": {"type": "string"}},
    "retry-after": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
    "x-should-retry": {"description": "Steers SDKs.", "schema": {"enum": ["true", "false"]}},
}


def failures(situations: Iterable[Situation], *, speaks_anthropic: bool = False) -> dict[int, dict[str, Any]]:
    """One response per status, with an example per code."""
    by_status: dict[int, list[GatewayError]] = {}
    for error in map(GatewayError, situations):
        status = error_status(error) if speaks_anthropic else error.status
        by_status.setdefault(status, []).append(error)
    return {status: _failure(found, speaks_anthropic) for status, found in sorted(by_status.items())}


def _failure(errors: list[GatewayError], speaks_anthropic: bool) -> dict[str, Any]:
    schema = ref("AnthropicError" if speaks_anthropic else "Error")
    return {
        "description": " ".join(dict.fromkeys(error.message for error in errors)),
        "headers": _HEADERS,
        "content": {
            "application/json": {
                "schema": schema,
                # Several situations share a status; their codes tell them apart.
                "examples": {error.code: {"value": _example(error, speaks_anthropic)} for error in errors},
            }
        },
    }


def _example(error: GatewayError, speaks_anthropic: bool) -> dict[str, Any]:
    if speaks_anthropic:
        return {"type": "error", "error": error_object(error), "request_id": "req_0123"}
    return {**error.envelope()}


ADMIN_FAILURES = failures((INVALID_REQUEST, INVALID_JSON, INVALID_KEY, NOT_FOUND, TOO_LARGE, UPSTREAM, STORE))


def describe(found: Mapping[str, Any]) -> dict[str, Any]:
    """The whole document: the plain routes, and what FastAPI found out of the administration's signatures."""
    paths: dict[str, dict[str, Any]] = {}
    for route in build_routes():
        if not route.include_in_schema:
            continue
        # Routes are written without `/v1`, which `app` takes off.
        public = route.path_format if route.path in _OPEN_PATHS else PREFIX + route.path_format
        # The HEAD that Starlette adds to every GET is no operation of its own.
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(public, {})[method.lower()] = _operation(route)
    paths |= {path: _administration(operations) for path, operations in found["paths"].items()}
    models = found.get("components", {}).get("schemas", {})
    models = {name: schema for name, schema in models.items() if name not in _OF_FASTAPI}
    return {
        "openapi": found["openapi"],
        "info": {"title": TITLE, "summary": _SUMMARY, "version": "1"},
        # Relative: the document does not know under which host it is read.
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}, {"apiKeyHeader": []}],
        "paths": paths,
        # By name: the schemas of the surfaces and of the administration share one place, in which names must differ.
        "components": {"schemas": {**SCHEMAS, **models}, "securitySchemes": _SECURITY},
    }


def _operation(route: Route) -> dict[str, Any]:
    """Raises `KeyError` for an endpoint that nobody described."""
    operation = OPERATIONS[route.endpoint.__name__]
    described: dict[str, Any] = {
        "operationId": route.endpoint.__name__,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": [*_path_parameters(route), *operation.parameters],
        "responses": {str(status): answer for status, answer in _answers(operation).items()},
    }
    if operation.body:
        described["requestBody"] = {"required": True, "content": dict(operation.body)}
    if operation.is_open:
        # An empty list takes back what the document demands of every operation.
        described["security"] = []
    return described


def _answers(operation: Operation) -> dict[int, dict[str, Any]]:
    headers = {"x-request-id": _HEADERS["x-request-id"], **operation.headers}
    # Every response names the request, so that callers can ask the owner about it.
    answer: dict[str, Any] = {"description": operation.answer_text, "headers": headers}
    if operation.answer:
        answer["content"] = dict(operation.answer)
    errors = failures(operation.all_situations, speaks_anthropic=operation.speaks_anthropic)
    return {operation.status: answer, **operation.more_answers, **errors}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in route.param_convertors
    ]


def _administration(operations: dict[str, Any]) -> dict[str, Any]:
    for operation in operations.values():
        operation["tags"] = ["Administration"]
        operation["security"] = [{"adminKey": []}]
        # FastAPI's own form of a wrong field, which callers never see.
        operation["responses"].pop("422", None)
    return operations


_OF_FASTAPI = frozenset({"HTTPValidationError", "ValidationError"})
_SECURITY = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "A key of the gateway, made by the admin."},
    "apiKeyHeader": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "adminKey": {"type": "http", "scheme": "bearer", "description": "The admin key of the deployment."},
}


def render_page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    info = document["info"]
    # A page without scripts and styles: it is opened with the admin key, so nothing may run on it.
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
    yield f"<h1>{escape(info['title'])}</h1><p>{escape(info['summary'])}</p>"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from _operation_lines(method, path, operation)
    yield "<h2>Schemas</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<details id="{escape(name)}"><summary>{escape(name)}</summary>{_source(schema)}</details>'
    yield "</html>"


def _operation_lines(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{method.upper()} {escape(path)}</code></h3><p>{escape(operation.get('summary', ''))}</p>"
    if text := operation.get("description"):
        yield f"<p>{escape(text)}</p>"
    for title in ("parameters", "requestBody"):
        if found := operation.get(title):
            yield f"<details><summary>{title}</summary>{_source(found)}</details>"
    for status, response in operation["responses"].items():
        text = f"{escape(status)} {escape(response['description'])}"
        yield f"<details><summary>{text}</summary>{_source(response.get('content', {}))}</details>"


def _source(value: Any) -> str:
    # Escaped like everything else: descriptions hold what bots and models are called.
    return f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"
