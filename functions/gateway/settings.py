"""Every setting of the gateway: one environment variable each, prefix `GATEWAY_`, read once and validated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar
from urllib.parse import urlsplit

PREFIX = "GATEWAY_"

T = TypeVar("T")


class SettingsError(ValueError):
    """A setting is missing or not allowed. The message names the variable, the value (unless secret) and what is."""


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.lower() not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value.lower()

    return read


def _number(kind: Callable[[str], T], lowest: float, highest: float) -> Callable[[str], T]:
    def read(value: str) -> T:
        allowed = f"a{'n integer' if kind is int else ' number'} from {lowest:g} to {highest:g}"
        try:
            number = kind(value)
        except ValueError:
            raise ValueError(allowed) from None
        if not lowest <= number <= highest:  # type: ignore[operator]  # kind is int or float
            raise ValueError(allowed)
        return number

    return read


def _address(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        # The channel's address may be a template, whose braces are no part of an address.
        parts = urlsplit(value.replace("{", "").replace("}", ""))
        if parts.scheme not in schemes or not parts.netloc:
            raise ValueError("an address that begins with " + " or ".join(f"{scheme}://" for scheme in schemes))
        return value.rstrip("/")

    return read


def _text(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("printable ASCII")
    return value


def _secret(value: str) -> str:
    if len(value) < 16 or not value.isascii() or not value.isprintable():  # noqa: PLR2004 - said in the message
        raise ValueError("at least 16 printable ASCII characters")
    return value


def _list(value: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in value.split(",") if item.strip())


def _setting(default: Any, read: Callable[[str], Any], *, secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"read": read, "secret": secret})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What configures one gateway. Times are seconds. The variable's name is the attribute's, upper case, prefixed."""

    store: str = _setting("dynamodb", _one_of("dynamodb", "memory"))
    """Where accounts, keys and usage live. `memory` forgets everything at exit: for trying out and tests."""
    table: str = _setting("", _text)
    kms_key_id: str = _setting("", _text)
    admin_secret_id: str = _setting("", _text)
    """Secrets Manager secret with the admin key; read at the first admin request."""
    admin_key: str = _setting("", _secret, secret=True)
    """The admin key itself; wins over the secret. Without both, the admin routes answer 401 to everybody."""

    poe_web_base_url: str = _setting("", _address("https", "http"))
    poe_web_channel_url: str = _setting("", _address("wss", "ws"))
    poe_official_base_url: str = _setting("", _address("https", "http"))
    poe_upload_url: str = _setting("", _address("https", "http"))
    user_agent: str = _setting("", _text)
    proxy: str = _setting("", _address("https", "http"), secret=True)

    log_level: str = _setting("info", _one_of("debug", "info", "warning", "error", "critical"))
    metrics: str = _setting("off", _one_of("on", "off"))
    """Whether to write CloudWatch metrics (embedded metric format, in the log)."""
    docs: str = _setting("off", _one_of("off", "admin"))
    """Whether `/openapi.json` and `/docs` answer: to nobody, or to the holder of the admin key."""
    cors_origins: tuple[str, ...] = _setting((), _list)
    """Origins that browsers may call from, comma-separated, or `*`. Empty behind a Function URL, which answers CORS
    itself: headers set in both places would be refused by browsers."""

    max_attempts: int = _setting(3, _number(int, 1, 10))
    """Accounts tried for one request before its first event."""
    attempts_seconds: float = _setting(60.0, _number(float, 1, 600))
    """No further attempt begins after this time."""
    account_wait_seconds: float = _setting(5.0, _number(float, 0, 60))
    """How long a request waits for an account when all able ones are busy."""
    lease_ttl_seconds: float = _setting(90.0, _number(float, 2, 1000))
    """After this a lease that is no longer renewed frees itself: its holder was killed."""
    deadline_margin_seconds: float = _setting(6.0, _number(float, 0.1, 60))
    """How long before Lambda's deadline an answer is cut, to stop the upstream, book and say so."""
    max_answer_seconds: float = _setting(870.0, _number(float, 1, 3600))
    """Deadline of an answer where no Lambda context gives one."""
    keep_alive_seconds: float = _setting(10.0, _number(float, 0.05, 60))
    """Silence on a stream after which a comment is sent, the status line with it if it has not left yet."""
    response_ttl_days: float = _setting(30.0, _number(float, 0, 365))
    """How long `/v1/responses` keeps what it answered, unless the caller says `store: false`; 0 keeps nothing."""
    max_body_bytes: int = _setting(6 * 1024 * 1024, _number(int, 1024, 100 * 1024 * 1024))

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read and validate. Raises `SettingsError` for a value that is wrong or missing."""
        known = {PREFIX + item.name.upper(): item for item in fields(cls)}
        values: dict[str, Any] = {}
        for name, item in known.items():
            text = environ.get(name, "").strip()
            if text:
                values[item.name] = _read(name, text, item.metadata["read"], is_secret=item.metadata["secret"])
        settings = cls(**values)
        if settings.store == "dynamodb":
            for name, what in (("table", "DynamoDB table"), ("kms_key_id", "KMS key")):
                if not getattr(settings, name):
                    variable = PREFIX + name.upper()
                    raise SettingsError(f"{variable} is missing: it must name the {what} when GATEWAY_STORE=dynamodb")
        return settings


def _read(name: str, text: str, read: Callable[[str], Any], *, is_secret: bool) -> Any:
    try:
        return read(text)
    except ValueError as error:
        shown = "its value" if is_secret else repr(text[:80])
        raise SettingsError(f"{name}: {shown} is not allowed; it must be {error}") from None
