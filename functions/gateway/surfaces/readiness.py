"""What `/readyz` tells the administrator: whether the gateway can serve, and if not, why, in the words of an answer.

A page of accounts is looked at, and whether a connection to Poe comes about. Nothing is sent, and nothing is changed.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from accounts import Account, AccountKind, why_none
from gateway.http.errors import UNREACHABLE, GatewayError, gateway_error
from gateway.surfaces.context import Services
from pool.status import AccountStatus, status_of
from reverse.config import PoeConfig

# One page: in a larger fleet the first two hundred tell enough.
_PAGE = 200
CONNECT_SECONDS = 3.0
_PORTS = {"https": 443, "http": 80}


async def look(services: Services) -> tuple[int, dict[str, Any]]:
    """The status and the body. Raises `AccountStoreError`."""
    accounts = (await services.store.list_accounts(limit=_PAGE)).items
    config = await services.poe_settings.refresh()
    now = time.time()
    kinds = [kind for kind in AccountKind if any(account.kind is kind for account in accounts)]
    # Only towards kinds that there are accounts of: the other address is of no interest.
    reached = await asyncio.gather(*(can_connect(config, kind) for kind in kinds))
    reachable = dict(zip(kinds, reached, strict=True))
    failure = why_not(accounts, reachable, now)
    found: dict[str, Any] = {
        "accounts": {kind.value: _counted(accounts, kind, now) for kind in AccountKind},
        "connects_to_poe": {kind.value: reachable.get(kind) for kind in AccountKind},
    }
    if failure is None:
        return 200, {"status": "ready", **found}
    return failure.status, {"status": "not_ready", **failure.envelope(), **found}


def why_not(accounts: Sequence[Account], reachable: Mapping[AccountKind, bool], now: float) -> GatewayError | None:
    """What a request that any account may serve would be told; `None` where one can. Pure."""
    # The store's own words for a failed lease, so that this page and a refused request say the same.
    none = why_none(accounts, now)
    if none is not None:
        return gateway_error(none, now=now)
    able = [account for account in accounts if status_of(account, now) is AccountStatus.ACTIVE]
    return None if any(reachable[account.kind] for account in able) else GatewayError(UNREACHABLE)


def _counted(accounts: Sequence[Account], kind: AccountKind, now: float) -> dict[str, int]:
    """How many accounts of the kind have each status; empty where there is none."""
    return dict(Counter(status_of(account, now).value for account in accounts if account.kind is kind))


async def can_connect(config: PoeConfig, kind: AccountKind) -> bool:
    """Whether a TCP connection towards Poe, or to the proxy, comes about in time."""
    base = config.official_base_url if kind is AccountKind.OFFICIAL else config.web_base_url
    # Behind a proxy Poe itself can't be reached directly, and need not be.
    parts = urlsplit(config.proxy or base)
    port = parts.port or _PORTS.get(parts.scheme, 443)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
    # `UnicodeError`: a host name that IDNA can't encode is no name.
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    # The connection has served its purpose; how it ends does not matter.
    with suppress(OSError):
        await writer.wait_closed()
    return True
