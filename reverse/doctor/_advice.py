"""What to look at, or override, when a check fails: by the error's code, else by the step."""

from __future__ import annotations

from reverse.errors import ErrorCode

_OVERRIDE = (
    "in the browser's network tab find a gql_POST with this queryName, take extensions.hash from its body and pass "
    "--operation-hash {operation}=<hash> (in code: PoeConfig.operation_hashes); or try --generation older"
)
_BY_CODE: dict[ErrorCode, str] = {
    ErrorCode.NOT_AUTHENTICATED: (
        "log in to poe.com in a browser and copy the cookie p-b (and p-lat) anew; official: make a new key at "
        "https://poe.com/api/keys"
    ),
    ErrorCode.STALE_FORM_KEY: (
        "set POE_FORM_KEY to the request header Poe-Formkey of any gql_POST in the browser's network tab; if it is set "
        "already, the signature rule may have changed (PoeWebClient takes another signer)"
    ),
    ErrorCode.STALE_OPERATION: _OVERRIDE,
    ErrorCode.UPSTREAM_FAILED: f"try again in a minute; if it stays so, the hash may be out of date: {_OVERRIDE}",
    ErrorCode.CHALLENGE: (
        "Poe wants a browser to prove itself, and this client is none and solves no challenges: use the documented API "
        "(--official), which has none"
    ),
    ErrorCode.BLOCKED: "Poe refuses this address or client: use the documented API (--official)",
    ErrorCode.RATE_LIMITED: "wait a few minutes and send less at a time",
    ErrorCode.INSUFFICIENT_POINTS: "the account's points are used up: wait for the next grant, or try a cheaper bot",
    ErrorCode.BOT_NOT_FOUND: "check the bot's handle on its page at poe.com; choose another with --bot",
    ErrorCode.BOT_ACCESS_DENIED: "this bot may need a subscription: choose another with --bot",
    ErrorCode.BOT_LIMIT_REACHED: "the account's limit for this bot is reached: choose another with --bot",
    ErrorCode.CONNECTION_FAILED: "check the network, a firewall, and the proxy if POE_PROXY names one",
    ErrorCode.TIMEOUT: "check the network; with a slow one raise PoeConfig's timeouts",
    ErrorCode.OVERLOADED: "Poe says it is overloaded: try again later",
}
_BY_STEP = {
    "dns": "the name can't be resolved: check the network and its DNS server",
    "tcp": "the host does not accept connections: check the network, a firewall, or name a proxy with POE_PROXY",
    "tls": "the certificate can't be verified: check the clock and whether a proxy intercepts TLS (SSL_CERT_FILE)",
    "home page": "poe.com may have changed its page; with POE_FORM_KEY set it is not needed",
    "form key": "set POE_FORM_KEY to the request header Poe-Formkey of any gql_POST in the browser's network tab",
    "channel settings": "poe.com may have changed /api/settings: compare with the browser's network tab",
    "subscription": "the subscriptions' hashes may be out of date: override them with PoeConfig.subscription_hashes",
    "socket": "the channel's address may have changed: compare with the WebSocket in the browser's network tab and set "
    "PoeConfig.channel_url",
}
_GENERAL = "compare the request with the browser's network tab"


def advice_for(code: ErrorCode | None, operation: str | None, step: str) -> str:
    """What to try."""
    # Once the page was reached, a channel that is refused is no matter of the network.
    if code is ErrorCode.PROTOCOL or (code is ErrorCode.CONNECTION_FAILED and step == "socket"):
        return _BY_STEP.get(step, _GENERAL)
    by_code = _BY_CODE.get(code) if code is not None else None
    return (by_code or _BY_STEP.get(step, _GENERAL)).format(operation=operation or "<name>")
