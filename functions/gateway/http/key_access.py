"""What a key of role client may be used for: which paths, and from which addresses. Pure."""

from __future__ import annotations

import ipaddress

from accounts import ApiKey, KeyRole
from gateway.http.errors import GatewayError, Situation

WRONG_ROLE = Situation(
    403, "permission_error", "wrong_key_role", "This key opens the administration. Models need a key of role client."
)
ROUTE_NOT_ALLOWED = Situation(403, "permission_error", "route_not_allowed", "This API key may not use this address.")
ADDRESS_NOT_ALLOWED = Situation(
    403, "permission_error", "address_not_allowed", "This API key may not be used from where you are."
)


def check_access(key: ApiKey, path: str, client: str | None) -> None:
    """Raise `GatewayError` (403) if the key may not be used so. `path` is without `/v1`, `client` an IP address."""
    if key.role is not KeyRole.CLIENT:
        raise GatewayError(WRONG_ROLE)
    if key.routes and not any(_covers(allowed, path) for allowed in key.routes):
        raise GatewayError(ROUTE_NOT_ALLOWED)
    if key.ip_ranges and not _is_within(client, key.ip_ranges):
        raise GatewayError(ADDRESS_NOT_ALLOWED)


def _covers(allowed: str, path: str) -> bool:
    """Whether an allowed path, which may begin with `/v1` and end in `*`, is this one."""
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
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(network, strict=False) for network in ranges)
