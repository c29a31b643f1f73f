"""One run's alerts: begins those whose cause is there, ends those whose cause is gone, and tells each channel once.

An account is judged when it was just read, so no run reads a fleet for this. What is sent is one message for each
channel and run, bounded. An alert is claimed before it is told, so that two runs do not tell it twice, and noted after:
a run that is killed in between lets the next one tell it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from typing import Protocol

from accounts import Account, AccountNotFoundError, AccountStore, AccountStoreError, Alert, ApiKey
from lazy_dataclasses import dataclass
from pool.alert_message import MAX_ALERTS
from refresh_points.causes import account_alerts, key_alerts, late_alert, no_account_alert

# More open alerts than anybody reads: beyond these none begins, and while there are more, none ends.
MAX_FOUND = 100
_ONE_DAY = 86_400.0
# How many keys are looked at in a run.
_KEYS_PAGE, _KEYS_PAGES = 100, 20
_STATE = "alerts"


class Channel(Protocol):
    """A way to the owner."""

    async def send(self, alerts: Sequence[Alert], *, more: int) -> str | None:
        """Tell them, and how many `more` there are. Returns the code of a failure."""


@dataclass(slots=True)
class AlertsReport:
    """What was done; `failures` has codes, by channel or part."""

    open: int = 0
    begun: int = 0
    ended: int = 0
    told: int = 0
    failures: dict[str, str] = field(default_factory=dict)


class Alerts:
    """The alerts of one run."""

    def __init__(
        self,
        store: AccountStore,
        channels: Mapping[str, Channel],
        *,
        wall_clock: Callable[[], float],
        stop_at: float,
    ) -> None:
        self._store = store
        self._channels = channels
        self._wall_clock = wall_clock
        self._stop_at = stop_at
        self._found: dict[str, Alert] = {}
        self._judged: set[str] = set()
        """Accounts that something is the matter with."""
        self._is_full = False
        self.report = AlertsReport()

    def judge(self, account: Account) -> None:
        """Look at an account that was just read."""
        if self._add(account_alerts(account, self._wall_clock())):
            self._judged.add(account.id)

    def _add(self, alerts: Iterable[Alert]) -> bool:
        """Note what is the matter; `False` if nothing is."""
        found = {alert.id: alert for alert in alerts}
        # A fleet that is down as a whole is one message, not a thousand writes.
        if len(self._found | found) > MAX_FOUND:
            self._is_full = True
            return bool(found)
        self._found |= found
        return bool(found)

    async def finish(self, *, eligible: int | None) -> None:
        """Begin, end and tell. What fails is in the report, and is tried again by the next run."""
        try:
            known = {alert.id: alert for alert in await self._store.list_alerts()}
            await self._look(known, eligible)
            now = self._wall_clock()
            for alert in self._found.values():
                await self._keep(known, alert.begun(known.get(alert.id), now), "begun")
            for alert in list(known.values()):
                if alert.is_open and alert.id not in self._found and not self._waits(alert, now):
                    await self._keep(known, alert.over(now), "ended")
            self.report.open = sum(alert.is_open for alert in known.values())
            await self._tell(known)
        except AccountStoreError as error:
            self.report.failures["table"] = type(error).__name__

    def _waits(self, alert: Alert, now: float) -> bool:
        """Whether an alert whose cause was not found stays open."""
        # That the job did not run is over as soon as it runs, and is worth a second try.
        is_late = alert.kind == "job_late" and bool(alert.untold(self._channels, now))
        return self._is_full or (is_late and now - alert.since < _ONE_DAY)

    async def _look(self, known: Mapping[str, Alert], eligible: int | None) -> None:
        """Everything that readings do not show."""
        now = self._wall_clock()
        state = await self._store.get_config(_STATE) or {}
        if (ran_at := state.get("ran_at")) is not None and (late := late_alert(float(ran_at), now)) is not None:
            self._add([late])
        await self._store.put_config(_STATE, {"ran_at": now})
        if eligible == 0 and (await self._store.list_accounts(limit=1)).items:
            self._add([no_account_alert()])
        # Nobody could count: the alert stays open, since its cause may still be there.
        elif eligible is None and "no_account" in known and known["no_account"].is_open:
            self._add([known["no_account"]])
        await self._look_at_keys({alert.key_id for alert in known.values() if alert.is_open and alert.key_id})
        # Accounts of open alerts that were not read in this run: they may be well again, switched off or gone.
        for account_id in sorted({a.account_id for a in known.values() if a.is_open and a.account_id}):
            if account_id not in self._judged:
                try:
                    self.judge(await self._store.get_account(account_id))
                except AccountNotFoundError:
                    continue

    async def _look_at_keys(self, told_of: AbstractSet[str]) -> None:
        """Look at the budgets of all keys, as far as there is time, and of those that an alert is open for."""
        seen: set[str] = set()
        cursor: str | None = None
        for _ in range(_KEYS_PAGES):
            if time.monotonic() >= self._stop_at:
                break
            page = await self._store.list_keys(limit=_KEYS_PAGE, cursor=cursor)
            await self._judge_keys({key.id: key for key in page.items if key.has_budget})
            seen |= {key.id for key in page.items}
            if (cursor := page.cursor) is None:
                return
        # Otherwise their alerts would end although nobody has looked, and be told once more.
        left = sorted(told_of - seen)[:_KEYS_PAGE]
        if left:
            keys = await self._store.get_keys(left)
            await self._judge_keys({key_id: key for key_id, key in keys.items() if key.has_budget})

    async def _judge_keys(self, keys: Mapping[str, ApiKey]) -> None:
        uses = await self._store.key_uses(keys) if keys else {}
        for key_id, use in uses.items():
            self._add(key_alerts(keys[key_id], use))

    async def _keep(self, known: dict[str, Alert], alert: Alert | None, counter: str) -> None:
        if alert is None:
            return
        kept = await self._store.put_alert(alert)
        if kept is not None:
            known[kept.id] = kept
            setattr(self.report, counter, getattr(self.report, counter) + 1)

    async def _tell(self, known: Mapping[str, Alert]) -> None:
        now = self._wall_clock()
        waiting = [alert for alert in known.values() if alert.untold(self._channels, now)]
        # The oldest first: a message has room for some of them.
        waiting.sort(key=lambda alert: (alert.since, alert.id))
        claimed: list[Alert] = []
        for alert in waiting[:MAX_ALERTS]:
            # Another run has it otherwise, and tells it.
            if (kept := await self._store.put_alert(alert.claimed(now))) is not None:
                claimed.append(kept)
        if not claimed:
            return
        reached: dict[str, set[str]] = {alert.id: set() for alert in claimed}
        for name, channel in self._channels.items():
            wanted = [alert for alert in claimed if name not in alert.told]
            if not wanted:
                continue
            if (code := await channel.send(wanted, more=len(waiting) - len(claimed))) is not None:
                self.report.failures[name] = code
                continue
            for alert in wanted:
                reached[alert.id].add(name)
        for alert in claimed:
            # Noted for those channels that took it: the others get it with the next run.
            await self._store.put_alert(alert.told_by(reached[alert.id], self._wall_clock()))
            self.report.told += bool(reached[alert.id])
