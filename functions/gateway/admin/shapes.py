"""What the admin routes take and give. No shape that leaves has a field for a credential."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from accounts import Account, AccountKind, Selection
from gateway.http.errors import invalid
from pool.status import AccountStatus, parse_status, status_of

HOUR, DAY = 3600.0, 86_400.0

MAX_RANGE_SECONDS = 400 * DAY
# The year 9000.
_FAR_FUTURE = 221_845_392_000.0
# Beyond any limit that is meant, and below milliseconds where seconds are asked for. DynamoDB has 38 digits.
MAX_NUMBER = 10**12
# The end of the year 9999, with which dates end.
MAX_MOMENT = 253_402_300_799
# More digits than a date has: `20261130` is a day.
_EPOCH = re.compile(r"[0-9]{9,13}(\.[0-9]{1,9})?")
_SPACED_ZONE = re.compile(r"(:[0-9]{2}(?:\.[0-9]+)?) ([0-9]{2}:?[0-9]{2})$")

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _read_moment(value: Any) -> Any:
    """Epoch seconds, or an ISO 8601 time; one without a zone is UTC."""
    # `True` is an `int`, and no time.
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        # Query parameters are texts, so that numbers come as digits.
        if _EPOCH.fullmatch(value):
            return float(value)
        # Whoever writes an address by hand leaves the plus of a time zone as it is, which stands for a space there.
        text = _SPACED_ZONE.sub(r"\1+\2", value)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("it must be an ISO 8601 time, such as 2027-01-31T00:00:00Z, or epoch seconds") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    raise ValueError("it must be an ISO 8601 time, such as 2027-01-31T00:00:00Z, or epoch seconds")


Moment = Annotated[
    Annotated[float, Field(gt=0, le=MAX_MOMENT)], BeforeValidator(_read_moment, json_schema_input_type=str | float)
]


class Range(BaseModel):
    """A range of time, and whose."""

    # `from` is a word of Python, so that the fields have other names inside.
    model_config = ConfigDict(populate_by_name=True)

    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    key: Label | None = None
    model: Label | None = None
    account: Label | None = None

    def end(self) -> float:
        """The end, now by default. What lies in the far future is brought into the calendar."""
        # Weeks and months are computed from it, and no date goes beyond the year 9999.
        return min(self.until, _FAR_FUTURE) if self.until is not None else time.time()

    def times(self, *, default_seconds: float) -> tuple[float, float]:
        """Both ends in epoch seconds. Raises `GatewayError` (400)."""
        until = self.end()
        since = self.since if self.since is not None else until - default_seconds
        if not since < until or until - since > MAX_RANGE_SECONDS:
            raise invalid("'from' must be before 'to', by at most 400 days.", param="from", code="invalid_value")
        return since, until


def selection_of(asked: Range, outcome: str | None) -> Selection:
    since, until = asked.times(default_seconds=7 * DAY)
    # The ledger has models in lower case, as Poe compares them.
    model = asked.model.lower() if asked.model else None
    return Selection(since=since, until=until, key_id=asked.key, model=model, account_id=asked.account, outcome=outcome)


class AccountBody(BaseModel):
    """A new account, or new credentials for the one with the same kind and label."""

    # A misspelt field would be left out in silence, such as `max_concurency`.
    model_config = ConfigDict(extra="forbid")

    kind: AccountKind
    label: Label
    credentials: dict[str, SecretStr]
    """`api_key` for an official account; `p_b`, and optionally `p_lat`, `form_key` and so on, for a web account."""
    max_concurrency: int | None = Field(default=None, ge=1, le=16, strict=True)
    """Most requests at once; 2 for a new account, unchanged for one that there is."""
    check: bool = Field(default=True, strict=True)
    """Whether the credentials are tried at Poe first. Nothing is stored if Poe refuses them."""


class AccountChange(BaseModel):
    """What of an account can change without its credentials. What is not given stays."""

    model_config = ConfigDict(extra="forbid")

    label: Label | None = None
    max_concurrency: int | None = Field(default=None, ge=1, le=16, strict=True)


class AccountTest(BaseModel):
    """How an account is tried."""

    model_config = ConfigDict(extra="forbid")

    model: Label | None = None
    """Also ask this model for one word, which costs points."""


class AccountTested(BaseModel):
    """What trying an account found. What was not tried, or is not known, is null."""

    reachable: bool
    authenticated: bool | None
    balance: int | None
    model: str | None
    answered: bool | None
    points: int | None
    milliseconds: int
    code: str | None
    """Code of the failure, if there was one."""


class UpsertBody(BaseModel):
    """The original gateway's form of a web account."""

    # Its clients send fields that mean nothing here.
    model_config = ConfigDict(extra="ignore")

    email: Label
    poe_p_b: SecretStr
    poe_cf_clearance: SecretStr | None = None
    poe_cf_bm: SecretStr | None = None
    p_lat: SecretStr | None = None
    formkey: SecretStr | None = None
    poe_revision: SecretStr | None = None
    user_agent: SecretStr | None = None
    check: bool = Field(default=True, strict=True)

    def credentials(self) -> dict[str, str]:
        """Under the names of the Poe client; the original sent empty strings for what it did not have."""
        values = {name: getattr(self, name) for name in type(self).model_fields if name not in ("email", "check")}
        return {name: value.get_secret_value() for name, value in values.items() if value and value.get_secret_value()}


