"""The state behind the simulated API: accounts, what they spent, files, videos in the making, sign-in codes."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from local.poe_official.catalogue import Model, standard_models


@dataclass(slots=True)
class Expense:
    """One entry of an account's history. Its cost reads 0 until `settled_at` (monotonic)."""

    query_id: str
    at: float
    bot: str
    points: int
    settled_at: float
    usage_type: str = "API"


@dataclass(slots=True)
class OfficialAccount:
    """One account. Grant times are epoch seconds, None for no grant; `documented_balance`: the short shape."""

    api_key: str
    points: int = 10_000
    addon_points: int = 0
    key_name: str = "gateway"
    next_daily_grant_at: float | None = None
    next_monthly_grant_at: float | None = None
    grant_amount: int = 3_000
    documented_balance: bool = False
    revoked: bool = False
    history: list[Expense] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Points that can be spent."""
        return self.points + self.addon_points

    def spend(self, cost: int) -> None:
        """Take `cost` from the plan's points first; what is missing is forgiven, as the last answer may overdraw."""
        from_plan = min(cost, self.points)
        self.points -= from_plan
        self.addon_points = max(0, self.addon_points - (cost - from_plan))


@dataclass(slots=True)
class Video:
    """A video job; it is queued, then in progress, then done, by how often it was asked about."""

    id: str
    model: Model
    prompt: str
    asked: int = 0
    fails: bool = False

    @property
    def status(self) -> str:
        """The state at the last look."""
        if self.asked <= 1:
            return "queued" if self.asked == 0 else "in_progress"
        return "failed" if self.fails else "completed"


class World:
    """Everything that outlives a request."""

    def __init__(self) -> None:
        self.public_url = ""
        self.settle_seconds = 0.2
        self.accounts: dict[str, OfficialAccount] = {}
        self.models: dict[str, Model] = {model.id: model for model in standard_models()}
        self.files: dict[str, tuple[str, str, bytes]] = {}
        self.videos: dict[str, Video] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.bot_settings: dict[str, dict[str, Any]] = {}  # by model id: what replaces the defaults
        self.uploads: list[tuple[str, str, bytes]] = []

    def store(self, name: str, content_type: str, data: bytes) -> str:
        """Keep a file; its address."""
        file_id = secrets.token_hex(12)
        self.files[file_id] = (name, content_type, data)
        return f"{self.public_url}/_sim/files/{file_id}/{name}"

    def model(self, name: str) -> Model | None:
        """The model of that name, in any case."""
        return self.models.get(name.lower())

    def charge(self, account: OfficialAccount, model: Model) -> None:
        """Book one answer: the points are gone at once, the history shows the cost a moment later."""
        account.spend(model.cost)
        settled_at = time.monotonic() + self.settle_seconds
        account.history.append(Expense(secrets.token_hex(8), time.time(), model.name, model.cost, settled_at))
