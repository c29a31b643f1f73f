"""What a route needs to know of the request it serves."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from starlette.requests import Request

from accounts import ApiKey
from gateway.http.deadline import bounded, deadline_of
from gateway.http.errors import GatewayError, encode_error_event, gateway_error
from gateway.http.request_log import RequestRecord
from gateway.http.sse import EventStream
from gateway.models.catalogue import Model
from gateway.models.prices import estimate_points
from gateway.prompt.request import FieldNames
from gateway.surfaces.services import Services
from reverse.errors import PoeError

SCOPE_KEY = "gateway.context"


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Carried in the scope under `SCOPE_KEY`."""

    services: Services
    record: RequestRecord


def context_of(request: Request) -> RequestContext:
    """The context of a request."""
    context: RequestContext = request.scope[SCOPE_KEY]
    return context


async def authenticate(request: Request) -> ApiKey:
    """The caller's key, noted in the record. Comes before the body is read. Raises `GatewayError` (401, 403)."""
    context = context_of(request)
    key = await context.services.authenticator.authenticate(
        request.headers, path=request.scope["path"], client=request.client.host if request.client else None
    )
    context.record.key, context.record.key_id = key.name, key.id
    return key


async def admit(request: Request, key: ApiKey, model_name: str, answers: int = 1) -> tuple[Model | None, str]:
    """The model, if it is listed, and the name to ask Poe for, noted in the record; the key may use it, and is counted.

    Raises `GatewayError` (403, 429).
    """
    context = context_of(request)
    context.services.prepare()
    model, bot = await context.services.catalogue.resolve(model_name)
    context.record.model = bot
    pricing = model.pricing if model is not None else None
    context.record.budget = await context.services.authenticator.admit(
        key, model_name, bot, answers=answers, estimate=partial(estimate_points, pricing)
    )
    return model, bot


def request_deadline(request: Request) -> float:
    """When the request must begin to end, on the running loop's clock."""
    settings = context_of(request).services.settings
    return deadline_of(
        request.scope, margin_seconds=settings.deadline_margin_seconds, longest_seconds=settings.max_answer_seconds
    )


@asynccontextmanager
async def answering(request: Request, deadline: float, names: FieldNames) -> AsyncIterator[None]:
    """Bounds the making of an answer that is not streamed. Errors of Poe name the caller's fields.

    Raises what `bounded` raises. The request's body must have been read.
    """
    async with bounded(request.receive, deadline):
        try:
            yield
        except PoeError as error:
            raise gateway_error(error, now=time.time(), field_name=names.of) from error


def event_stream(
    request: Request,
    produce: Callable[[], AsyncGenerator[bytes, None]],
    *,
    deadline: float,
    headers: Callable[[], Mapping[str, str]],
    names: FieldNames,
    encode_error: Callable[[GatewayError], bytes] = encode_error_event,
    encode_abort: Callable[[GatewayError], bytes] | None = None,
) -> EventStream:
    """A response that streams what `produce` yields. `headers` are asked for when the status line leaves.

    Errors of Poe name the caller's fields.
    """
    context = context_of(request)
    return EventStream(
        produce,
        record=context.record,
        deadline=deadline,
        keep_alive_seconds=context.services.settings.keep_alive_seconds,
        translate=lambda error: gateway_error(error, now=time.time(), field_name=names.of),
        encode_error=encode_error,
        encode_abort=encode_abort,
        headers=lambda: tuple((name.encode(), value.encode()) for name, value in headers().items()),
    )


def speaks_anthropic(path: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether a caller expects Anthropic's shapes: by the address, or by the header that all its clients send."""
    if path == "/messages" or path.startswith("/messages/"):
        return True
    return any(name == b"anthropic-version" for name, _ in headers)
