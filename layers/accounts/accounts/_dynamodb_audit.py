"""The audit trail and the alerts in DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from accounts import _keys, _ledger
from accounts._alerts import Alert
from accounts._audit_model import AuditEntry
from accounts._dynamodb_records import DynamoDBRecords
from accounts._page import Page
from accounts._records_items import alert_item, alert_of, audit_item, audit_of
from accounts._table import ConditionFailed, put

# Queries of one page of the list. A page may then be short; its cursor goes on.
MAX_QUERIES = 15
_FILTER_PAGE = 500


class DynamoDBAudit(DynamoDBRecords):
    """The audit trail and the alerts in one DynamoDB table."""

    async def list_alerts(self) -> Sequence[Alert]:
        found: list[Alert] = []
        after: Mapping[str, Any] | None = None
        while True:
            page = await self._table.query("{pk} = :pk", after=after, pk=_keys.ALERTS)
            found += [alert_of(item) for item in page.items]
            if (after := page.next_key) is None:
                return found

    async def put_alert(self, alert: Alert) -> Alert | None:
        after = replace(alert, version=alert.version + 1)
        item = alert_item(after, expires_at=self._clock() + after.kept_seconds)
        # Of two runs that find the same cause one begins the alert.
        condition = "{version} = :expected" if alert.version else "attribute_not_exists({pk})"
        values = {"expected": alert.version} if alert.version else {}
        try:
            await self._table.write(put(item, condition, **values))
        except ConditionFailed:
            return None
        return after

    async def record_audit(self, entry: AuditEntry) -> AuditEntry:
        millisecond = _ledger.id_from(entry.at)
        # Microseconds keep the order of what one program changed within a millisecond.
        within = round(entry.at * 1e6) - int(millisecond) * 1000 + 500
        kept = replace(entry, id=f"{millisecond}#{within:04x}{self._rng.getrandbits(48):012x}")
        # The id is random: what is there already is this very entry, and only the answer to its write was lost.
        with suppress(ConditionFailed):
            await self._table.write(put(audit_item(kept), "attribute_not_exists({pk})"))
        return kept

    async def list_audit(
        self,
        *,
        since: float,
        until: float,
        actor_id: str | None = None,
        action: str | None = None,
        target: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        wanted = {"actor_id": actor_id, "action": action, "target": target}
        values: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        only = " AND ".join(f"{{{name}}} = :{name}" for name in values) or None
        # Ids begin with the time in milliseconds, so that a range of times is a range of keys.
        low, high = _ledger.id_from(since), _ledger.id_from(until)
        if cursor is not None and not low <= cursor <= high:
            raise ValueError("the cursor is not one of this list")
        # The cursor is the sort key of the entry before the page.
        last = until if cursor is None else min(until, _ledger.time_of(cursor) + 0.001)
        found: list[AuditEntry] = []
        at: str | None = cursor
        queries, is_first = 0, True
        for month in reversed(_ledger.months_between(since, last)):
            pk = _keys.audit_month(month)
            # A cursor belongs to the month of its own time, which is the first that is read.
            after: Mapping[str, Any] | None = {"pk": pk, "sk": at} if is_first and at else None
            is_first = False
            while True:
                if queries >= MAX_QUERIES:
                    return Page(found, at)
                page = await self._table.query(
                    "{pk} = :pk AND {sk} BETWEEN :low AND :high",
                    limit=_FILTER_PAGE if only else limit - len(found),
                    after=after,
                    is_descending=True,
                    only=only,
                    pk=pk,
                    low=low,
                    high=high,
                    **values,
                )
                queries += 1
                for item in page.items:
                    found.append(audit_of(item))
                    if len(found) == limit:
                        return Page(found, found[-1].id)
                if (after := page.next_key) is None:
                    break
                at = str(after["sk"])
            at = _ledger.id_from(_ledger.start_of(f"{month}-01"))
        return Page(found)
