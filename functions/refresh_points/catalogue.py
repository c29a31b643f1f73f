"""Keeps the list of models: read from Poe now and then, both sides merged, stored where the gateway finds it.

The list is a convenience. Nothing here may hurt the readings: it is read after them, in the time that is left, and a
side that fails keeps what it said before.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

from accounts import AccountState, AccountStore
from lazy_dataclasses import dataclass
from pool.clients import ClientFactory
from pool.config_names import MODELS
from reverse.catalogue import Entry, merge, of_kind, official_entry, web_entry, without_details
from reverse.config import PoeConfig
from reverse.errors import PoeError

if TYPE_CHECKING:
    from reverse.web import PoeWebClient

MAX_SECONDS = 60.0
MIN_SECONDS = 2.0
# How old a list becomes from which a side is missing: it may be the first one, or all that the other side knows.
RETRY_SECONDS = 900.0
# How many accounts are looked through for a web account that can be asked, and how many are asked.
_PAGES = 5
_PAGE = 100
_MAX_ACCOUNTS_ASKED = 3
_MAX_WEB_BOTS = 1000
_BOTS_PER_PAGE = 50

ReadEntries = Callable[[], Awaitable[list[Entry] | None]]
"""Reads one side's list; `None` if there is nobody to ask. May raise anything."""


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    """What became of the list: how many models, or the codes of what failed, by side."""

    models: int
    failures: Mapping[str, str]


class CatalogueSources:
    """The two sides of Poe. Making it does no I/O."""

    def __init__(self, store: AccountStore, config: PoeConfig, make_client: ClientFactory) -> None:
        self._store = store
        self._config = config
        self._make_client = make_client

    async def official(self) -> list[Entry] | None:
        """The documented API's list, which needs no account. Raises `PoeError`."""
        from reverse.official import read_models

        return [official_entry(model) for model in await read_models(self._config)]

    async def web(self) -> list[Entry] | None:
        """The list of the first web account that answers. Raises `PoeError`, `AccountStoreError`."""
        failure: PoeError | None = None
        for account_id in await self._web_accounts():
            try:
                return await self._bots_of(account_id)
            except PoeError as error:
                failure = error
        if failure is not None:
            raise failure
        return None

    async def _web_accounts(self) -> list[str]:
        found: list[str] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._store.list_accounts(limit=_PAGE, cursor=cursor)
            found += [
                account.id
                for account in page.items
                if account.kind.traits.lists_bots and account.state is AccountState.ACTIVE
            ]
            # A few accounts are enough, and a large fleet is not read for them.
            cursor = page.cursor
            if cursor is None or len(found) >= _MAX_ACCOUNTS_ASKED:
                break
        return found[:_MAX_ACCOUNTS_ASKED]

    async def _bots_of(self, account_id: str) -> list[Entry]:
        account, credentials, session_data = await self._store.read_credentials(account_id)
        entries: list[Entry] = []
        async with self._make_client(account.kind, credentials, session_data) as client:
            # Only web accounts are asked, and their clients list bots besides what the protocol has.
            bots = cast("PoeWebClient", client).bots
            async with aclosing(bots.available(page_size=_BOTS_PER_PAGE)) as available:
                async for bot in available:
                    entries.append(web_entry(bot))
                    if len(entries) >= _MAX_WEB_BOTS:
                        break
        return entries


async def refresh_catalogue(
    store: AccountStore,
    sources: Mapping[str, ReadEntries],
    *,
    now: float,
    max_age_seconds: float,
    seconds: float,
) -> CatalogueReport | None:
    """Bring the stored list up to date if it is older than `max_age_seconds`; `None` if it is not, or no time is left.

    A list for which a side failed is tried again after `RETRY_SECONDS`.
    `sources` are read at the same time, in at most `seconds`; an earlier one's word wins. Raises `AccountStoreError`.
    """
    seconds = min(seconds, MAX_SECONDS)
    if seconds < MIN_SECONDS:
        return None
    stored = await store.get_config(MODELS) or {}
    lasts = min(max_age_seconds, RETRY_SECONDS) if stored.get("failures") else max_age_seconds
    if now - float(stored.get("updated_at", 0.0)) < lasts:
        return None
    known: Sequence[Entry] = stored.get("models", ())
    results = await asyncio.gather(*(_read(read, seconds) for read in sources.values()))
    failures = {kind: result for kind, result in zip(sources, results, strict=True) if isinstance(result, str)}
    # Nothing new: the stored list, with its time, stays, and the next run tries again.
    if len(failures) == len(sources):
        return CatalogueReport(len(known), failures)
    # A side that failed keeps what it said before; otherwise its bots would be unknown until it answers.
    lists = [
        of_kind(known, kind) if isinstance(result, str) else result
        for kind, result in zip(sources, results, strict=True)
    ]
    entries = merge(*lists)
    # An empty list replaces nothing.
    if entries:
        document = {"updated_at": now, "created": stored.get("created") or int(now), "models": entries}
        await put_models(store, document | ({"failures": failures} if failures else {}))
    return CatalogueReport(len(entries), failures)


async def _read(read: ReadEntries, seconds: float) -> list[Entry] | str:
    """One side's entries, or the code of its failure."""
    try:
        async with asyncio.timeout(seconds):
            entries = await read() or []
        return [_plain(entry) for entry in entries]
    except PoeError as error:
        return error.code.value
    except TimeoutError:
        return "timeout"
    except Exception as error:  # noqa: BLE001 - whatever it is, the readings are not hurt by it
        return f"unexpected_{type(error).__name__}"


def _plain(entry: Entry) -> Entry:
    """The entry as JSON has it: Poe's own JSON may hold NaN, which no caller could read."""
    plain: Entry = json.loads(json.dumps(entry), parse_constant=lambda _: None)
    return plain


async def put_models(store: AccountStore, document: dict[str, Any]) -> None:
    """Store the list; without its details where it is too large with them. Raises `AccountStoreError`."""
    # Beside the rows, so that the gateway finds a model by its name without reading all of them.
    document = document | {"names": [names_of(entry) for entry in document["models"]]}
    try:
        await store.put_config(MODELS, document)
    except ValueError:
        # An item has 400 KB. Names and prices are needed, descriptions are not.
        await store.put_config(MODELS, document | {"models": without_details(document["models"])})


def names_of(entry: Entry) -> list[str]:
    """What a bot is called: its id, then its aliases. Pure."""
    return [entry["id"], *(entry.get("aliases") or ())]
