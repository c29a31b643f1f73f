"""Runs the scheduled job once, beside a stack that runs in another terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local import functions
from local.reaper import Reaper
from local.schedule import ScheduledFunction
from local.settings import RunSettings, Upstream
from local.stack import TEMPLATE
from local.template import Template


async def refresh_once(settings: RunSettings, variables: Mapping[str, str], event: Mapping[str, Any]) -> Any:
    """The handler's result. `variables` are those of the run file. Raises `InvocationError`."""
    references = {"AccountsTable": variables["GATEWAY_TABLE"], "CredentialsKey.Arn": variables["GATEWAY_KMS_KEY_ID"]}
    template = Template.load(TEMPLATE, references)
    # Nobody stands in for Poe there: that stack speaks to the live services.
    is_live = "GATEWAY_POE_WEB_BASE_URL" not in variables
    settings = replace(settings, upstream=Upstream.LIVE if is_live else Upstream.SIMULATOR)
    stand_ins = {name: value for name, value in variables.items() if name.startswith(("AWS_", "GATEWAY_POE_"))}
    reaper = Reaper()
    try:
        function = ScheduledFunction(
            handler=template.function(functions.REFRESH_POINTS)["Handler"],
            environment=functions.refresh_environment(
                template, stand_ins=stand_ins, overrides=settings.function_variables
            ),
            timeout_seconds=functions.refresh_timeout_seconds(template),
            log=settings.upstream_state / "refresh_points.log",
            reaper=reaper,
        )
        return await function.invoke(event or None)
    finally:
        reaper.close()
