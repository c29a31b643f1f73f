"""What a backup holds, as JSON. Written and read by the same shapes, so that what was exported can be imported."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from accounts import (
    Account,
    AccountBackup,
    AccountKind,
    AccountState,
    ApiKey,
    KeyBackup,
    KeyRole,
    KeyUse,
    LedgerEntry,
    Points,
    SettledBy,
    SettlementState,
)
from gateway.admin.shapes import MAX_MOMENT, MAX_NUMBER, Label

# Windows of budgets reach a month further.
_YEAR_SECONDS = 366 * 86_400
Seconds = Annotated[float, Field(ge=0, le=MAX_MOMENT - _YEAR_SECONDS, allow_inf_nan=False, strict=True)]
"""Epoch seconds: exact, where the other routes show ISO 8601."""
Count = Annotated[int, Field(ge=0, le=MAX_NUMBER, strict=True)]
Balance = Annotated[int, Field(ge=-MAX_NUMBER, le=MAX_NUMBER, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(max_length=200)]
EntryId = Annotated[str, StringConstraints(max_length=200, pattern=r"^[0-9]{14}#[\x21-\x7e]+$")]
MAX_ITEMS = 100
_MOST_LISTED = 5_000


class _Shape(BaseModel):
    # A field that this version does not know would be lost silently.
    model_config = ConfigDict(extra="forbid")


class PointsRecord(_Shape):
    """A balance as it was read."""

    balance: Balance
    read_at: Seconds
    allotment: Count | None = None
    next_grant_at: Seconds | None = None


class SettlementRecord(_Shape):
    """How far an account's points history was read, so that nothing in it pays for two sends."""

    read_until: Seconds = 0.0
    key_name: Word | None = None
    # Without it a restored account would pay for its newest sends a second time.
    claimed: dict[str, Seconds] = Field(default_factory=dict, max_length=_MOST_LISTED)
    explained: dict[str, Seconds] = Field(default_factory=dict, max_length=_MOST_LISTED)
    elsewhere: dict[str, Count] = Field(default_factory=dict, max_length=_MOST_LISTED)
    pending: dict[str, Count] = Field(default_factory=dict, max_length=_MOST_LISTED)
    version: Count = 0


class AccountRecord(_Shape):
    """An account without its credentials. Waits and errors are no part of a backup."""

    id: Id
    kind: AccountKind
    label: Label
    state: AccountState
    points: PointsRecord | None = None
    subscribed: Flag | None = None
    max_concurrency: int = Field(ge=1, le=16, strict=True)
    last_used_at: Seconds | None = None
    created_at: Seconds
    settlement: SettlementRecord = Field(default_factory=SettlementRecord)

    @classmethod
    def of(cls, backup: AccountBackup) -> dict[str, Any]:
        account, points = backup.account, backup.account.points
        return {
            "id": account.id,
            "kind": account.kind.value,
            "label": account.label,
            "state": account.state.value,
            "points": {name: getattr(points, name) for name in PointsRecord.model_fields} if points else None,
            "subscribed": account.subscribed,
            "max_concurrency": account.max_concurrency,
            "last_used_at": account.last_used_at,
            "created_at": account.created_at,
            "settlement": {name: getattr(backup.settlement, name) for name in SettlementRecord.model_fields},
        }

    def backup(self) -> AccountBackup:
        """For the store."""
        # Credentials go beside it: the store seals them.
        values = self.model_dump(exclude={"points", "settlement", "credentials"})
        points = Points(**self.points.model_dump()) if self.points else None
        settlement = SettlementState(**self.settlement.model_dump())
        return AccountBackup(account=Account(**values, points=points), settlement=settlement)


class KeyUseRecord(_Shape):
    """What a key has consumed in the day and month of `at`, reservations included."""

    at: Seconds
    points_today: Count = 0
    points_this_month: Count = 0
    tokens_today: Count = 0
    tokens_this_month: Count = 0
    last_used_at: Seconds | None = None
    last_success_at: Seconds | None = None


