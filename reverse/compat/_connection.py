"""Construction, connection and plumbing: what every group of methods is built on."""

from __future__ import annotations

import dataclasses
import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any, Self

from reverse.chat import ChatRef
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.errors import ErrorCode, poe_error
from reverse.web import ChatSummary, Group, PoeWebClient

# What every request has, with values of its own.
_SENT_ANYWAY = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "origin", "referer"}
)
_SHOWN_NAMES, _SHOWN_CHARS = 5, 40
# Chats whose codes are remembered, so that continuing one by its code takes no round trip more.
_MAX_KNOWN_CHATS = 256


class Connection:
    """One account's connection. `tokens` has the browser's cookies: `p-b`, and optionally `p-lat`, `cf_clearance`,
    `__cf_bm`, `formkey` and `poe-revision`.

    `proxy` is an address, or a list with one mapping of the kind that the original takes. Of `headers` the User-Agent
    counts; those that every request has anyway (`Origin`, `Referer` …) are ignored. `config` replaces addresses
    and limits; `group_pause_seconds` are the bounds of the wait before each turn of a group. Raises `ValueError`,
    quoting no value, where an argument can't be used. Constructing does no network call; every method that does one
    raises `PoeError`.
    """

    def __init__(
        self,
        tokens: Mapping[str, str | None] | None = None,
        proxy: str | Sequence[Mapping[str, str]] = (),
        auto_proxy: bool = False,
        headers: Mapping[str, str] | None = None,
        request_retry_limit: int | None = None,  # noqa: ARG002 - part of the signature, without effect
        *,
        config: PoeConfig | None = None,
        group_pause_seconds: tuple[float, float] = (3.0, 5.0),
    ) -> None:
        if auto_proxy:
            raise ValueError("auto_proxy is not supported: name one proxy")
        config = config or PoeConfig()
        changes: dict[str, Any] = {}
        if (address := _only_proxy(proxy)) is not None:
            changes["proxy"] = address
        if (user_agent := _only_user_agent(headers or {})) is not None:
            changes["user_agent"] = user_agent
        self.client = PoeWebClient(
            WebCredentials.from_mapping(tokens or {}),
            dataclasses.replace(config, **changes) if changes else config,
            splits_thinking=False,  # a chunk has the message's text as it is
        )
        """The client that does the work; its methods give typed values and events."""
        self._groups: dict[str, Group] = {}
        self._group_pause_seconds = group_pause_seconds
        self._rng = random.Random()  # noqa: S311 - decides which bot of a group speaks
        self._known_chats: OrderedDict[int, ChatSummary] = OrderedDict()

    async def create(self) -> Self:
        """Connect, so that wrong credentials are noticed here. Raises `PoeError`."""
        try:
            await self.connect_ws()
        # The caller never gets the object, so that nobody else could close it.
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Release sockets and tasks. No network call; safe to call twice."""
        await self.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def load_bundle(self) -> str:
        """Derive the form key from the home page, unless there is one; returns it. Treat it as a secret."""
        return await self.client.plumbing.form_key()

    async def get_channel_settings(self) -> dict[str, str]:
        """Fetch new channel settings (`tchannelData`). Treat them as a secret."""
        return await self.client.plumbing.channel_settings()

    async def subscribe(self) -> None:
        """Tell Poe which events to push."""
        await self.client.plumbing.subscribe()

    async def connect_ws(self) -> None:
        """Open the channel, or prove the open one alive."""
        await self.client.plumbing.connect()

    async def disconnect_ws(self) -> None:
        """Drop the channel; the next message opens another."""
        self.client.plumbing.disconnect()

    async def refresh_ws(self) -> None:
        """Open a new channel in place of the open one."""
        await self.disconnect_ws()
        await self.connect_ws()

    async def send_request(
        self, path: str = "gql_POST", query_name: str = "", variables: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call an operation by its name; returns `{"data": ...}`. Raises `ValueError` for another path."""
        if path != "gql_POST":
            raise ValueError("operations are called at the path gql_POST")
        return {"data": await self.client.plumbing.call(query_name, variables or {})}

    async def get_settings(self) -> dict[str, Any]:
        """Points and plan, as Poe sends them; `messagePointInfo` also has the sum, `totalPointBalance`."""
        settings = await self.client.settings()
        info = settings.raw.get("messagePointInfo")
        return {
            "subscription": settings.raw.get("subscription"),
            "messagePointInfo": {
                **(info if isinstance(info, dict) else {}),
                "totalPointBalance": settings.points.balance,
            },
        }

    def remember(self, chat: ChatSummary) -> None:
        """Keep what is known about a chat."""
        self._known_chats[chat.chat_id] = chat
        self._known_chats.move_to_end(chat.chat_id)
        if len(self._known_chats) > _MAX_KNOWN_CHATS:
            self._known_chats.popitem(last=False)

    async def chat_of(self, bot: str, chat_id: int | None, chat_code: str | None) -> ChatSummary:
        """The chat that is meant: by its number or code, else the newest with the bot. Raises `CHAT_NOT_FOUND`."""
        if chat_id is not None:
            return self._known_chats.get(chat_id) or ChatSummary(chat_id, chat_code)
        if chat_code is not None:
            known = (chat for chat in self._known_chats.values() if chat.chat_code == chat_code)
            chat = next(known, None) or (await self.client.chats.open(chat_code))[0]
            self.remember(chat)
            return chat
        async with aclosing(self.client.chats.history(bot or None, page_size=1)) as chats:
            async for chat in chats:
                return chat
        raise poe_error(ErrorCode.CHAT_NOT_FOUND)

    async def ref_of(self, bot: str, chat_id: int | None, chat_code: str | None) -> ChatRef:
        """As `chat_of`, in the form that requests take."""
        return (await self.chat_of(bot, chat_id, chat_code)).ref


def _only_proxy(proxy: str | Sequence[Mapping[str, str]]) -> str | None:
    if isinstance(proxy, str):
        return proxy or None
    if len(proxy) > 1:
        raise ValueError("only one proxy can be named")
    # The original takes an address for each scheme; they may well be the same.
    addresses = {address for entry in proxy for address in entry.values() if address}
    if len(addresses) > 1:
        raise ValueError("only one proxy can be named, for all schemes")
    return next(iter(addresses), None)


def _only_user_agent(headers: Mapping[str, str]) -> str | None:
    """The User-Agent. Headers that are sent in any case are ignored; others can't be sent, and are refused."""
    given = {name.strip().lower(): value for name, value in headers.items()}
    refused = sorted(given.keys() - _SENT_ANYWAY - {"user-agent"})
    # Refused and not ignored: who sets a header relies on it.
    if refused:
        shown = ", ".join(name[:_SHOWN_CHARS] for name in refused[:_SHOWN_NAMES])
        raise ValueError(f"of the headers only User-Agent can be set; left out must be: {shown}")
    return given.get("user-agent")
