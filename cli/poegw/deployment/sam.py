"""Runs the SAM CLI."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from poegw.errors import CommandError


def build(root: Path, parameters: Mapping[str, str]) -> None:
    """Build the artefacts once. Raises `CommandError`."""
    # With the parameters, because the processor that is built for is one of them.
    _run(root, ["build", "--parameter-overrides", *overrides(parameters)])


def deploy(root: Path, *, stack: str, region: str, profile: str | None, parameters: Mapping[str, str]) -> None:
    """Deploy what was built; resources are shown as they come. Raises `CommandError`."""
    arguments = ["deploy", "--stack-name", stack, "--region", region, "--resolve-s3"]
    arguments += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    if profile:
        arguments += ["--profile", profile]
    _run(root, [*arguments, "--parameter-overrides", *overrides(parameters)])


def show_changes(root: Path, *, stack: str, region: str, profile: str | None, parameters: Mapping[str, str]) -> None:
    """Print the change set without carrying it out. Raises `CommandError`."""
    arguments = ["deploy", "--stack-name", stack, "--region", region, "--resolve-s3"]
    arguments += ["--capabilities", "CAPABILITY_IAM", "--no-execute-changeset", "--no-fail-on-empty-changeset"]
    if profile:
        arguments += ["--profile", profile]
    _run(root, [*arguments, "--parameter-overrides", *overrides(parameters)])


def overrides(parameters: Mapping[str, str]) -> list[str]:
    """Parameters as SAM's option wants them."""
    # In quotes, without which SAM refuses an empty value and cuts one at its first space.
    return [f"{name}={_quoted(value)}" for name, value in sorted(parameters.items())]


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '\\"') + '"'


def _run(root: Path, arguments: list[str]) -> None:
    try:
        subprocess.run(["sam", *arguments], cwd=root, check=True)  # noqa: S603, S607 - the user's own tool
    except subprocess.CalledProcessError as error:
        raise CommandError(
            f"`sam {arguments[0]}` failed with status {error.returncode}.",
            hint="Its own words are above. docs/deploy.md#if-it-fails has what usually goes wrong.",
        ) from None
    except FileNotFoundError:
        raise CommandError("The SAM CLI is not installed.", hint="pipx install aws-sam-cli") from None
