"""The steps that a message takes on poe.com's web side, each by itself."""

from __future__ import annotations

import time
from contextlib import aclosing

from reverse.chat import PointsReading
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.doctor._message import send_message
from reverse.doctor._reach import check_reach
from reverse.doctor._report import Examination
from reverse.web import PoeWebClient

_BOTS = 10


async def check_web(
    examination: Examination, credentials: WebCredentials, config: PoeConfig, *, bot: str, send: bool
) -> None:
    """Run every step."""
    await check_reach(examination, config, config.web_base_url)
    failed = [check.name for check in examination.report.checks if check.status == "failed"]
    async with PoeWebClient(credentials, config) as client:
        await _Steps(examination, client, has_form_key=credentials.form_key is not None).run(failed, bot, send)


class _Steps:
    """The steps after the network itself, on one client."""

    def __init__(self, examination: Examination, client: PoeWebClient, *, has_form_key: bool) -> None:
        self._examination = examination
        self._client = client
        self._has_form_key = has_form_key

    async def run(self, failed: list[str], bot: str, send: bool) -> None:
        """All of them; `failed` are the steps of the network that did."""
        step = self._examination.step
        await step("home page", self._home_page, needs=failed)
        await step("form key", self._form_key, needs=failed)
        await step("channel settings", self._channel_settings, needs=["form key"])
        await step("subscription", self._subscription, needs=["channel settings"])
        await step("socket", self._socket, needs=["subscription"])
        # Plain calls, which work without the channel.
        await step("points", self._points, needs=["form key"])
        await step("bots", self._bots, needs=["form key"])
        if send:
            await step("message", lambda: send_message(self._client, bot), needs=["socket"])

    async def _home_page(self) -> str:
        page = await self._client.plumbing.home_page()
        if page.channel is not None:
            self._examination.learn(page.channel.channel, page.channel.channel_hash)
        channel = "with" if page.channel is not None else "without"
        return f"{len(page.scripts)} scripts, {channel} channel settings"

    async def _form_key(self) -> str:
        key = await self._client.plumbing.form_key()
        self._examination.learn(key)
        return "yours" if self._has_form_key else f"derived from the page, {len(key)} characters"

    async def _channel_settings(self) -> str:
        settings = await self._client.plumbing.channel_settings()
        self._examination.learn(settings["channel"], settings["channelHash"])
        return f"on {settings['baseHost']}"

    async def _subscription(self) -> str:
        await self._client.plumbing.subscribe()
        return "accepted"

    async def _socket(self) -> str:
        await self._client.plumbing.connect()
        return "open"

    async def _points(self) -> str:
        return reading_text(await self._client.points())

    async def _bots(self) -> str:
        count = 0
        async with aclosing(self._client.bots.available()) as bots:
            async for _ in bots:
                count += 1
                if count == _BOTS:
                    break
        return f"{count} read"


def reading_text(reading: PointsReading) -> str:
    """A balance in words."""
    balance = "no balance" if reading.balance is None else f"{reading.balance} points"
    plan = {True: ", subscribed", False: ", not subscribed", None: ""}[reading.subscribed]
    if reading.next_grant_at is None:
        return f"{balance}{plan}"
    return f"{balance}{plan}, next grant in {max(0.0, reading.next_grant_at - time.time()) / 3600:.0f} h"
