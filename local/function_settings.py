"""The functions' own settings, looked at before anything starts: what they would refuse is said in the terminal.

Otherwise a wrong value would end a sandbox at its start, and only the log would say why.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from local.functions import PYTHON_PATH
from local.settings import RUN_MARK, SettingsError

# Found as on Lambda, also where `python -m local` was started with nothing but this folder on its path.
sys.path += [str(path) for path in PYTHON_PATH if str(path) not in sys.path]

from gateway.settings import Settings as GatewaySettings
from gateway.settings import SettingsError as FunctionSettingsError
from pool.original_names import original_variables
from pool.settings import unknown_variables, variable_of
from refresh_points.settings import Settings as RefreshSettings

# The stack names these itself.
_NAMED_BY_THE_STACK = {"GATEWAY_TABLE": "table", "GATEWAY_KMS_KEY_ID": "key"}
# Read by other programs: the command line and `make sam-local`.
_READ_ELSEWHERE = {"GATEWAY_URL"}
_READERS: tuple[Callable[[Mapping[str, str]], Any], ...] = (GatewaySettings.from_env, RefreshSettings.from_env)


def check_function_variables(variables: Mapping[str, str]) -> None:
    """Raise `SettingsError`, with the functions' own words, for a value that one of them would refuse."""
    for read in _READERS:
        try:
            read({**_NAMED_BY_THE_STACK, **variables})
        except FunctionSettingsError as error:
            raise SettingsError(str(error)) from None


def remarks(environ: Mapping[str, str], variables: Mapping[str, str]) -> list[str]:
    """Sentences about variables that nothing reads. `variables` are those for the functions, `environ` all of them."""
    told = [
        f"{name} is not a setting, and is not used." + (f" Did you mean {near}?" if near else "")
        for name, near in unknown_variables(variables, _known()).items()
    ]
    told += [f"{name} is not used: {instead}." for name, instead in original_variables(environ).items()]
    if RUN_MARK in environ and environ.get("GATEWAY_ADMIN_KEY"):
        told.append("GATEWAY_ADMIN_KEY of this shell comes from another run's run.env, and is not used.")
    return told


def _known() -> set[str]:
    settings = (*fields(GatewaySettings), *fields(RefreshSettings))
    return {variable_of(item.name) for item in settings} | _READ_ELSEWHERE
