"""`/admin/audit`: keeps and shows who changed what by the administration, from where and when.

Names of fields are kept, never their values, which may be secrets. An entry is written before the last byte of the
answer leaves, because Lambda freezes the sandbox right after. Requests that were refused (400 to 498) changed nothing
and are not kept. A failure (500 and more) may have changed something, and is.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from accounts import AccountStoreError, AuditEntry
from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.shapes import Label, Moment
from gateway.admin.shown import show_audit
from gateway.http.auth import Administrator
from gateway.http.deadline import to_the_end
from gateway.http.errors import gateway_error, invalid
from gateway.http.request_log import CLIENT_GONE
from gateway.surfaces.context import SCOPE_KEY, RequestContext

_READING = frozenset({"GET", "HEAD", "OPTIONS"})
# How long the last byte of an answer waits for the table at most.
_KEEP_SECONDS = 2.0
_MAX_FIELDS = 30
_FIELD = re.compile(r"[a-z_][a-z0-9_]{0,63}")
# Answers that name what was created are short.
_MAX_ANSWER_BYTES = 65_536
_FIRST_REFUSAL, _FIRST_FAILURE = 400, 500


async def serve_audited(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, caller: Administrator, body: bytes
) -> None:
    """Serve the request with `app`, and keep what an administrator changed by it. Raises what `app` raises."""
    # Reading changes nothing, and a console that polls would fill the trail.
    if scope["method"] in _READING:
        await app(scope, receive, send)
        return
    trail = _Trail(scope, caller, body, send)
    try:
        await app(scope, receive, trail.send)
    # It may have changed something before it was stopped.
    except asyncio.CancelledError:
        await to_the_end(trail.keep(CLIENT_GONE), name="audit")
        raise
    except Exception as error:
        failure = gateway_error(error, now=time.time())
        await trail.keep(failure.status, failure.code)
        raise


class _Trail:
    """One request on its way out."""

    def __init__(self, scope: Scope, caller: Administrator, body: bytes, send: Send) -> None:
        self._scope = scope
        self._caller = caller
        self._body = body
        self._send = send
        self._status = 0
        self._answer = b""
        self._is_kept = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif message["type"] == "http.response.body":
            # Only to find the id of what was created; larger answers hold none, or many.
            if len(self._answer) <= _MAX_ANSWER_BYTES:
                self._answer += message.get("body", b"")
            if not message.get("more_body"):
                await self.keep(self._status)
        await self._send(message)

    async def keep(self, status: int, code: str | None = None) -> None:
        """Write the entry, once. What fails is only logged: the change is made."""
        is_refused = _FIRST_REFUSAL <= status < _FIRST_FAILURE and status != CLIENT_GONE
        if self._is_kept or is_refused:
            return
        # Before the write: the end of the answer and a failure after it must not make two entries.
        self._is_kept = True
        context: RequestContext = self._scope[SCOPE_KEY]
        entry = self._entry(status, code, context.record.request_id)
        try:
            async with asyncio.timeout(_KEEP_SECONDS):
                await context.services.store.record_audit(entry)
        except (AccountStoreError, TimeoutError) as error:
            context.services.journal.event(
                "audit.not_kept", context.record, action=entry.action, code=type(error).__name__
            )

    def _entry(self, status: int, code: str | None, request_id: str) -> AuditEntry:
        key, client = self._caller.key, self._scope.get("client")
        parameters = self._scope.get("path_params") or {}
        return AuditEntry(
            at=time.time(),
            actor_id=key.id if key is not None else None,
            actor=self._caller.name,
            # The function's name: the path would say the same with ids in it.
            action=getattr(self._scope.get("endpoint"), "__name__", "unknown"),
            # Of what was created the answer has the id; the path does not.
            target=next(iter(map(str, parameters.values())), None) or _created(self._answer),
            status=status,
            code=code,
            fields=_fields_of(self._body),
            address=client[0] if client else None,
            request_id=request_id,
        )


def _fields_of(body: bytes) -> tuple[str, ...]:
    """The names that a JSON object has at its top."""
    found = _object_of(body)
    # Names that a field can have: anything else could be a value that somebody put in the wrong place.
    return tuple(sorted(name for name in found if _FIELD.fullmatch(name))[:_MAX_FIELDS])


def _created(answer: bytes) -> str | None:
    """The id in an answer."""
    found = _object_of(answer).get("id")
    return found if isinstance(found, str) and found else None


def _object_of(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    # No JSON, or too deep: whatever reads the body refuses it.
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


router = APIRouter(prefix="/audit")
DAY = 86_400.0
DEFAULT_SECONDS, MAX_SECONDS = 90 * DAY, 400 * DAY


class AuditQuery(BaseModel):
    """Which changes; those of the last 90 days by default."""

    model_config = ConfigDict(populate_by_name=True)

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    key: Label | None = None
    """Id of the key that changed something."""
    action: Label | None = None
    target: Label | None = None
    """Id of what was changed."""

    def times(self) -> tuple[float, float]:
        """Both ends in epoch seconds. Raises `GatewayError` (400)."""
        # A second ahead, so that the change that was made just now is among them.
        until = self.until if self.until is not None else time.time() + 1
        since = self.since if self.since is not None else until - DEFAULT_SECONDS
        if not since < until or until - since > MAX_SECONDS:
            raise invalid("'from' must be before 'to', by at most 400 days.", param="from", code="invalid_value")
        return since, until


class AuditShown(BaseModel):
    """One change. Names of fields are kept, and no value."""

    id: str
    at: str | None
    actor_id: str | None
    """Id of the key that did it; `null` for the admin key of the deployment."""
    actor: str
    """The name of that key."""
    action: str
    """What was done, such as `create_key` or `disable_account`."""
    target: str | None
    """Id of what was changed or created."""
    fields: list[str]
    """The fields that the request named."""
    address: str | None
    """The IP address that the request came from."""
    status: int
    """The answer's status. A failure, 499 and more, may have changed something."""
    code: str | None
    request_id: str


class AuditPage(BaseModel):
    """Newest first; `next_cursor` asks for the next one."""

    object: Literal["list"] = "list"
    data: list[AuditShown]
    next_cursor: str | None


@router.get("", response_model=AuditPage)
async def list_audit(
    services: ServicesArgument,
    asked: Annotated[AuditQuery, Query()],
    limit: Limit = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Changes by the administration, newest first. Each is kept for 400 days."""
    since, until = asked.times()
    try:
        page = await services.store.list_audit(
            since=since,
            until=until,
            actor_id=asked.key,
            action=asked.action,
            target=asked.target,
            limit=limit,
            cursor=cursor,
        )
    # Cursors hold a place in another list or range, and come back from outside.
    except ValueError:
        raise invalid("The cursor is not one of this list.", param="cursor", code="invalid_value") from None
    return {"object": "list", "data": [show_audit(entry) for entry in page.items], "next_cursor": page.cursor}
