"""`/admin/audit`: who changed what by the administration. `trail` keeps it."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from gateway.admin.accounts import Limit, ServicesArgument
from gateway.admin.shapes import Label, Moment
from gateway.admin.shown import show_audit
from gateway.http.errors import invalid

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
