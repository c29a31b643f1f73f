"""Changes made by the administration, as plain values."""

from __future__ import annotations

from lazy_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change that somebody made by the administration. Names of fields, never their values."""

    at: float
    actor_id: str | None
    """The id of the key; `None` for the admin key of the deployment."""
    actor: str
    """The name of the key at that time."""
    action: str
    """What was done, such as `create_key`."""
    target: str | None
    """The id of what was changed."""
    status: int
    """The HTTP status of the answer."""
    code: str | None = None
    """The code of the error, where nothing came of it."""
    fields: tuple[str, ...] = ()
    address: str | None = None
    """Where the request came from."""
    request_id: str = ""
    id: str = ""
    """Given by the store; ids sort by time."""
