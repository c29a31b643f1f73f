"""The accounts as this process read them a moment ago: one is chosen from them without a query before.

They only guide the choice. What is chosen is read again beside the write that takes its slot (see `_dynamodb`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accounts import _keys
from accounts._account_model import Account, AccountState
from accounts._items import Item

# As long as a key is remembered: what others changed since then is seen a minute late at most.
REMEMBER_SECONDS = 60.0
# Several requests that come together need one reading.
READ_AGAIN_SECONDS = 5.0


class RememberedAccounts:
    """All accounts that may be selected, those that wait included. Empty while not all of them are known."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Account, Item]] = {}
        self._read_at = float("-inf")
        self._reading: object = None
        """The reading that is under way, if nothing has made it useless."""

    def is_due(self, now: float) -> bool:
        """Whether reading them would bring anything new."""
        return self._reading is None and not 0 <= now - self._read_at < READ_AGAIN_SECONDS

    def begin(self) -> object:
        """They are about to be read; returns the reading, for `learn` and `end`."""
        self._reading = object()
        return self._reading

    def learn(self, reading: object, items: Sequence[Item], began: float) -> None:
        """Remember all accounts, by their items. Nothing if accounts came or went since the reading began."""
        if reading is not self._reading:
            return
        accounts = [(_keys.account_of(item), item) for item in items]
        self._known = {account.id: (account, item) for account, item in accounts}
        self._read_at = began

    def end(self, reading: object) -> None:
        """The reading is over, however it went."""
        if reading is self._reading:
            self._reading = None

    def accounts(self, now: float) -> list[Account]:
        """What is known now; nothing if that is too old."""
        # A clock that was set back makes them old, too.
        if not 0 <= now - self._read_at < REMEMBER_SECONDS:
            self.forget()
        return [account for account, _ in self._known.values()]

    def item(self, account_id: str) -> Item:
        """The item of a known account, as it was read."""
        return self._known[account_id][1]

    def replace(self, account: Account, item: Item) -> None:
        """A known account was read again."""
        if account.id in self._known:
            self._known[account.id] = account, item

    def change(self, account: Account, attributes: Mapping[str, Any]) -> None:
        """This process is changing the account to this, and these attributes of its item along with it."""
        if account.id not in self._known:
            return
        before, item = self._known[account.id]
        if account.state is AccountState.ACTIVE and account.credentials_version == before.credentials_version:
            self._known[account.id] = account, {**item, **attributes}
        else:
            # Its sealed credentials are others now, or nobody may have it.
            del self._known[account.id]

    def forget(self) -> None:
        """Accounts came or went: read them again. A reading that is under way does not count."""
        self._known, self._reading = {}, None
        self._read_at = float("-inf")
