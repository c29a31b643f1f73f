"""Who calls, and what for: keys of role client for models, paths and addresses, others for the administration.

The administration is open to the holder of the admin key, and to keys of the roles admin and viewer. A viewer reads,
and sees no secret. A client's key opens nothing there, and an administrator's no model.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from starlette.datastructures import Headers

from accounts import AccountStore, ApiKey, KeyRole, at_once
from gateway.http.errors import INVALID_KEY, MODEL_NOT_ALLOWED, GatewayError, Situation, invalid
from gateway.http.key_budget import UNKNOWN_PRICE, KeyBudget, PriceOf
from lazy_dataclasses import dataclass

# How long a revoked key may still work in a warm sandbox.
KEY_CACHE_SECONDS = 60.0
_MAX_CACHED = 1024


def read_token(headers: Headers) -> str:
    """The caller's secret, from `Authorization: Bearer` or `x-api-key`. Raises `GatewayError` (401)."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    # Anthropic's clients send `x-api-key`, OpenAI's a bearer token; each is taken on every address.
    token = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
    if not token:
        raise GatewayError(
            INVALID_KEY,
            "No API key was given. Send it in the header 'Authorization: Bearer <key>'.",
            headers={"www-authenticate": "Bearer"},
        )
    return token


class Authenticator:
    """Recognises API keys and keeps their limits. Known keys are remembered for a minute, unknown ones are not."""

    def __init__(
        self,
        store: AccountStore,
        *,
        find_key: Callable[[str], Coroutine[Any, Any, ApiKey | None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        unpriced_points: int = 100,
    ) -> None:
        self._store = store
        self._unpriced_points = unpriced_points
        self._find_key = find_key or store.find_key
        self._clock = clock
        self._wall_clock = wall_clock
        # By hash, so that no secret stays in memory; with the time until which to believe it.
        self._known: OrderedDict[bytes, tuple[ApiKey, float]] = OrderedDict()

    async def authenticate(
        self, headers: Headers, *, path: str = "/", client: str | None = None, will_lease: bool = False
    ) -> ApiKey:
        """The caller's key, which may be used for this path and from this address.

        `path` is without `/v1`; `will_lease` says that the request is going to need an account. Raises `GatewayError`
        (401, 403), `StoreUnavailableError`.
        """
        token = read_token(headers)
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        # A hit saves the table's read for a minute; the price is that a key revoked in another sandbox lives as long.
        known = self._known.get(digest)
        if known is not None and known[1] > self._clock():
            key: ApiKey | None = known[0]
        elif known is not None and will_lease:
            # The accounts, which are read for nobody without a key: this one was valid a while ago.
            async with at_once() as group:
                finding = group.create_task(self._find_key(token))
                group.create_task(self._store.remember_accounts())
            key = finding.result()
        else:
            key = await self._find_key(token)
        # Looked at for remembered keys, too: an expiry must not wait for the cache.
        if key is None or not key.enabled or (key.expires_at is not None and key.expires_at <= self._wall_clock()):
            self._known.pop(digest, None)
            raise GatewayError(INVALID_KEY, headers={"www-authenticate": "Bearer"})
        if known is None or known[0] is not key:
            self._remember(digest, key)
        check_access(key, path, client)
        return key

    async def admit(
        self, key: ApiKey, *model_names: str, answers: int = 1, price: PriceOf = lambda *_: UNKNOWN_PRICE
    ) -> KeyBudget:
        """Check that the key may use the model, by any of its names, and count the request, once for each answer.

        Returns what the sends of the request reserve on. `price` tells what one will cost. Raises `GatewayError`
        (400, 403, 429).
        """
        if not may_use(key, model_names):
            raise GatewayError(MODEL_NOT_ALLOWED, "This API key may not use this model.", param="model")
        # Would never be admitted however long the caller waits, so it is a 400 and not a 429.
        if key.requests_per_minute is not None and answers > key.requests_per_minute:
            most = key.requests_per_minute
            message = f"Each answer counts as a request, of which this API key may make {most} per minute."
            raise invalid(message, param="n", code="out_of_range")
        budget = KeyBudget(self._store, key, answers=answers, price=price, unpriced_points=self._unpriced_points)
        await budget.count()
        return budget

    def forget(self) -> None:
        """Believe no key without asking the store again: one was revoked here."""
        self._known.clear()

    def _remember(self, digest: bytes, key: ApiKey) -> None:
        self._known[digest] = (key, self._clock() + KEY_CACHE_SECONDS)
        # The oldest goes first; only keys that exist are in here, so that guesses can't push them out.
        while len(self._known) > _MAX_CACHED:
            self._known.popitem(last=False)


def may_use(key: ApiKey, names: tuple[str, ...]) -> bool:
    """Whether the key's list of models, which may end in `*`, covers one of the names."""
    lowered = [name.lower() for name in names]
    # Model names are compared without regard to case, as Poe does (docs/reference/poe-official.md#model-list).
    return not key.models or any(
        name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed
        for allowed in key.models
        for name in lowered
    )


WRONG_ROLE = Situation(
    403, "permission_error", "wrong_key_role", "This key opens the administration. Models need a key of role client."
)
ROUTE_NOT_ALLOWED = Situation(403, "permission_error", "route_not_allowed", "This API key may not use this address.")
ADDRESS_NOT_ALLOWED = Situation(
    403, "permission_error", "address_not_allowed", "This API key may not be used from where you are."
)


def check_access(key: ApiKey, path: str, client: str | None) -> None:
    """Raise `GatewayError` (403) if the key may not be used so. `path` is without `/v1`, `client` an IP address."""
    # A stolen administrator's key must not be able to spend points as well.
    if key.role is not KeyRole.CLIENT:
        raise GatewayError(WRONG_ROLE)
    if key.routes and not any(_covers(allowed, path) for allowed in key.routes):
        raise GatewayError(ROUTE_NOT_ALLOWED)
    check_address(key, client)


def check_address(key: ApiKey, client: str | None) -> None:
    """Raise `GatewayError` (403) if the key may not be used from this IP address."""
    if key.ip_ranges and not _is_within(client, key.ip_ranges):
        raise GatewayError(ADDRESS_NOT_ALLOWED)


def _covers(allowed: str, path: str) -> bool:
    """Whether an allowed path, which may begin with `/v1` and end in `*`, is this one."""
    # Paths are compared without `/v1`, which callers may leave out.
    plain = allowed.removeprefix("/v1") if allowed.startswith("/v1/") or allowed == "/v1" else allowed
    if plain.endswith("*"):
        return path.startswith(plain[:-1])
    return path == (plain.rstrip("/") or "/")


def _is_within(client: str | None, ranges: tuple[str, ...]) -> bool:
    """Whether the address is in one of the networks. One that is not known is in none."""
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return False
    # A server on a dual-stack socket shows IPv4 callers like this; ranges are written in IPv4.
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network, strict=False) for network in ranges)


