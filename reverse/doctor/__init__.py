"""A diagnosis of the way to Poe with the user's own account: step by step, and a report that can be shown to others.

report = await diagnose(WebCredentials(...))
print(report.to_text())
"""

from __future__ import annotations

from collections.abc import Callable

from reverse.config import PoeConfig
from reverse.credentials import OfficialCredentials, WebCredentials
from reverse.doctor._official import check_official
from reverse.doctor._report import Check, Examination, Report
from reverse.doctor._web import check_web

__all__ = ["Check", "Report", "diagnose"]


async def diagnose(
    credentials: WebCredentials | OfficialCredentials,
    config: PoeConfig | None = None,
    *,
    bot: str = "Assistant",
    send: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Report:
    """Run the checks in order and report. What depends on a failed check is skipped.

    Nothing is sent to a bot unless `send` is set: then one short message, and with an official account one more with a
    tool for each endpoint that the model lists; they cost points. `progress` is given
    each line of the report as soon as it is known. The report holds no cookie, key, form key, channel or prompt.
    Raises nothing for what is wrong on the way to Poe; cancelling it closes everything.
    """
    config = config or PoeConfig()
    if isinstance(credentials, OfficialCredentials):
        examination = Examination("official", config, [credentials.api_key], progress)
        await check_official(examination, credentials, config, bot=bot, send=send)
    else:
        secrets = [credentials.p_b, credentials.p_lat, credentials.cf_clearance, credentials.cf_bm]
        known = [secret for secret in [*secrets, credentials.form_key, credentials.revision] if secret]
        examination = Examination("web", config, known, progress)
        await check_web(examination, credentials, config, bot=bot, send=send)
    return examination.report
