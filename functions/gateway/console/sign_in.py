"""Signing in and out: makes cookies of keys, and callers of cookies."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from accounts import AccountStore, ApiKey, KeyNotFoundError, KeyRole
from gateway.console.session import (
    Session,
    SessionError,
    cookie_values,
    mark_of,
    seal,
    set_cookie,
    signing_secret,
    unseal,
)
from gateway.http.auth import AdminGate, Administrator, check_address
from gateway.http.errors import INVALID_KEY, GatewayError, Situation
from lazy_dataclasses import dataclass

CONFIG = "console"
"""The configuration item with the epoch of sessions."""
_PURPOSE = b"console sessions"

NO_SESSION = Situation(401, "authentication_error", "no_session", "Nobody is signed in. Sign in with a key.")
SESSION_EXPIRED = Situation(
    401, "authentication_error", "session_expired", "The session is over: 12 hours at most, 1 hour without use."
)
SESSION_ENDED = Situation(
    401,
    "authentication_error",
    "session_ended",
    "The session was ended: everybody was signed out, or the key was changed or revoked. Sign in again.",
)
CONSOLE_NOT_CONFIGURED = Situation(
    503, "server_error", "console_not_configured", "The console needs an admin key: GATEWAY_ADMIN_SECRET_ID.", False
)
WRONG_PAGE = Situation(403, "permission_error", "wrong_key_role", "This page is for the holders of client keys.")
_SITUATIONS = {"no_session": NO_SESSION, "session_expired": SESSION_EXPIRED, "session_ended": SESSION_ENDED}


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in."""

    session: Session
    caller: Administrator
    secret: bytes

    def cookie(self, now: float) -> str:
        """The header `set-cookie` for the session as it is."""
        return set_cookie(seal(self.session, self.secret), round(self.session.idle_expires_at - now))


class Sessions:
    """Sessions of one deployment. Each request asks the table whether its session has been ended meanwhile."""

    def __init__(self, store: AccountStore, gate: AdminGate, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._gate = gate
        self._clock = clock

    async def sign_in(self, key: str, client: str | None) -> Visit:
        """Begin a session. `client` is the caller's IP address. Raises `GatewayError` (401, 403, 503)."""
        secret = await self._secret()
        caller = await self._gate.recognise(key)
        if caller.key is not None:
            # The old secret of a rotated key works for programs for a while; it may be the one that leaked.
            if caller.key.secret_expires_at is not None:
                raise GatewayError(INVALID_KEY, "This key was replaced. Sign in with the new one.")
            # Signing in from elsewhere must not get round the key's addresses.
            check_address(caller.key, client)
        now = int(self._clock())
        session = Session(
            role=caller.role,
            key_id=caller.key.id if caller.key is not None else None,
            key_mark=mark_of(caller.key, secret),
            signed_in_at=now,
            active_at=now,
        )
        return Visit(session, caller, secret)

    async def open(self, headers: Iterable[tuple[bytes, bytes]], client: str | None) -> Visit:
        """Whose session a request has. Raises `GatewayError` (401, 403, 503)."""
        values = cookie_values(headers)
        # Two cookies of one name: a neighbouring host has set one, and nobody can tell which.
        if len(values) != 1:
            raise GatewayError(NO_SESSION)
        secret = await self._secret()
        try:
            session = unseal(values[0], secret, self._clock())
        except SessionError as error:
            raise GatewayError(_SITUATIONS[error.code]) from None
        # Read with every request, so that a revoked or changed key ends its sessions at once.
        key = None if session.key_id is None else await self._key(session.key_id)
        if key is not None:
            if not session.is_of(key, secret):
                raise GatewayError(SESSION_ENDED)
            check_address(key, client)
        return Visit(session, Administrator(session.role, key), secret)

    def renewed(self, visit: Visit) -> Visit | None:
        """The visit with its session kept alive; `None` if its end need not move yet."""
        session = visit.session.renewed(self._clock())
        return None if session is None else replace(visit, session=session)

    async def end_all(self) -> None:
        """End every session of everybody."""
        await self._store.put_config(CONFIG, {"epoch": secrets.token_hex(16)})

    async def _key(self, key_id: str) -> ApiKey:
        try:
            key = await self._store.get_key(key_id)
        except KeyNotFoundError:
            raise GatewayError(SESSION_ENDED) from None
        if not key.enabled or (key.expires_at is not None and key.expires_at <= self._clock()):
            raise GatewayError(SESSION_ENDED)
        return key

    async def _secret(self) -> bytes:
        admin_secret = await self._gate.derived_secret(_PURPOSE)
        # Without a secret of the deployment anybody could seal a cookie.
        if admin_secret is None:
            raise GatewayError(CONSOLE_NOT_CONFIGURED)
        # No item is the epoch "": the first signing out of everybody makes one.
        stored = await self._store.get_config(CONFIG)
        return signing_secret(admin_secret, str((stored or {}).get("epoch", "")))


def show_session(visit: Visit) -> dict[str, object]:
    """A session as the page sees it, times as epoch seconds."""
    session, key = visit.session, visit.caller.key
    return {
        "role": session.role.value,
        "name": visit.caller.name,
        "key_id": key.id if key is not None else None,
        "can_change": session.role is KeyRole.ADMIN,
        "signed_in_at": session.signed_in_at,
        "expires_at": session.expires_at,
        "idle_expires_at": session.idle_expires_at,
        "show_once_until": session.show_once_until,
    }
