"""The numbers in the part of docs/api/usage.md that is about money are those of the code."""

from __future__ import annotations

import re

import pytest

from gateway.generation.attempt import LATE_REPORT_SECONDS
from gateway.http.key_budget import EXPECTED_TOKENS, MAX_EXPECTED_TOKENS
from gateway.models.prices import PUBLISHED_USD_PER_POINT
from gateway.prompt.conversations import SESSION_SECONDS
from gateway.settings import Settings
from refresh_points import balances, chats, estimates, matching
from refresh_points.settings import Settings as JobSettings
from tests.docs.blocks import ROOT

TEXT = " ".join((ROOT / "docs/api/usage.md").read_text(encoding="utf-8").split())
SETTINGS = Settings(store="memory")
WORDS = {9: "nine"}


@pytest.mark.parametrize(
    "claim",
    [
        f"at most {MAX_EXPECTED_TOKENS:,}, or {EXPECTED_TOKENS:,} without a limit",
        f"the last {WORDS[estimates.SAMPLES]} settled answers",
        f"for the {estimates.MAX_MODELS} models",
        f"`GATEWAY_UNPRICED_POINTS`, {SETTINGS.unpriced_points} by default",
        f"converted at {PUBLISHED_USD_PER_POINT:.5f} dollars a point",
        f"up to {LATE_REPORT_SECONDS:.0f} seconds after it",
        f"a number of hours, {JobSettings.__dataclass_fields__['delete_chats'].default:.0f} by default",
        f"has expired ({SESSION_SECONDS / 86_400:.0f} days)",
    ],
)
def test_a_number_is_the_codes(claim: str) -> None:
    assert claim in TEXT


def test_numbers_in_words_are_the_codes() -> None:
    assert "within five and a half minutes of either reading" in TEXT and matching.SLACK_SECONDS == 330
    assert "between half and twice the estimates" in TEXT and (balances.LEAST, balances.MOST) == (0.5, 2.0)
    assert "nothing was found within a day" in TEXT and matching.GIVE_UP_SECONDS == 86_400
    assert "(half an hour after it" in TEXT and chats.LEAST_AGE_SECONDS == 1_800
    assert "is tried for a month" in TEXT and chats._GIVE_UP_SECONDS // 86_400 == 30


def test_every_way_of_settling_is_named() -> None:
    from accounts import SettledBy

    row = re.search(r"\| `settled_by` \| ([^|]*) \|", TEXT)
    assert row is not None
    assert set(re.findall(r"`(\w+)`", row[1])) == {str(way) for way in SettledBy}
