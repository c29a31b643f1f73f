"""The two functions as the template defines them, pointed at the stand-ins."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.aws import ACCOUNT_ID, REGION
from local.function_url import Cors, Function, InvokeMode
from local.settings import ROOT
from local.template import Template, TemplateError

GATEWAY = "GatewayFunction"
REFRESH_POINTS = "RefreshPointsFunction"

# What /var/task and /opt/python hold on Lambda.
_LAYERS = ("accounts", "pool", "streaming_runtime")
PYTHON_PATH = [ROOT, ROOT / "functions", *(ROOT / "layers" / name for name in _LAYERS)]


def gateway_function(
    template: Template, *, stand_ins: Mapping[str, str], overrides: Mapping[str, str], log: Path | None
) -> Function:
    """The gateway with its URL. Raises `TemplateError`."""
    properties = template.function(GATEWAY)
    url = properties["FunctionUrlConfig"]
    wrapper = _layer_file(properties["Environment"]["AWS_LAMBDA_EXEC_WRAPPER"])
    return Function(
        name="poe-gateway-gateway",
        handler=properties["Handler"],
        # What Lambda's own bootstrap would run; the wrapper replaces the runtime client with the streaming loop.
        command=(str(wrapper), sys.executable, "/var/runtime/bootstrap.py"),
        task_root=ROOT / "functions",
        environment=_environment(properties, stand_ins, overrides),
        memory_mb=int(properties["MemorySize"]),
        timeout_seconds=float(properties["Timeout"]),
        region=REGION,
        account_id=ACCOUNT_ID,
        invoke_mode=InvokeMode(url.get("InvokeMode", InvokeMode.BUFFERED)),
        cors=_cors(url.get("Cors")),
        log=log,
    )


def refresh_environment(
    template: Template, *, stand_ins: Mapping[str, str], overrides: Mapping[str, str]
) -> dict[str, str]:
    """The variables of the scheduled function, Lambda's own included. Raises `TemplateError`."""
    properties = template.function(REFRESH_POINTS)
    function = Function(
        name="poe-gateway-refresh-points",
        handler=properties["Handler"],
        command=(),
        task_root=ROOT / "functions",
        environment=_environment(properties, stand_ins, overrides),
        memory_mb=int(properties["MemorySize"]),
        timeout_seconds=float(properties["Timeout"]),
    )
    return function.sandbox_environment("127.0.0.1:0", "local")


def refresh_timeout_seconds(template: Template) -> float:
    return float(template.function(REFRESH_POINTS)["Timeout"])


def schedule_seconds(template: Template) -> float:
    """How often the scheduled function runs. Raises `TemplateError` for anything but a rate."""
    events = template.resources("AWS::Serverless::Function")[REFRESH_POINTS]["Events"]
    schedule = next(event for event in events.values() if event["Type"] == "ScheduleV2")
    expression = template.resolve(schedule["Properties"]["ScheduleExpression"])
    units = {"minute": 60, "hour": 3600, "day": 86400}
    words = str(expression).removeprefix("rate(").removesuffix(")").split()
    if len(words) != 2 or not words[0].isdigit() or words[1].rstrip("s") not in units:
        raise TemplateError(f"the schedule {expression!r} is not a rate in minutes, hours or days")
    return float(int(words[0]) * units[words[1].rstrip("s")])


def _environment(
    properties: Mapping[str, Any], stand_ins: Mapping[str, str], overrides: Mapping[str, str]
) -> dict[str, str]:
    return {
        **{name: str(value) for name, value in properties["Environment"].items()},
        "PYTHONPATH": ":".join(map(str, PYTHON_PATH)),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{platform.python_version().rpartition('.')[0]}",
        **stand_ins,
        **overrides,
    }


def _layer_file(path: str) -> Path:
    """A file of /opt, found in the layer that brings it."""
    name = Path(path).relative_to("/opt")
    for layer in sorted((ROOT / "layers").iterdir()):
        if (layer / name).is_file():
            return layer / name
    raise TemplateError(f"no layer brings {path}")


def _cors(config: Mapping[str, Any] | None) -> Cors | None:
    if config is None:
        return None
    return Cors(
        allow_origins=config.get("AllowOrigins", ()),
        allow_methods=config.get("AllowMethods", ()),
        allow_headers=config.get("AllowHeaders", ()),
        expose_headers=config.get("ExposeHeaders", ()),
        max_age_seconds=config.get("MaxAge"),
        allow_credentials=config.get("AllowCredentials", False),
    )
