"""One status of an account for everybody who shows or asks for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accounts import Account, AccountKind, AccountState, Points
from pool.status import AccountStatus, parse_status, status_of

NOW = 1_000.0
ACCOUNT = Account(id="acct_1", kind=AccountKind.OFFICIAL, label="a")
WAITING = replace(ACCOUNT, speed_until=NOW + 60)


@pytest.mark.parametrize(
    ("account", "status"),
    [
        (ACCOUNT, AccountStatus.ACTIVE),
        (replace(ACCOUNT, points=Points(0, NOW)), AccountStatus.ACTIVE),
        (WAITING, AccountStatus.COOLDOWN),
        (replace(ACCOUNT, points_until=NOW + 60), AccountStatus.DEPLETED),
        (replace(ACCOUNT, points_until=NOW + 60, points=Points(3, NOW)), AccountStatus.DEPLETED),
        (replace(WAITING, state=AccountState.LOGGED_OUT), AccountStatus.INVALID),
        (replace(WAITING, state=AccountState.DISABLED), AccountStatus.DISABLED),
    ],
)
def test_every_account_has_one_status(account: Account, status: AccountStatus) -> None:
    assert status_of(account, NOW) is status


def test_a_wait_that_is_over_is_none() -> None:
    assert status_of(WAITING, NOW + 60) is AccountStatus.ACTIVE


def test_both_words_for_refused_credentials_are_understood() -> None:
    assert parse_status("invalid") is parse_status("logged_out") is AccountStatus.INVALID
    with pytest.raises(ValueError, match="tired"):
        parse_status("tired")
