"""Who may administer: the holder of the admin key, and keys of the roles admin and viewer.

A viewer reads, and sees no secret. A client's key opens nothing here, and an administrator's no model.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.datastructures import Headers

from accounts import ApiKey, KeyRole
from gateway.http.auth import read_token
from gateway.http.errors import INVALID_KEY, GatewayError, Situation

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
        if caller.role is KeyRole.VIEWER and (method not in _READING or is_secret):
            raise GatewayError(VIEWER_ONLY_READS)
        return caller

    async def check_reader(self, headers: Headers) -> Administrator:
        """As `check`, for a page that people open in browsers, which ask for a password (Basic) and send no other."""
        token = _basic_password(headers)
        if token is None and not ("authorization" in headers or "x-api-key" in headers):
            raise GatewayError(INVALID_KEY, headers={"www-authenticate": _BASIC_CHALLENGE})
        return await self._identify(read_token(headers) if token is None else token, challenge=_BASIC_CHALLENGE)

    async def _identify(self, token: str, *, challenge: str) -> Administrator:
        if self._digest is None or self._clock() >= self._believe_until:
            key = await self._read_key()
            self._digest = _digest(key) if key else None
            self._believe_until = self._clock() + self.CACHE_SECONDS
        # Digests have one length, so that the comparison takes the same time for every guess.
        if self._digest is not None and hmac.compare_digest(self._digest, _digest(token)):
            return Administrator(KeyRole.ADMIN)
        found = await self._find_key(token)
        if (
            found is None
            or not found.enabled
            or (found.expires_at is not None and found.expires_at <= self._wall_clock())
        ):
            raise GatewayError(INVALID_KEY, "The admin key is not valid.", headers={"www-authenticate": challenge})
        if found.role is KeyRole.CLIENT:
            raise GatewayError(CLIENT_KEY)
        return Administrator(found.role, found)


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
