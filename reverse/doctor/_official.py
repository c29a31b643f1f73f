"""The steps of the documented API."""

from __future__ import annotations

from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials
from reverse.doctor._message import send_message
from reverse.doctor._reach import check_reach
from reverse.doctor._report import Examination
from reverse.doctor._tools import check_tools
from reverse.doctor._web import reading_text
from reverse.official import ModelInfo, PoeOfficialClient


async def check_official(
    examination: Examination, credentials: OfficialCredentials, config: PoeConfig, *, bot: str, send: bool
) -> None:
    """Run every step. The list of models needs no key, the balance does: together they tell a wrong key."""
    await check_reach(examination, config, config.official_base_url)
    failed = [check.name for check in examination.report.checks if check.status == "failed"]
    async with PoeOfficialClient(credentials, config) as client:
        found: list[ModelInfo] = []

        async def models() -> str:
            found.extend(await client.models())
            return f"{len(found)} models"

        async def balance() -> str:
            return reading_text(await client.points())

        await examination.step("models", models, needs=failed)
        await examination.step("balance", balance, needs=failed)
        if send:
            await examination.step("message", lambda: send_message(client, bot), needs=["balance"])
            await check_tools(examination, client, next((one for one in found if one.id == bot.lower()), None))
