"""What a run is asked to do: the event, validated, and the accounts that follow from it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from accounts import AccountStore
from lazy_dataclasses import dataclass
from pool.status import AccountStatus, parse_status, status_of
from refresh_points.settings import MAX_CONCURRENCY

# More than anybody has; the run ends by its deadline.
EVERY_DUE_ACCOUNT = 10_000_000
LIST_PAGE = 100


class EventError(ValueError):
    """The event asks for something that there is not. The message names the field and what is allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run. Without `statuses` and `account_ids` it reads what is due."""

    dry_run: bool = False
    """Only count: nothing is read, nothing is written."""
    statuses: tuple[AccountStatus, ...] = ()
    """Read all accounts in one of these states, due or not."""
    account_ids: tuple[str, ...] = ()
    """Read these, due or not."""
    concurrency: int | None = None
    """Instead of the setting."""
    catalogue: bool = False
    """Read the list of models, however new the stored one is."""
    cursor: str | None = None
    """Where a run by `statuses` that ran out of time said to continue."""

    @property
    def is_forced(self) -> bool:
        return bool(self.statuses or self.account_ids)

    @property
    def is_ordinary(self) -> bool:
        """Whether this is what the schedule asks for, and not what somebody wanted to know or to repeat."""
        return not (self.dry_run or self.is_forced)

    @property
    def wants_catalogue(self) -> bool:
        """Whether the list of models is looked after as well: by ordinary runs, and by those that are told to."""
        return self.catalogue or self.is_ordinary

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> Job:
        """Read the fields that concern us; a schedule's event has none. Raises `EventError`."""
        dry_run, catalogue = _flag(event, "dry_run"), _flag(event, "catalogue")
        concurrency = event.get("concurrency")
        if concurrency is not None and (isinstance(concurrency, bool) or not isinstance(concurrency, int)):
            raise EventError(f"concurrency must be an integer from 1 to {MAX_CONCURRENCY}")
        cursor = event.get("cursor")
        if cursor is not None and not isinstance(cursor, str):
            raise EventError("cursor must be a text")
        return cls(
            dry_run=dry_run,
            statuses=_statuses(event),
            account_ids=_texts(event, "account_ids"),
            # Out of range is brought into range, as the original did.
            concurrency=None if concurrency is None else min(max(concurrency, 1), MAX_CONCURRENCY),
            catalogue=catalogue,
            cursor=cursor,
        )


class AccountSource:
    """The ids of the accounts that a job is about, one after the other. Holds one page of them at a time."""

    def __init__(self, store: AccountStore, job: Job, *, now: float) -> None:
        self._store = store
        self._job = job
        self._now = now
        self.cursor = job.cursor
        """Where the page begins that the latest id came from; `None` where that is the first, or there are no pages."""

    async def ids(self) -> AsyncGenerator[str, None]:
        """Raises `AccountStoreError`."""
        if self._job.account_ids:
            for account_id in self._job.account_ids:
                yield account_id
        elif self._job.statuses:
            async for account_id in self._by_status():
                yield account_id
        else:
            async for account_id in self._store.due_accounts(now=self._now, limit=EVERY_DUE_ACCOUNT):
                yield account_id

    async def _by_status(self) -> AsyncGenerator[str, None]:
        while True:
            page = await self._store.list_accounts(limit=LIST_PAGE, cursor=self.cursor)
            for account in page.items:
                if status_of(account, self._now) in self._job.statuses:
                    yield account.id
            if page.cursor is None:
                return
            # Only when the page is done: a run that ends within it begins it again.
            self.cursor = page.cursor


def _texts(event: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = event.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise EventError(f"{name} must be a list of texts")
    # Each once, in their order: the second reading of an account would find it claimed.
    return tuple(dict.fromkeys(values))


def _statuses(event: Mapping[str, Any]) -> tuple[AccountStatus, ...]:
    statuses: list[AccountStatus] = []
    for word in _texts(event, "statuses"):
        try:
            statuses.append(parse_status(word))
        except ValueError:
            raise EventError(f"statuses: {word[:80]!r} is not one of {', '.join(AccountStatus)}") from None
    return tuple(statuses)


def _flag(event: Mapping[str, Any], name: str) -> bool:
    value = event.get(name, False)
    if not isinstance(value, bool):
        raise EventError(f"{name} must be true or false")
    return value
