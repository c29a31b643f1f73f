"""Health: what the gateway finds out about itself, what it told its owner, overrides, and who changed what."""

from __future__ import annotations

import time
from typing import Any

from accounts import KeyRole, at_once
from gateway import SCHEMA_VERSION, __version__
from gateway.admin.monitoring import check_health
from gateway.admin.shown import iso_time, show_alert, show_audit
from gateway.console.answers import Answer, json_answer
from gateway.console.query import DAY, Query
from gateway.console.sign_in import Visit
from gateway.surfaces.context import Services
from pool.config_names import POE

_ALERTS = 100
_CHANGES = 25
_CHANGES_DAYS = 30


async def answer(services: Services, visit: Visit, _path: str, _query: Query) -> Answer:
    """The page."""
    now = time.time()
    is_admin = visit.session.role is KeyRole.ADMIN
    store = services.store
    async with at_once() as group:
        # A minute ahead, for entries of a sandbox whose clock is a little fast.
        changes_read = group.create_task(
            store.list_audit(since=now - _CHANGES_DAYS * DAY, until=now + 60, limit=_CHANGES)
        )
        alerts_read = group.create_task(store.list_alerts())
        # Viewers see none: overrides may hold addresses and hashes of the owner's own.
        overrides_read = group.create_task(store.get_config(POE)) if is_admin else None
        checks_read = group.create_task(check_health(services))
    changes = changes_read.result()
    alerts = sorted(alerts_read.result(), key=lambda alert: (alert.is_open, alert.since), reverse=True)
    overrides: dict[str, Any] | None = (overrides_read.result() or {}) if overrides_read is not None else None
    return json_answer(
        {
            "as_of": iso_time(now),
            "version": __version__,
            "schema": SCHEMA_VERSION,
            "checks": [check.model_dump() for check in checks_read.result()],
            "alerts": [show_alert(alert) for alert in alerts[:_ALERTS]],
            "overrides": overrides,
            "audit": {"data": [show_audit(entry) for entry in changes.items], "next_cursor": changes.cursor},
        }
    )
