"""Whether a request was made by a page of this gateway, and not by another site's. Pure.

A `SameSite=Strict` cookie is no proof: browsers send it from other ports of the host, and from other subdomains of a
domain that is not on the public suffix list, as some regions' Function URLs are not. What browsers say of a request by
themselves is: pages can't set headers that begin with `sec-`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers

from gateway.http.errors import GatewayError, Situation, invalid

CHANGE_HEADER = "x-console"
"""A page of another origin could send it only after a preflight, which nobody answers for it."""
READING = frozenset({"GET", "HEAD"})
NOT_SAME_ORIGIN = Situation(
    403,
    "permission_error",
    "not_same_origin",
    "The request did not come from a page of this gateway. Open the console at its own address.",
)


def check_origin(method: str, headers: Headers) -> None:
    """Raise `GatewayError` (403, 400) for what another site's page may have sent."""
    site = headers.get("sec-fetch-site")
    if method in READING:
        # `none` is an address that somebody typed. Old browsers and programs send nothing, and may read: another site's
        # page could not read the answer anyway.
        if site not in (None, "same-origin", "none"):
            raise GatewayError(NOT_SAME_ORIGIN)
        return
    # Where the site is told, the origin tells nothing more: behind a domain of one's own, the function is asked under
    # another host than the browser, and under `make run`, too.
    if not (_is_own(headers) if site is None else site == "same-origin"):
        raise GatewayError(NOT_SAME_ORIGIN)
    # A form of another site can send neither this nor JSON: a second lock, should the first one ever fail.
    if headers.get(CHANGE_HEADER) != "1":
        raise invalid(f"Changes need the header '{CHANGE_HEADER}: 1'.", param=CHANGE_HEADER, code="invalid_value")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise invalid("Changes need 'content-type: application/json'.", param="content-type", code="invalid_value")


def _is_own(headers: Headers) -> bool:
    """Whether the origin that is told is the address that was asked, port included."""
    # An origin that is missing or `null` (a sandboxed frame) has no host, and is refused.
    host = urlsplit(headers.get("origin", "")).netloc.lower()
    return bool(host) and host == headers.get("host", "").strip().lower()
