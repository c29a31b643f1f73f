"""The state behind the simulated API: accounts, what they spent, files, videos in the making, sign-in codes."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.poe_official.catalogue import standard_models
from local.poe_official.charges import Consumed, points_for
from local.poe_official.model import Model

_NOTHING = Consumed()


@dataclass(slots=True)
class Expense:
    """One entry of an account's history, whose times are epoch seconds.

    `points` is what was really taken. The entry is listed from `listed_at` on; its cost reads 0 until `settled_at`.
    `key_name` is the name of the API key that was used; `None` for what was spent on the website.
    """

    query_id: str
    at: float
    bot: str
    points: int
    settled_at: float
    usage_type: str = "API"
    listed_at: float = 0.0
    key_name: str | None = "gateway"
    consumed: Consumed = _NOTHING
    request: str = ""
    """The body of the request that it paid for, as JSON; empty for what was spent elsewhere."""


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

    @property
    def spent(self) -> int:
        """Points that all entries of the history took, whether they are listed and settled or not."""
        return sum(entry.points for entry in self.history)

    def spend(self, cost: int) -> int:
        """Take `cost`, from the plan's points first, or what is left of it: an answer may be worth more. The amount."""
        taken = min(cost, self.left)
        from_plan = min(taken, self.points)
        self.points -= from_plan
        self.addon_points -= taken - from_plan
        return taken


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
    """Everything that outlives a request. `clock` gives epoch seconds.

    The cost of an answer is known at once, but its entry is listed `listing_seconds` after the answer's end, and reads
    0 for `settle_seconds` more.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.public_url = ""
        self.settle_seconds = 0.2
        self.listing_seconds = 0.0
        self.accounts: dict[str, OfficialAccount] = {}
        self.other_keys: dict[str, tuple[str, str]] = {}  # further keys of an account: its first key, the key's name
        self.models: dict[str, Model] = {model.id: model for model in standard_models()}
        self.files: dict[str, tuple[str, str, bytes]] = {}
        self.videos: dict[str, Video] = {}
        self.codes: dict[str, dict[str, Any]] = {}
        self.bot_settings: dict[str, dict[str, Any]] = {}  # by model id: what replaces the defaults
        self.uploads: list[tuple[str, str, bytes]] = []

    def store(self, name: str, content_type: str, data: bytes) -> str:
        """Keep a file; its address, which has no file name but may have a query (recorded)."""
        file_id = secrets.token_hex(32)
        self.files[file_id] = (name, content_type, data)
        kind = content_type.partition("/")[0]
        size = "?w=1024&h=1024" if kind == "image" else ""
        return f"{self.public_url}/base/{kind}/{file_id}{size}"

    def model(self, name: str) -> Model | None:
        """The model of that name, in any case; those of one provider also by the provider's spelling (recorded)."""
        found = self.models.get(name.lower())
        if found is None and name.lower().startswith("claude-"):
            # Anthropic's names end in a date, and have hyphens where Poe's ids have dots.
            wanted = re.sub(r"-\d{8}$", "", name.lower())
            found = next((model for id_, model in self.models.items() if id_.replace(".", "-") == wanted), None)
        return found

    def payer(self, key: str) -> tuple[OfficialAccount | None, str | None]:
        """The account with this key, and the key's name."""
        first, name = self.other_keys.get(key, (key, None))
        account = self.accounts.get(first)
        return account, name or (account.key_name if account else None)

    def charge(
        self,
        account: OfficialAccount,
        model: Model,
        consumed: Consumed = _NOTHING,
        *,
        asked_at: float | None = None,
        key_name: str | None = None,
        request: str = "",
    ) -> Expense:
        """Book one answer: the points are gone at once, the history shows them later."""
        points = account.spend(points_for(model, consumed))
        entry = self.book(account, model.name, points, key_name=key_name, request=request)
        entry.at = entry.at if asked_at is None else asked_at
        entry.consumed = consumed
        return entry

    def spend_elsewhere(self, account: OfficialAccount, bot: str, points: int, **fields: Any) -> Expense:
        """Book what another program or the website spent; `fields` are those of `Expense`."""
        entry = self.book(account, bot, account.spend(points), key_name=None)
        for name, value in {"usage_type": "Chat", **fields}.items():
            setattr(entry, name, value)
        return entry

    def book(
        self, account: OfficialAccount, bot: str, points: int, *, key_name: str | None, request: str = ""
    ) -> Expense:
        """Enter points that were taken already."""
        now = self.clock()
        listed_at = now + self.listing_seconds
        entry = Expense(
            secrets.token_hex(8),
            now,
            bot,
            points,
            settled_at=listed_at + self.settle_seconds,
            listed_at=listed_at,
            key_name=key_name,
            request=request,
        )
        account.history.append(entry)
        return entry
