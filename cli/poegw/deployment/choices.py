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
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PARAMETER = re.compile(r"([A-Za-z][A-Za-z0-9]*)=(.*)", re.DOTALL)


def load(root: Path) -> dict[str, Any]:
    """The answers of before; empty the first time. Raises `CommandError`."""
    try:
        choices = json.loads((root / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise CommandError(f"{FILE} can't be read.", hint="Mend or remove it.") from None
    return choices if isinstance(choices, dict) else {}


def save(root: Path, choices: Mapping[str, Any]) -> None:
    """Keep the answers. No secret is among them."""
    path = root / FILE
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(json.dumps(dict(choices), indent=2) + "\n", encoding="utf-8")


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
        parameters["AlarmEmail"] = email
    if parameters["AlarmEmail"] and "MonthlyBudget" not in parameters:
        budget = click.prompt("Notice when AWS costs more than so many dollars a month", default=10, type=int, err=True)
        parameters["MonthlyBudget"] = str(budget)
    return choices | {"parameters": parameters}