class EmailBody(BaseModel):
    """Names an account as the original gateway did."""

    email: Label


class AccountShown(BaseModel):
    """An account as its owner sees it; the names are the original gateway's where it had one. Times are ISO 8601."""

    id: str
    kind: str
    label: str
    email: str
    status: str
    message_point_balance: int | None
    subscription_active: bool | None
    max_concurrency: int
    last_refresh_at: str | None
    next_refresh_at: str | None
    next_grant_at: str | None
    last_used_at: str | None
    last_error: str | None
    error_count: int
    cooldown_until: str | None
    created_at: str | None
    updated_at: str | None


class AccountFilter(BaseModel):
    """Which accounts a list shows. `page` and `page_size` are the original gateway's."""

    status: str | None = None
    min_balance: int | None = Field(default=None, ge=0)
    max_balance: int | None = Field(default=None, ge=0)
    page: int | None = Field(default=None, ge=1)
    page_size: int | None = Field(default=None, ge=1, le=200)

    @field_validator("status")
    @classmethod
    def _is_one(cls, value: str | None) -> str | None:
        if value:  # the original took an empty one for none
            try:
                return parse_status(value.strip().lower())
            except ValueError:
                raise ValueError(f"it must be one of {', '.join(AccountStatus)}") from None
        return None

    @property
    def is_numbered(self) -> bool:
        """Whether pages have numbers, as the original's had."""
        return self.page is not None or self.page_size is not None

    def takes(self, account: Account, now: float) -> bool:
        """Whether the account is one of them. An unknown balance is neither small nor large."""
        if self.status is not None and status_of(account, now) != self.status:
            return False
        # Accounts without a balance are left out only where one is asked for.
        if self.min_balance is None and self.max_balance is None:
            return True
        balance = account.points.balance if account.points else None
        lowest, highest = self.min_balance or 0, self.max_balance
        return balance is not None and balance >= lowest and (highest is None or balance <= highest)


class AccountPage(BaseModel):
    """`next_cursor` asks for the next one. The numbers are there where pages are numbered."""

    object: Literal["list"] = "list"
    data: list[AccountShown]
    next_cursor: str | None
    page: int | None = None
    page_size: int | None = None
    total: int | None = None


class AccountRow(BaseModel):
    """An account in the summary."""

    id: str
    kind: str
    email: str
    status: str
    message_point_balance: int | None
    subscription_active: bool | None
    cooldown_until: str | None
    updated_at: str | None
    available: bool


class Summary(BaseModel):
    """Who is available, for one page of accounts."""

    total: int
    available: int
    unavailable: int
    accounts: list[AccountRow]
    next_cursor: str | None


class Deleted(BaseModel):
    """What was deleted."""

    id: str
    deleted: bool