class KeyRecord(_Shape):
    """A key by the hash of its secret: callers go on using the secret that they have."""

    id: Id
    name: Label
    # Never the secret: the gateway itself does not have it.
    hash: Hash
    previous: dict[Hash, Seconds] = Field(default_factory=dict, max_length=20)
    """Hashes of earlier secrets that still work, and until when."""
    role: KeyRole
    enabled: Flag
    models: list[Label] = Field(default_factory=list, max_length=100)
    routes: list[Label] = Field(default_factory=list, max_length=100)
    ip_ranges: list[Label] = Field(default_factory=list, max_length=100)
    requests_per_minute: Count | None = None
    max_concurrent: Count | None = None
    points_per_day: Count | None = None
    points_per_month: Count | None = None
    tokens_per_day: Count | None = None
    tokens_per_month: Count | None = None
    expires_at: Annotated[float, Field(ge=0, le=MAX_MOMENT, allow_inf_nan=False, strict=True)] | None = None
    created_at: Seconds
    # Kept, so that a change which was prepared before the move still meets its conflict.
    version: Count
    use: KeyUseRecord

    @classmethod
    def of(cls, backup: KeyBackup) -> dict[str, Any]:
        # By the fields of the shape, so that a field which is added is exported and imported.
        names = [name for name in cls.model_fields if name not in ("previous", "use", "role")]
        shown = {name: getattr(backup.key, name) for name in names}
        use = {name: getattr(backup.use, name) for name in KeyUseRecord.model_fields}
        return shown | {"role": backup.key.role.value, "previous": dict(backup.previous), "use": use}

    def backup(self) -> KeyBackup:
        """For the store."""
        values = self.model_dump(exclude={"previous", "use"})
        # Tuples, as the key's class has them; JSON has arrays only.
        lists = {name: tuple(values[name]) for name in ("models", "routes", "ip_ranges")}
        return KeyBackup(
            key=ApiKey(**values | lists), previous=dict(self.previous), use=KeyUse(**self.use.model_dump())
        )


class EntryRecord(_Shape):
    """One send to Poe and what it cost. Unknown is null, never 0."""

    id: EntryId
    account_id: Id
    kind: AccountKind
    key_id: Id
    model: Word
    surface: Word
    request_id: Word
    attempt: int = Field(ge=1, le=1000, strict=True)
    started_at: Seconds
    ended_at: Seconds | None = None
    first_token_at: Seconds | None = None
    outcome: Word
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    is_estimated: Flag
    estimate: Count | None = None
    reported: Count | None = None
    settled: Count | None = None
    settled_by: SettledBy | None = None

    @classmethod
    def of(cls, entry: LedgerEntry) -> dict[str, Any]:
        shown = {name: getattr(entry, name) for name in cls.model_fields}
        settled_by = entry.settled_by.value if entry.settled_by is not None else None
        return shown | {"kind": entry.kind.value, "settled_by": settled_by}

    def entry(self) -> LedgerEntry:
        """For the store."""
        return LedgerEntry(**self.model_dump())


class SettingRecord(_Shape):
    """A document of settings."""

    # The only document that an owner writes by hand and would miss.
    name: Literal["poe"]
    value: dict[str, Any]


class AccountsExported(BaseModel):
    """`next_cursor` asks for the next page."""

    data: list[AccountRecord]
    next_cursor: str | None


class KeysExported(BaseModel):
    """`next_cursor` asks for the next page."""

    data: list[KeyRecord]
    next_cursor: str | None


class LedgerExported(BaseModel):
    """Newest first; `next_cursor` asks for the next page."""

    data: list[EntryRecord]
    next_cursor: str | None


class SettingsExported(BaseModel):
    """Every document of settings that there is."""

    data: list[SettingRecord]
    next_cursor: None = None


class CredentialsWanted(_Shape):
    """Whose credentials are exported."""

    # Few, because each is opened by a call of KMS.
    accounts: list[Id] = Field(max_length=20)


class CredentialsShown(BaseModel):
    """Credentials in clear, by the account's id. An account that is gone is left out."""

    data: dict[str, dict[str, str]]


class AccountToImport(AccountRecord):
    """An account, with its credentials where the backup has them."""

    credentials: dict[str, SecretStr] | None = None


class AccountsToImport(_Shape):
    data: list[AccountToImport] = Field(max_length=MAX_ITEMS)


class KeysToImport(_Shape):
    data: list[KeyRecord] = Field(max_length=MAX_ITEMS)


class LedgerToImport(_Shape):
    data: list[EntryRecord] = Field(max_length=MAX_ITEMS)


class SettingsToImport(_Shape):
    data: list[SettingRecord] = Field(max_length=MAX_ITEMS)


class Imported(BaseModel):
    """What became of each, in the order in which they were sent."""

    results: list[Literal["created", "same", "kept", "expired"]]
    """`same` was there already; `kept`: something else is in its place, and stays; `expired`: too old to be kept."""
