"""A signed-in browser: what the cookie says, how it is sealed, and when it ends. Pure.

The cookie is all there is: nothing is kept per session. It holds no key. It is sealed with a secret made of the
deployment's admin key and of an epoch in the table, so that a reader of the table can make none, and a new epoch or
admin key ends all of them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import replace

from accounts import ApiKey, KeyRole
from lazy_dataclasses import dataclass

COOKIE = "__Host-poegw"
"""Browsers take such a name only with `Secure`, with `Path=/` and without `Domain`: no other host can set it."""
LONGEST_SECONDS = 12 * 3600
IDLE_SECONDS = 3600
SHOW_ONCE_SECONDS = 15 * 60
# A request moves the end of an idle session, but not more often than this, so that most answers set no cookie.
RENEW_SECONDS = 60
_VERSION = "v1"
# A cookie of ours has some 250 characters.
_MAX_CHARS = 1024
_DOTS = 2


class SessionError(Exception):
    """The cookie opens nothing; `code` says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Who signed in, and when. Times are whole epoch seconds."""

    role: KeyRole
    key_id: str | None
    """`None` for the admin key of the deployment."""
    key_mark: str
    """What the key's secret was when it signed in; see `mark_of`."""
    signed_in_at: int
    active_at: int
    """The last request that counts as use."""

    @property
    def expires_at(self) -> int:
        return self.signed_in_at + LONGEST_SECONDS

    @property
    def idle_expires_at(self) -> int:
        # Use does not move the end of the whole session: a stolen cookie ends within half a day.
        return min(self.active_at + IDLE_SECONDS, self.expires_at)

    @property
    def show_once_until(self) -> int:
        """Until when the session may make secrets that are shown once."""
        return min(self.signed_in_at + SHOW_ONCE_SECONDS, self.expires_at)

    def renewed(self, now: float) -> Session | None:
        """The session after a request; `None` if its end need not move yet."""
        return replace(self, active_at=int(now)) if now - self.active_at >= RENEW_SECONDS else None

    def is_of(self, key: ApiKey, secret: bytes) -> bool:
        """Whether the key is still the one that signed in: same role, same secret."""
        # A key that was made a viewer must not go on as an admin.
        return self.role is key.role and hmac.compare_digest(self.key_mark, mark_of(key, secret))


def signing_secret(admin_secret: bytes, epoch: str) -> bytes:
    """What cookies are sealed with while the table has this epoch."""
    # A new epoch is another secret, so that every cookie before it has a wrong seal.
    return hmac.digest(admin_secret, f"console cookie {_VERSION} {epoch}".encode(), "sha256")


def mark_of(key: ApiKey | None, secret: bytes) -> str:
    """Tells a key's present secret from an earlier one, without telling its hash."""
    # The admin key of the deployment needs no mark: another one makes another secret.
    stored = "" if key is None else key.hash
    return hmac.new(secret, f"key {stored}".encode(), hashlib.sha256).hexdigest()[:16]


def seal(session: Session, secret: bytes) -> str:
    """The cookie's value."""
    facts = [
        session.role.value,
        session.key_id,
        session.key_mark,
        session.signed_in_at,
        session.active_at,
    ]
    payload = _encode(json.dumps(facts, separators=(",", ":")).encode())
    return f"{_VERSION}.{payload}.{_signature(payload, secret)}"


def unseal(value: str, secret: bytes, now: float) -> Session:
    """The session in a cookie's value. Raises `SessionError`: `session_ended` for a seal that is not ours any more."""
    # Before the seal is computed: the value is whatever a client sends.
    if len(value) > _MAX_CHARS or not value.isascii() or value.count(".") != _DOTS:
        raise SessionError("no_session")
    version, payload, signature = value.split(".")
    # Compared in constant time, so that a seal can't be guessed byte by byte.
    if version != _VERSION or not hmac.compare_digest(signature, _signature(payload, secret)):
        raise SessionError("session_ended")
    # Trusted from here on: only the gateway can have sealed it.
    role, key_id, key_mark, signed_in_at, active_at = json.loads(_decode(payload))
    session = Session(
        role=KeyRole(role),
        key_id=key_id,
        key_mark=key_mark,
        signed_in_at=signed_in_at,
        active_at=active_at,
    )
    if now >= session.idle_expires_at:
        raise SessionError("session_expired")
    return session


def cookie_values(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    """The values that requests carry under the cookie's name: more than one come from nobody whom we know."""
    found: list[str] = []
    for name, value in headers:
        if name.lower() != b"cookie":
            continue
        for part in value.split(b";"):
            key, _, content = part.strip().partition(b"=")
            if key == COOKIE.encode():
                found.append(content.decode("latin-1"))
    return found


def set_cookie(value: str, seconds: int) -> str:
    """The header `set-cookie`. No seconds remove the cookie."""
    # `HttpOnly`: no script reads it, the pages' own included. `Secure` also on localhost, where most browsers take it.
    return f"{COOKIE}={value}; Max-Age={max(0, seconds)}; Path=/; Secure; HttpOnly; SameSite=Strict"


def _signature(payload: str, secret: bytes) -> str:
    return _encode(hmac.digest(secret, payload.encode(), "sha256"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