VIEWER_ONLY_READS = Situation(403, "permission_error", "viewer_only_reads", "This key may look, and change nothing.")
CLIENT_KEY = Situation(
    403, "permission_error", "wrong_key_role", "This key is for models. The administration needs a key of role admin."
)
CALLER_KEY = "gateway.administrator"
"""Where the scope has the `Administrator` who calls."""
_READING = frozenset({"GET", "HEAD"})
_CHALLENGE = "Bearer"
_BASIC_CHALLENGE = 'Basic realm="The password is the admin key", charset="UTF-8"'


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who administers. `key` is `None` for the admin key of the deployment."""

    role: KeyRole
    key: ApiKey | None = None

    @property
    def name(self) -> str:
        return self.key.name if self.key is not None else "admin key"


def check_rights(caller: Administrator, *, method: str, is_secret: bool = False) -> None:
    """Raise `GatewayError` (403) if a viewer changes something, or a client administers at all."""
    if caller.role is KeyRole.CLIENT:
        raise GatewayError(CLIENT_KEY)
    if caller.role is KeyRole.VIEWER and (method not in _READING or is_secret):
        raise GatewayError(VIEWER_ONLY_READS)


class AdminGate:
    """Lets administrators in. The admin key is fetched when first needed and remembered for a few minutes."""

    CACHE_SECONDS = 300.0

    def __init__(
        self,
        read_key: Callable[[], Awaitable[str]],
        *,
        find_key: Callable[[str], Awaitable[ApiKey | None]],
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._read_key = read_key
        self._find_key = find_key
        self._clock = clock
        self._wall_clock = wall_clock
        self._digest: bytes | None = None
        self._believe_until = 0.0

    async def check(self, headers: Headers, *, method: str, is_secret: bool = False) -> Administrator:
        """Who calls, who may do so. `is_secret` addresses are for admins only, whatever the method.

        Raises `GatewayError` (401, 403). Without an admin key only keys of a role get in.
        """
        caller = await self._identify(read_token(headers), challenge=_CHALLENGE)
        check_rights(caller, method=method, is_secret=is_secret)
        return caller

    async def recognise(self, token: str) -> Administrator:
        """Whose key this is, whatever its role. Raises `GatewayError` (401)."""
        return await self._recognise(token, challenge=_CHALLENGE)

    async def derived_secret(self, purpose: bytes) -> bytes | None:
        """A secret of the deployment for one purpose, made of the admin key; `None` without an admin key."""
        digest = await self._admin_digest()
        return None if digest is None else hmac.digest(digest, purpose, "sha256")

    async def check_reader(self, headers: Headers) -> Administrator:
        """As `check`, for a page that people open in browsers, which ask for a password (Basic) and send no other."""
        token = _basic_password(headers)
        if token is None and not ("authorization" in headers or "x-api-key" in headers):
            raise GatewayError(INVALID_KEY, headers={"www-authenticate": _BASIC_CHALLENGE})
        return await self._identify(read_token(headers) if token is None else token, challenge=_BASIC_CHALLENGE)

    async def _identify(self, token: str, *, challenge: str) -> Administrator:
        caller = await self._recognise(token, challenge=challenge)
        if caller.role is KeyRole.CLIENT:
            raise GatewayError(CLIENT_KEY)
        return caller

    async def _admin_digest(self) -> bytes | None:
        if self._digest is None or self._clock() >= self._believe_until:
            key = await self._read_key()
            self._digest = _digest(key) if key else None
            self._believe_until = self._clock() + self.CACHE_SECONDS
        return self._digest

    async def _recognise(self, token: str, *, challenge: str) -> Administrator:
        digest = await self._admin_digest()
        # Digests have one length, so that the comparison takes the same time for every guess.
        if digest is not None and hmac.compare_digest(digest, _digest(token)):
            # The admin key is not in the table: it still opens the administration when no key was ever made.
            return Administrator(KeyRole.ADMIN)
        found = await self._find_key(token)
        if (
            found is None
            or not found.enabled
            or (found.expires_at is not None and found.expires_at <= self._wall_clock())
        ):
            raise GatewayError(INVALID_KEY, "The admin key is not valid.", headers={"www-authenticate": challenge})
        return Administrator(found.role, found)


def _basic_password(headers: Headers) -> str | None:
    scheme, _, encoded = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        # The user's name is of no interest; only the password is a secret.
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        # Something was sent and can't be read: "" is nobody's key, so it ends as a 401.
        return ""


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
