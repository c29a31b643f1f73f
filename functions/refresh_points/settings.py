"""Every setting of the job: one environment variable each, prefix `GATEWAY_`, read once and validated."""

from __future__ import annotations

from collections.abc import Mapping

from lazy_dataclasses import dataclass
from pool.settings import (
    TEXT,
    Reader,
    SettingsError,
    SharedSettings,
    integer,
    number,
    read_settings,
    setting,
    variable_of,
)

__all__ = ["MAX_CONCURRENCY", "Settings", "SettingsError"]

MAX_CONCURRENCY = 100


def _read_age(value: str) -> float | None:
    """Hours; `None` for never."""
    if value.lower() == "never":
        return None
    return 0.0 if value.lower() == "after_answer" else number(*_HOURS)(value)


_HOURS = (0.5, 8_760)
_AGE = Reader("never, after_answer, or hours from 0.5 to 8760", _read_age)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(SharedSettings):
    """What configures the job. Times are in seconds."""

    refresh_concurrency: int = setting(25, integer(1, MAX_CONCURRENCY))
    """Accounts read at once."""
    refresh_timeout_seconds: float = setting(30.0, number(1, 300))
    """For one account, from claim to record."""
    refresh_margin_seconds: float = setting(5.0, number(1, 60))
    """Between the end of the last reading and the deadline of the run."""

    catalogue_hours: float = setting(6.0, number(0.1, 1000))
    """How old the list of models may become before it is read again."""

    delete_chats: float | None = setting(24.0, _AGE)
    """When chats that the gateway began in web accounts are deleted: `never`, `after_answer`, or that many hours later.
    A chat that a conversation with a `session_id` still goes on in stays."""

    alert_topic_arn: str = setting("", TEXT)
    """SNS topic that alerts are sent to. Empty for none; a webhook is set by `poegw alerts webhook`."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read and validate. Raises `SettingsError` for a value that is wrong or missing."""
        settings = read_settings(cls, environ)
        for name in ("table", "kms_key_id"):
            if not getattr(settings, name):
                raise SettingsError(f"{variable_of(name)} is missing")
        return settings
