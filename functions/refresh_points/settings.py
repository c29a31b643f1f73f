"""Every setting of the job: one environment variable each, prefix `GATEWAY_`, read once and validated.

The names that the gateway has as well mean the same there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from reverse.config import PoeConfig

PREFIX = "GATEWAY_"
MAX_CONCURRENCY = 100


class SettingsError(ValueError):
    """A setting is missing or not allowed. The message names the variable, the value (unless secret) and what is."""


def _text(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("printable ASCII")
    return value


def _address(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        # The channel's address may be a template, whose braces are no part of an address.
        parts = urlsplit(value.replace("{", "").replace("}", ""))
        if parts.scheme not in schemes or not parts.netloc:
            raise ValueError("an address that begins with " + " or ".join(f"{scheme}://" for scheme in schemes))
        return value.rstrip("/")

    return read


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value.lower()

    return read


def _number(lowest: float, highest: float, kind: type[int] | type[float] = float) -> Callable[[str], float]:
    def read(value: str) -> float:
        allowed = f"{'an integer' if kind is int else 'a number'} from {lowest:g} to {highest:g}"
        try:
            number = kind(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not lowest <= number <= highest:
            raise ValueError(allowed)
        return number

    return read


def _setting(default: Any, read: Callable[[str], Any], *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"read": read, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What configures the job. Times are seconds. The variable's name is the attribute's, upper case, prefixed."""

    table: str = _setting("", _text)
    kms_key_id: str = _setting("", _text)

    poe_web_base_url: str = _setting("", _address("https", "http"))
    poe_web_channel_url: str = _setting("", _address("wss", "ws"))
    poe_official_base_url: str = _setting("", _address("https", "http"))
    user_agent: str = _setting("", _text)
    proxy: str = _setting("", _address("https", "http"), secret=True)

    refresh_concurrency: int = _setting(25, _number(1, MAX_CONCURRENCY, int))
    """Accounts read at once."""
    refresh_timeout_seconds: float = _setting(30.0, _number(1, 300))
    """For one account, from claim to record."""
    refresh_margin_seconds: float = _setting(5.0, _number(1, 60))
    """Between the end of the last reading and the deadline of the run."""

    catalogue_hours: float = _setting(6.0, _number(0.1, 1000))
    """How old the list of models may become before it is read again."""

    log_level: str = _setting("info", _one_of("debug", "info", "warning", "error", "critical"))
    metrics: str = _setting("off", _one_of("on", "off"))
    """Whether to write CloudWatch metrics (embedded metric format, in the log)."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read and validate. Raises `SettingsError` for a value that is wrong or missing."""
        values: dict[str, Any] = {}
        for item in fields(cls):
            variable = PREFIX + item.name.upper()
            text = environ.get(variable, "").strip()
            if text:
                values[item.name] = _read(variable, text, item.metadata)
            elif item.name in ("table", "kms_key_id"):
                raise SettingsError(f"{variable} is missing")
        return cls(**values)

    def poe_config(self) -> PoeConfig:
        """The clients' configuration: their defaults, but for what is set."""
        chosen: dict[str, Any] = {
            "web_base_url": self.poe_web_base_url,
            "channel_url": self.poe_web_channel_url,
            "official_base_url": self.poe_official_base_url,
            "user_agent": self.user_agent,
            "proxy": self.proxy,
        }
        return PoeConfig(**{name: value for name, value in chosen.items() if value})


def _read(variable: str, text: str, metadata: Mapping[str, Any]) -> Any:
    try:
        return metadata["read"](text)
    except ValueError as error:
        shown = "its value" if metadata["secret"] else repr(text[:80])
        raise SettingsError(f"{variable}: {shown} is not allowed; it must be {error}") from None
