"""Reads a function's settings from environment variables: one each, prefix `GATEWAY_`, validated.

A function declares its settings as a dataclass whose fields are made by `setting`, and reads them with
`read_settings`. A variable's name is the attribute's, upper case, with the prefix.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import field, fields
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lazy_dataclasses import dataclass
from reverse.config import PoeConfig

PREFIX = "GATEWAY_"
_SHOWN_CHARACTERS = 80
_LEAST_SECRET_LENGTH = 16

S = TypeVar("S")


class SettingsError(ValueError):
    """A setting is missing or not allowed. The message names the variable, the value (unless secret) and what is."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one kind of value. `read` raises `ValueError` for a value that is not `allowed`."""

    allowed: str
    read: Callable[[str], Any] = field(repr=False)

    def __call__(self, text: str) -> Any:
        try:
            return self.read(text)
        except ValueError:
            raise ValueError(self.allowed) from None


def one_of(*allowed: str) -> Reader:
    """One of these words, in any case."""

    def read(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError
        return value.lower()

    return Reader("one of " + ", ".join(allowed), read)


def integer(lowest: int, highest: int) -> Reader:
    """A whole number in this range."""
    return Reader(f"an integer from {lowest} to {highest}", lambda value: _within(int(value), lowest, highest))


def number(lowest: float, highest: float) -> Reader:
    """A number in this range."""
    return Reader(f"a number from {lowest:g} to {highest:g}", lambda value: _within(float(value), lowest, highest))


def address(*schemes: str) -> Reader:
    """An address with one of these schemes, without a slash at its end."""

    def read(value: str) -> str:
        # The channel's address may be a template, whose braces are no part of an address.
        parts = urlsplit(value.replace("{", "").replace("}", ""))
        # A port that is no number is only noticed when it is read.
        if parts.scheme not in schemes or not parts.netloc or not parts.hostname or parts.port == 0:
            raise ValueError
        # Paths are put behind it, which begin with one.
        return value.rstrip("/")

    return Reader("an address that begins with " + " or ".join(f"{scheme}://" for scheme in schemes), read)


def _read_text(value: str) -> str:
    # Most of them become part of a header or an address.
    if not value.isascii() or not value.isprintable():
        raise ValueError
    return value


def _read_secret(value: str) -> str:
    if len(value) < _LEAST_SECRET_LENGTH:
        raise ValueError
    return _read_text(value)


TEXT = Reader("printable ASCII", _read_text)
SECRET = Reader(f"at least {_LEAST_SECRET_LENGTH} printable ASCII characters", _read_secret)
WORDS = Reader(
    "a list separated by commas", lambda value: tuple(item.strip() for item in value.split(",") if item.strip())
)


def setting(default: Any, reader: Reader, *, secret: bool = False) -> Any:
    """A field of a settings class. A secret's value is never shown."""
    return field(default=default, repr=not secret, metadata={"reader": reader, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings:
    """What both functions are told, under the same names. Times are in seconds."""

    table: str = setting("", TEXT)
    """Name of the DynamoDB table."""
    kms_key_id: str = setting("", TEXT)
    """KMS key that encrypts credentials."""

    poe_web_base_url: str = setting("", address("https", "http"))
    """Where the web API is, instead of poe.com: for stand-ins."""
    poe_web_channel_url: str = setting("", address("wss", "ws"))
    """Where the web API's channel is; the host may be a template, as `PoeConfig.channel_url` describes."""
    poe_official_base_url: str = setting("", address("https", "http"))
    """Where the documented API is, instead of api.poe.com: for stand-ins."""
    poe_upload_url: str = setting("", address("https", "http"))
    """Where files are uploaded to with an API key: for stand-ins."""
    user_agent: str = setting("", TEXT)
    """What the clients call themselves, instead of their own name."""
    proxy: str = setting("", address("https", "http"), secret=True)
    """A proxy for every connection to Poe. Its address may hold a password and is never shown."""

    log_level: str = setting("info", one_of("debug", "info", "warning", "error", "critical"))
    """Least level that is logged."""
    metrics: str = setting("off", one_of("on", "off"))
    """Whether to write CloudWatch metrics (embedded metric format, in the log)."""

    def poe_config(self) -> PoeConfig:
        """The clients' configuration: their defaults, but for what is set."""
        chosen: dict[str, Any] = {
            "web_base_url": self.poe_web_base_url,
            "channel_url": self.poe_web_channel_url,
            "official_base_url": self.poe_official_base_url,
            "upload_url": self.poe_upload_url,
            "user_agent": self.user_agent,
            "proxy": self.proxy,
        }
        # Empty means the client's own default, and not an empty address.
        return PoeConfig(**{name: value for name, value in chosen.items() if value})


def read_settings(settings: type[S], environ: Mapping[str, str]) -> S:
    """Read and validate the settings of this class. Empty variables count as missing.

    Raises `SettingsError` for a value that is not allowed.
    """
    values: dict[str, Any] = {}
    for item in fields(settings):  # type: ignore[arg-type]  # every settings class is a dataclass
        variable = variable_of(item.name)
        text = environ.get(variable, "").strip()
        # A deployment's parameter without a value becomes an empty variable.
        if text:
            values[item.name] = _read(variable, text, item.metadata)
    return settings(**values)


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def unknown_variables(environ: Mapping[str, str], known: Collection[str]) -> dict[str, str | None]:
    """Variables with our prefix that no setting reads, each with the known name that it resembles, if there is one."""
    # Named and not refused: a stack that is rolled back keeps variables that an older version does not know.
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in known)
    # Only what is nearly the same: a wrong guess would lead astray.
    import difflib  # for typing errors alone

    return {name: next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.8)), None) for name in unknown}


def _read(variable: str, text: str, metadata: Mapping[str, Any]) -> Any:
    try:
        return metadata["reader"](text)
    except ValueError as error:
        # Cut, because a key pasted into the wrong variable should not be logged whole.
        shown = "its value" if metadata["secret"] else repr(text[:_SHOWN_CHARACTERS])
        raise SettingsError(f"{variable}: {shown} is not allowed; it must be {error}") from None


N = TypeVar("N", int, float)


def _within(value: N, lowest: N, highest: N) -> N:
    # `float` reads "nan" and "inf", too, and no comparison with NaN is true.
    if not math.isfinite(value) or not lowest <= value <= highest:
        raise ValueError
    return value
