"""What a deployment is asked for: answers of the first time, kept beside the clone for the next ones."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from poegw.errors import CommandError, Exit

FILE = ".local/deployment.json"
DEFAULT_STACK = "poe-gateway"
DEFAULT_ENVIRONMENT = "default"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PARAMETER = re.compile(r"([A-Za-z][A-Za-z0-9]*)=(.*)", re.DOTALL)


def load(root: Path, environment: str = DEFAULT_ENVIRONMENT) -> dict[str, Any]:
    """The answers of before; empty the first time. Raises `CommandError`."""
    path = root / _file(environment)
    try:
        choices = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise CommandError(f"{_file(environment)} can't be read.", hint="Mend or remove it.") from None
    return choices if isinstance(choices, dict) else {}


def save(root: Path, choices: Mapping[str, Any], environment: str = DEFAULT_ENVIRONMENT) -> None:
    """Keep the answers. No secret is among them."""
    path = root / _file(environment)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps(dict(choices), indent=2) + "\n", encoding="utf-8")


def remembered(root: Path, stack: str) -> dict[str, str]:
    """The parameters of the last deployment of a stack from this folder; empty where there was none."""
    for path in sorted((root / FILE).parent.glob("deployment*.json")):
        environment = path.stem.removeprefix("deployment").removeprefix("-") or DEFAULT_ENVIRONMENT
        choices = load(root, environment)
        if choices.get("stack") == stack:
            return {name: str(value) for name, value in dict(choices.get("parameters", {})).items()}
    return {}


def environment_of(root: Path, name: str) -> dict[str, Any]:
    """The stack's name and the parameters that `samconfig.toml` has for an environment. Raises `CommandError`."""
    import tomllib

    try:
        config = tomllib.loads((root / "samconfig.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError):
        raise CommandError("samconfig.toml can't be read.", hint="Mend it.") from None
    known = {key: value for key, value in config.items() if isinstance(value, dict)}
    if name not in known:
        if name == DEFAULT_ENVIRONMENT:
            return {"parameters": {}}
        raise CommandError(
            f"samconfig.toml has no environment {name[:80]!r}.",
            hint=f"There are: {', '.join(known) or 'none'}.",
            status=Exit.USAGE,
        )
    chosen = known[name].get("global", {}).get("parameters", {})
    found: dict[str, Any] = {"parameters": parameters_of(tuple(chosen.get("parameter_overrides", ())))}
    return found | ({"stack": chosen["stack_name"]} if "stack_name" in chosen else {})


def _file(environment: str) -> str:
    return FILE if environment == DEFAULT_ENVIRONMENT else FILE.replace(".json", f"-{environment}.json")


def parameters_of(texts: tuple[str, ...]) -> dict[str, str]:
    """`NAME=VALUE` pairs. Raises `CommandError`."""
    parameters = {}
    for text in texts:
        match = _PARAMETER.fullmatch(text)
        if match is None:
            raise CommandError(f"{text[:80]!r} is not NAME=VALUE.", status=Exit.USAGE)
        parameters[match[1]] = match[2]
    return parameters


def ask(known: Mapping[str, Any], *, default_region: str | None) -> dict[str, Any]:
    """Ask what is not known: region, e-mail address and monthly budget. The Poe key is asked for at the end."""
    choices = dict(known)
    if "region" not in choices:
        choices["region"] = click.prompt("AWS region", default=default_region or "eu-central-1", err=True)
    parameters = dict(choices.get("parameters", {}))
    if "AlarmEmail" not in parameters:
        email = click.prompt("E-mail address for alarms (empty for none)", default="", show_default=False, err=True)
        if email and not _EMAIL.fullmatch(email):
            raise CommandError("That is not an e-mail address.", status=Exit.USAGE)
        # Kept also where it is empty: the question was answered.
        parameters["AlarmEmail"] = email
    # A budget needs an address for its notices.
    if parameters["AlarmEmail"] and "MonthlyBudget" not in parameters:
        budget = click.prompt(
            "Notice when AWS costs more than so many dollars a month", default=10, type=click.IntRange(1), err=True
        )
        parameters["MonthlyBudget"] = str(budget)
    return choices | {"parameters": parameters}
