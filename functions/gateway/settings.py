"""Every setting of the gateway: one environment variable each, prefix `GATEWAY_`, read once and validated."""

from __future__ import annotations

from collections.abc import Mapping

from lazy_dataclasses import dataclass
from pool.settings import (
    SECRET,
    TEXT,
    WORDS,
    SettingsError,
    SharedSettings,
    address,
    integer,
    number,
    one_of,
    read_settings,
    setting,
    variable_of,
)

__all__ = ["Settings", "SettingsError"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(SharedSettings):
    """What configures one gateway. Times are in seconds."""

    store: str = setting("dynamodb", one_of("dynamodb", "memory"))
    """Where accounts, keys and usage live. `memory` forgets everything at exit: for trying out and tests."""
    poe_client_id: str = setting("", TEXT)
    """Id of a client registered at Poe, for adding accounts by signing in. Without it that is not offered."""
    admin_secret_id: str = setting("", TEXT)
    """Secrets Manager secret with the admin key; read at the first admin request."""
    admin_key: str = setting("", SECRET, secret=True)
    """The admin key itself; wins over the secret. Without both, the admin routes answer 401 to everybody."""

    docs: str = setting("off", one_of("off", "admin"))
    """Whether `/openapi.json` and `/docs` answer: to nobody, or to the holder of the admin key."""
    cors_origins: tuple[str, ...] = setting((), WORDS)
    """Origins that browsers may call from, comma-separated, or `*`. Empty behind a Function URL, which answers CORS
    itself: headers set in both places would be refused by browsers."""

    max_attempts: int = setting(3, integer(1, 10))
    """Sends to Poe per answer, whatever they are made for: other accounts, repetitions, corrections."""
    attempts_seconds: float = setting(60.0, number(1, 600))
    """No send for an answer begins later than this after the first."""
    account_wait_seconds: float = setting(5.0, number(0, 60))
    """How long a request waits for an account when all able ones are busy."""
    unpriced_points: int = setting(100, integer(0, 1_000_000))
    """Points reserved on a key's budget for a send whose price is unknown; corrected when the cost is known."""
    lease_ttl_seconds: float = setting(90.0, number(2, 1000))
    """After this a lease that is no longer renewed frees itself: its holder was killed."""
    deadline_margin_seconds: float = setting(6.0, number(0.1, 60))
    """How long before Lambda's deadline an answer is cut, to stop the upstream, book and say so."""
    max_answer_seconds: float = setting(870.0, number(1, 3600))
    """Deadline of an answer where no Lambda context gives one."""
    keep_alive_seconds: float = setting(10.0, number(0.05, 60))
    """Silence on a stream after which a comment is sent, the status line with it if it has not left yet."""
    response_ttl_days: float = setting(30.0, number(0, 365))
    """How long `/v1/responses` keeps what it answered, unless the caller says `store: false`; 0 keeps nothing."""
    request_log_days: float = setting(30.0, number(0, 400))
    """How long the log of requests keeps each, without prompts; 0 keeps none."""
    otlp_endpoint: str = setting("", address("http", "https"))
    """OpenTelemetry collector that gets a span for each request, by OTLP/HTTP: `http://localhost:4318`."""
    max_body_bytes: int = setting(6 * 1024 * 1024, integer(1024, 100 * 1024 * 1024))
    """Largest request body; a longer one is refused with 413. Lambda itself takes 6 MB."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Read and validate. Raises `SettingsError` for a value that is wrong or missing."""
        settings = read_settings(cls, environ)
        # At the start, where the message reaches whoever deploys, not with the first request.
        if settings.store == "dynamodb":
            for name, what in (("table", "DynamoDB table"), ("kms_key_id", "KMS key")):
                if not getattr(settings, name):
                    variable = variable_of(name)
                    raise SettingsError(f"{variable} is missing: it must name the {what} when GATEWAY_STORE=dynamodb")
        return settings
