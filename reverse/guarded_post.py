"""Posts to an address that an owner chose, under the guards of `fetch`: public addresses, verified TLS, no redirect."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import httpx

from reverse import tls
from reverse.config import USER_AGENT
from reverse.errors import ErrorCode, poe_error
from reverse.fetch import Resolver, resolve_host, resolve_target
from reverse.url_guard import FetchPolicy, Target, parse_target

_MAX_ADDRESSES_TRIED = 2


def check_address(url: str, policy: FetchPolicy | None = None) -> Target:
    """The address taken apart. Raises `RequestError` (`unsafe_url`) for one that nothing is posted to."""
    return parse_target(url, policy or FetchPolicy())


async def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    timeout_seconds: float,
    resolver: Resolver = resolve_host,
    policy: FetchPolicy | None = None,
    tls_context: ssl.SSLContext | None = None,
) -> int:
    """Post once, and return the answer's status; a redirect is an answer like another, and the body is not read.

    Raises `RequestError`: `unsafe_url` for an address that must not be posted to, `invalid_request` where it can't be
    reached in time. Cancellation closes the connection.
    """
    policy = policy or FetchPolicy()
    target = check_address(url, policy)
    try:
        async with asyncio.timeout(timeout_seconds):
            addresses = await resolve_target(target, resolver, policy)
            sent = {
                **headers,
                "Host": target.authority,
                "User-Agent": USER_AGENT,
                "Accept-Encoding": "identity",
                "Connection": "close",
            }
            extensions = {} if target.literal else {"sni_hostname": target.host}
            # The transport without httpx's client, which logs every address: this one may hold a secret.
            async with httpx.AsyncHTTPTransport(verify=tls_context or tls.tls_context(), trust_env=False) as transport:
                for address in addresses[:_MAX_ADDRESSES_TRIED]:
                    request = httpx.Request(
                        "POST", target.pinned_url(address), headers=sent, content=body, extensions=extensions
                    )
                    try:
                        response = await transport.handle_async_request(request)
                    except (httpx.ConnectError, httpx.ConnectTimeout):
                        continue  # Nothing was sent.
                    await response.aclose()
                    return response.status_code
    except (TimeoutError, httpx.HTTPError, httpx.StreamError, httpx.InvalidURL):
        raise poe_error(ErrorCode.INVALID_REQUEST, "the address did not answer in time, or not properly") from None
    raise poe_error(ErrorCode.INVALID_REQUEST, "the address could not be reached")
