"""Who calls: API keys of the gateway for its OpenAI surface, the admin key for its administration."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers

from accounts import AccountStore, ApiKey
from gateway.http.errors import INVALID_KEY, MODEL_NOT_ALLOWED, GatewayError, invalid
from gateway.http.key_budget import Estimate, KeyBudget

# How long a revoked key may still work in a warm sandbox.
KEY_CACHE_SECONDS = 60.0
_MAX_CACHED = 1024


def read_token(headers: Headers) -> str:
    """The caller's secret, from `Authorization: Bearer` or `x-api-key`. Raises `GatewayError` (401)."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
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
        find_key: Callable[[str], Awaitable[ApiKey | None]] | None = None,
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

    async def authenticate(self, headers: Headers) -> ApiKey:
        """The caller's key. Raises `GatewayError` (401), `StoreUnavailableError`."""
        token = read_token(headers)
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        known = self._known.get(digest)
        if known is not None and known[1] > self._clock():
            key: ApiKey | None = known[0]
        else:
            key = await self._find_key(token)
        if key is None or not key.enabled or (key.expires_at is not None and key.expires_at <= self._wall_clock()):
            self._known.pop(digest, None)
            raise GatewayError(INVALID_KEY, headers={"www-authenticate": "Bearer"})
        if known is None or known[0] is not key:
            self._remember(digest, key)
        return key

    async def admit(
        self, key: ApiKey, *model_names: str, answers: int = 1, estimate: Estimate = lambda *_: None
    ) -> KeyBudget:
        """Check that the key may use the model, by any of its names, and count the request, once for each answer.

        Returns what the sends of the request reserve on. `estimate` tells what one will cost. Raises `GatewayError`
        (400, 403, 429).
        """
        if not may_use(key, model_names):
            raise GatewayError(MODEL_NOT_ALLOWED, "This API key may not use this model.", param="model")
        if key.requests_per_minute is not None and answers > key.requests_per_minute:
            most = key.requests_per_minute
            message = f"Each answer counts as a request, of which this API key may make {most} per minute."
            raise invalid(message, param="n", code="out_of_range")
        budget = KeyBudget(self._store, key, answers=answers, estimate=estimate, unpriced_points=self._unpriced_points)
        await budget.count()
        return budget

    def forget(self) -> None:
        """Believe no key without asking the store again: one was revoked here."""
        self._known.clear()

    def _remember(self, digest: bytes, key: ApiKey) -> None:
        self._known[digest] = (key, self._clock() + KEY_CACHE_SECONDS)
        while len(self._known) > _MAX_CACHED:
            self._known.popitem(last=False)


def may_use(key: ApiKey, names: tuple[str, ...]) -> bool:
    """Whether the key's list of models, which may end in `*`, covers one of the names."""
    lowered = [name.lower() for name in names]
    return not key.models or any(
        name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed
        for allowed in key.models
        for name in lowered
    )


class AdminGate:
    """Lets the admin in. The key is fetched when first needed and remembered for a few minutes."""

    CACHE_SECONDS = 300.0

    def __init__(self, read_key: Callable[[], Awaitable[str]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read_key = read_key
        self._clock = clock
        self._digest: bytes | None = None
        self._believe_until = 0.0

    async def check(self, headers: Headers) -> None:
        """Raises `GatewayError` (401) unless the caller has the admin key. Without a key nobody has it."""
        await self._check(read_token(headers), challenge="Bearer")

    async def check_reader(self, headers: Headers) -> None:
        """As `check`, for a page that people open in browsers, which ask for a password (Basic) and send no other."""
        challenge = 'Basic realm="The password is the admin key", charset="UTF-8"'
        token = _basic_password(headers)
        if token is None and not ("authorization" in headers or "x-api-key" in headers):
            raise GatewayError(INVALID_KEY, headers={"www-authenticate": challenge})
        await self._check(read_token(headers) if token is None else token, challenge=challenge)

    async def _check(self, token: str, *, challenge: str) -> None:
        if self._digest is None or self._clock() >= self._believe_until:
            key = await self._read_key()
            self._digest = _digest(key) if key else None
            self._believe_until = self._clock() + self.CACHE_SECONDS
        # Digests have one length, so that the comparison takes the same time for every guess.
        if self._digest is None or not hmac.compare_digest(self._digest, _digest(token)):
            raise GatewayError(INVALID_KEY, "The admin key is not valid.", headers={"www-authenticate": challenge})


def _basic_password(headers: Headers) -> str | None:
    scheme, _, encoded = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
