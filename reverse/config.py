"""How the clients reach Poe: addresses, timeouts, limits. One frozen object; this is how a stand-in is plugged in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal
from urllib.parse import urlsplit

from lazy_dataclasses import dataclass

USER_AGENT = "poe-gateway/0.1 (+https://github.com/poe-gateway/poe-gateway)"
_PROXY_SCHEMES = ("http", "https")


def check_proxy(address: str) -> None:
    """Raise `ValueError`, quoting nothing, for an address through which no connection can be made.

    Its text may hold a password. SOCKS needs a library that is not part of this client.
    """
    try:
        parts = urlsplit(address)
        # A port that is no number is only noticed when it is read.
        is_fine = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine:
        raise ValueError("the proxy must be an address that begins with http:// or https://; SOCKS is not supported")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoeConfig:
    """Addresses, timeouts (seconds) and limits, shared by both clients. Raises `ValueError` for a proxy of no use."""

    web_base_url: str = "https://poe.com"
    channel_url: str = "wss://tch{n}.tch.{base_host}"
    """Template of the channel's address: `{base_host}` is from the channel settings, `{n}` random per connection."""
    official_base_url: str = "https://api.poe.com"
    upload_url: str = "https://www.quora.com/poe_api/file_upload_3RD_PARTY_POST"
    user_agent: str = USER_AGENT
    proxy: str | None = field(default=None, repr=False)
    """One HTTP(S) proxy that the user names; used for every connection."""

    connect_timeout_seconds: float = 10.0
    request_timeout_seconds: float = 30.0
    """For one HTTP exchange that is not a stream."""
    first_event_timeout_seconds: float = 120.0
    """Between the accepted message and the bot's first event; slow models think long."""
    idle_timeout_seconds: float = 120.0
    """Between two events of an answer; after it the answer is looked up once before giving up."""
    stop_timeout_seconds: float = 3.0
    """For the call that stops an answer nobody waits for any more."""
    channel_max_age_seconds: float = 1200.0
    """An idle channel older than this is reopened before the next message."""
    channel_trust_seconds: float = 15.0
    """A socket silent for longer is pinged before the next message: the process may have been frozen meanwhile."""

    channel_ping_timeout_seconds: float = 2.0
    """For the pong that proves a silent socket alive; then the channel is reopened."""
    trailing_cost_seconds: float = 0.05
    """After the last text: how long `Finished` waits for the cost, which Poe pushes right behind it."""
    suggested_replies_seconds: float = 3.0
    """After the last text, only where asked for: how long `Finished` waits for suggested replies."""

    max_answer_chars: int = 4_000_000
    max_frame_bytes: int = 8_388_608
    max_page_bytes: int = 16_777_216
    max_attachment_bytes: int = 50_000_000

    tool_endpoints: Mapping[str, str] = field(default_factory=dict)
    """Where official accounts ask a model when tools are used, by its id in lower case: `chat`, `messages` or
    `responses`. `doctor` finds out which of them really calls a tool."""
    operation_generation: Literal["newer", "older"] = "newer"
    """Which generation of poe.com's operations to speak: hashes, variables and form of upload belong together."""
    operation_hashes: Mapping[str, str] = field(default_factory=dict)
    """Overrides of persisted-query hashes by operation name, for when Poe has changed one."""
    subscription_hashes: Mapping[str, str] = field(default_factory=dict)
    form_key_rules: Mapping[str, str] = field(default_factory=dict)
    """Overrides of the expressions that find the form key's program in Poe's pages: `secret` (its group is the
    statement with the decoder's secret), `key_function` (its group is a function's name), `key_call` (a whole call)."""

    def __post_init__(self) -> None:
        # Here rather than with the first connection, where it would look like a failure of Poe.
        if self.proxy is not None:
            check_proxy(self.proxy)
