"""`/v1/responses`: create, retrieve, delete, cancel, list input items."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.generation.answer import collect_answer, stream_answer
from gateway.generation.generation import Generation
from gateway.http.bodies import item_index, page_size, read_json
from gateway.http.declared_body import Body
from gateway.http.errors import NOT_FOUND, GatewayError, invalid
from gateway.http.fields import choice
from gateway.http.sse import EventStream
from gateway.prompt.chat_task import prepare_choice
from gateway.surfaces.context import admit, answering, authenticate, context_of, event_stream, request_deadline
from gateway.surfaces.responses.encoder import Keep, ResponseEncoder
from gateway.surfaces.responses.input_items import Item
from gateway.surfaces.responses.request import NAMES, read_response_request
from gateway.surfaces.responses.resource import Output, ResponseObject, item_status
from gateway.surfaces.responses.storage import ResponseHistory, ResponseStore, item_ids, new_response_id

_MAX_PAGE, _PAGE = 100, 20


async def create_response(request: Request) -> Response | EventStream:
    """Authenticate, normalise, recall the conversation, generate, encode, store.

    What fails before the response begins is raised: see `gateway.http.errors`.
    """
    deadline = request_deadline(request)
    context = context_of(request)
    services, record = context.services, context.record
    key = await authenticate(request)
    # Made before the body is read: ids of its items are derived from it, so that they can be found again by themselves.
    response_id = new_response_id()
    new_id = item_ids(response_id)
    asked = read_response_request(await read_json(request, max_bytes=services.settings.max_body_bytes), new_id)
    stored = _stored(request)
    # Before the request is admitted: a response that is gone costs nothing of the key's rate.
    conversation = await stored.conversation(key.id, asked.previous_response_id)
    items = await stored.resolve(key.id, asked.items, conversation)
    asked = asked.continuing(conversation.items, items)
    shared = asked.shared
    meant = await admit(request, key, shared.model)
    async with asyncio.timeout_at(deadline):
        choice = await prepare_choice(meant, lambda _: shared, key_id=key.id, services=services)
    # OpenAI stores by default, and agents continue responses without having asked for it.
    is_kept = stored.is_on and asked.store is not False
    # A dictionary of its own, which is changed where another model answers.
    shown = {**asked.shown, "model": choice.model}
    choice.on_change(partial(shown.__setitem__, "model"))
    response = ResponseObject(id=response_id, created_at=int(time.time()), shown=shown, store=is_kept)
    keep = _keeper(stored, key.id, items, conversation) if is_kept else _forget
    generation = services.generations.start(choice.task(), record)
    output = Output(new_id, asked.origins)
    headers = partial(choice.headers, generation)
    if not shared.is_streamed:
        async with answering(request, deadline, NAMES):
            body = await _collect(generation, response, output, keep)
        return Response(body, media_type="application/json", headers=headers())
    encoder = ResponseEncoder(response, output, keep)
    return event_stream(
        request,
        partial(stream_answer, generation, encoder),
        deadline=deadline,
        headers=headers,
        names=NAMES,
        encode_error=encoder.fail,
        # Its own words for an end from outside: the number of the next event is not known there.
        encode_abort=encoder.abort,
    )


async def _collect(generation: Generation, response: ResponseObject, output: Output, keep: Keep) -> bytes:
    """The whole response as JSON, stored where that is wanted. Raises what the generation raises."""
    answer = await collect_answer(generation, output.answer)
    output.add_collected()
    output.close(item_status(answer.finish_reason))
    body = response.finished(answer, output.to_json(), completed_at=int(time.time()))
    return json.dumps(await keep(body), separators=(",", ":")).encode()


async def count_input_tokens(request: Request) -> JSONResponse:
    """How many tokens a response's input has, as the gateway estimates it. Raises `GatewayError` (400)."""
    settings = context_of(request).services.settings
    key = await authenticate(request)
    values = await read_json(request, max_bytes=settings.max_body_bytes)
    asked = read_response_request(values, item_ids(new_response_id()), counts_only=True)
    stored = _stored(request)
    conversation = await stored.conversation(key.id, asked.previous_response_id)
    items = await stored.resolve(key.id, asked.items, conversation)
    wanted = asked.generation_request(conversation.items, items)
    return JSONResponse({"object": "response.input_tokens", "input_tokens": wanted.prompt_tokens, "estimated": True})


async def retrieve_response(request: Request) -> JSONResponse:
    """A stored response. Raises `GatewayError` (404)."""
    if request.query_params.get("stream", "").lower() == "true":
        raise invalid("A stored response can't be streamed again.", param="stream", code="unsupported_value")
    _, document = await _find(request)
    return JSONResponse(document["response"])


async def delete_response(request: Request) -> JSONResponse:
    """Forget a stored response. Raises `GatewayError` (404)."""
    key = await authenticate(request)
    response_id = request.path_params["response_id"]
    if not await _stored(request).delete(key.id, response_id):
        raise _not_found(response_id)
    return JSONResponse({"id": response_id, "object": "response.deleted", "deleted": True})


async def cancel_response(request: Request) -> JSONResponse:
    """Always refused: only responses in the background can be cancelled, and there are none. Raises `GatewayError`."""
    # The 404 first: whether an id exists is told before what can be done with it.
    await _find(request)
    raise invalid(
        "Only a response in the background can be cancelled; to stop another one, close its connection.",
        param="response_id",
        code="not_cancellable",
    )


class ItemsQuery(Body):
    """The query of a list of items; `limit` is read by `page_size`."""

    order = choice("asc", "desc")


async def list_input_items(request: Request) -> JSONResponse:
    """A page of the items that a response was made from, the conversation before it included.

    Raises `GatewayError` (400, 404).
    """
    query = request.query_params
    owner, document = await _find(request)
    items = await _stored(request).before(owner, document["base"])
    items += [*document["history"], *document["input"]]
    # OpenAI's default is the newest first.
    if ItemsQuery(query).order != "asc":
        items.reverse()
    after = query.get("after")
    if after:
        items = items[item_index(after, [item["id"] for item in items], "after") + 1 :]
    limit = page_size(query, default=_PAGE, highest=_MAX_PAGE)
    page = items[:limit]
    return JSONResponse(
        {
            "object": "list",
            "data": page,
            # Texts in OpenAI's object, never null.
            "first_id": page[0]["id"] if page else "",
            "last_id": page[-1]["id"] if page else "",
            "has_more": len(items) > limit,
        }
    )


async def _find(request: Request) -> tuple[str, dict[str, Any]]:
    """The caller's id and the document of the response in the address. Raises `GatewayError` (401, 404)."""
    key = await authenticate(request)
    response_id = request.path_params["response_id"]
    # The key's id is part of the address, so that another key's response is simply not there.
    document = await _stored(request).find(key.id, response_id)
    if document is None:
        raise _not_found(response_id)
    return key.id, document


def _not_found(response_id: str) -> GatewayError:
    return GatewayError(NOT_FOUND, f"Response with id '{response_id[:80]}' not found.", param="response_id")


def _stored(request: Request) -> ResponseStore:
    services = context_of(request).services
    return ResponseStore(services.store, services.journal, ttl_days=services.settings.response_ttl_days)


def _keeper(stored: ResponseStore, owner: str, items: Sequence[Item], conversation: ResponseHistory) -> Keep:
    async def keep(response: dict[str, Any]) -> dict[str, Any]:
        # Told truthfully: a client that reads `store: true` will continue the response.
        is_stored = await stored.put(owner, response, items, conversation)
        return response | {"store": is_stored}

    return keep


async def _forget(response: dict[str, Any]) -> dict[str, Any]:
    return response
