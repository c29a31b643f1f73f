"""Reads the settings of `python -m local run` from environment variables and a `.env` file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FUNCTION_PREFIXES = ("GATEWAY_", "STREAMING_RUNTIME_", "POWERTOOLS_")
# Where TLS certificates are looked for is a matter of the machine, not of the function.
_MACHINE_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
RUN_MARK = "POE_GATEWAY_RUN"
"""Set by `run.env`. A shell that has read it holds that run's stand-ins and keys, which nobody chose:
they must override neither `.env` nor what another run makes up."""
_OF_ANOTHER_RUN = re.compile(r"GATEWAY_(POE_[A-Z_]+|TABLE|KMS_KEY_ID|ADMIN_KEY)")


class SettingsError(ValueError):
    """A setting is not allowed. The message names the variable, the value and what is allowed."""


class Upstream(StrEnum):
    """What answers in Poe's place."""

    SIMULATOR = "simulator"
    """The simulators on this machine, with sample accounts. Needs no account anywhere."""
    LIVE = "live"
    """poe.com and api.poe.com, with the accounts that the user adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """One run of the local stack."""

    host: str = "127.0.0.1"
    """Address to listen on. Whoever reaches it and has an API key spends your points."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    upstream: Upstream = Upstream.SIMULATOR
    """What answers in Poe's place: stand-ins on this machine, or poe.com and api.poe.com with your accounts."""
    sandboxes: int = 4
    """Requests answered at once, each in a process of its own, as on Lambda."""
    state: Path = ROOT / ".local"
    """Folder of everything that survives, and of `run.env`."""
    function_variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Handed on to the functions, over what the template gives them."""
    filed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the `.env` file has."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str], env_file: Path | None = ROOT / ".env") -> RunSettings:
        """Read and validate; a variable of the environment wins over one of the file. Raises `SettingsError`."""
        filed = read_env_file(env_file) if env_file is not None else {}
        if RUN_MARK in environ:
            environ = {name: value for name, value in environ.items() if not _OF_ANOTHER_RUN.fullmatch(name)}
        given = {**filed, **{name: value for name, value in environ.items() if value.strip()}}
        given = {name: value for name, value in given.items() if value.strip()}
        return cls(
            host=given.get("HOST", "127.0.0.1"),
            port=_integer(given, "PORT", 8000, 0, 65535),
            upstream=_upstream(given.get("UPSTREAM", Upstream.SIMULATOR)),
            sandboxes=_integer(given, "SANDBOXES", 4, 1, 100),
            state=Path(given.get("STATE", ROOT / ".local")).absolute(),
            function_variables={
                name: value
                for name, value in given.items()
                if name.startswith(_FUNCTION_PREFIXES) or name in _MACHINE_VARIABLES
            },
            filed=filed,
        )

    @property
    def upstream_state(self) -> Path:
        """Simulated and real accounts never share a table."""
        return self.state / self.upstream

    @property
    def run_file(self) -> Path:
        return self.state / "run.env"


def read_env_file(path: Path) -> dict[str, str]:
    """Assignments of a `.env` file: `NAME=value`, quotes as in a shell, `#` comments. No file, no assignments.

    Raises `SettingsError`, which names the line but does not show it: it may hold a secret.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not _NAME.fullmatch(name.strip()):
            raise SettingsError(f"{path}, line {number}: it must be NAME=value")
        try:
            values[name.strip()] = " ".join(shlex.split(value, comments=True))
        except ValueError:
            raise SettingsError(f"{path}, line {number}: a quote is not closed") from None
    return values


def _integer(values: Mapping[str, str], name: str, default: int, lowest: int, highest: int) -> int:
    text = values.get(name, str(default))
    if not (text.isascii() and text.isdigit() and lowest <= int(text) <= highest):
        raise SettingsError(f"{name}={text!r} is not allowed; it must be a whole number from {lowest} to {highest}")
    return int(text)


def _upstream(text: str) -> Upstream:
    try:
        return Upstream(text)
    except ValueError:
        raise SettingsError(f"UPSTREAM={text!r} is not allowed; it must be one of {', '.join(Upstream)}") from None
