"""Which entry of a points history pays for which send."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accounts import AccountKind, LedgerEntry, SettledBy, SettlementState
from refresh_points.matching import (
    ELSEWHERE_SECONDS,
    GIVE_UP_SECONDS,
    LOOSE_SECONDS,
    SLACK_SECONDS,
    ZERO_IS_FINAL_SECONDS,
    match,
)
from reverse.chat import PointsSpent

NOW = 1_800_000_000.0
START = SettlementState(key_name="gateway")


def send(number: int, at: float, *, seconds: float = 5.0, **more: object) -> LedgerEntry:
    values: dict = {
        "id": f"{number:014d}#o",
        "account_id": "a",
        "kind": AccountKind.OFFICIAL,
        "key_id": "k",
        "model": "gpt-5",
        "surface": "chat",
        "request_id": f"r{number}",
        "attempt": 1,
        "started_at": NOW + at,
        "ended_at": NOW + at + seconds,
        "outcome": "ok",
    }
    return LedgerEntry(**(values | more))


def paid(number: int, at: float, points: int | None = 10, *, bot: str = "GPT-5", **more: object) -> PointsSpent:
    values: dict = {"usage_type": "API", "api_key_name": "gateway"}
    return PointsSpent(query_id=f"q{number}", spent_at=NOW + at, bot=bot, points=points, **(values | more))


def costs(sends, history, state: SettlementState = START, now: float = NOW) -> dict[str, tuple[int | None, str]]:
    found = match(sends, history, state, now)
    return {
        settlement.entry_id[:14].lstrip("0"): (settlement.points, settlement.by.value)
        for settlement in found.settlements
    }


def test_a_send_is_paid_by_the_entry_of_its_bot_and_time() -> None:
    sends = [send(1, -100), send(2, -100, model="claude")]
    assert costs(sends, [paid(1, -99, 7), paid(2, -99, 9, bot="Claude")]) == {"1": (7, "history"), "2": (9, "history")}


@pytest.mark.parametrize(
    "item",
    [
        paid(1, -100 + 5 + SLACK_SECONDS + 1),
        paid(1, -100 - SLACK_SECONDS - 1),
        paid(1, -99, bot="Claude"),
        paid(1, -99, None),
        paid(1, -99, usage_type="Chat"),
        replace(paid(1, -99), spent_at=None),
    ],
    ids=["too late", "too early", "another bot", "no cost", "in Poe's app", "no time"],
)
def test_what_does_not_fit_pays_for_nothing(item: PointsSpent) -> None:
    assert costs([send(1, -100)], [item], now=NOW + 5_000) == {}


def test_clocks_that_differ_are_allowed_for_when_no_send_is_under_way_any_more() -> None:
    item = paid(1, -100 + 5 + SLACK_SECONDS - 1)
    assert costs([send(1, -100)], [item]) == {}
    assert costs([send(1, -100)], [item], now=NOW + LOOSE_SECONDS + SLACK_SECONDS) == {"1": (10, "history")}


def test_a_cost_of_zero_is_believed_when_it_had_time_to_land() -> None:
    assert costs([send(1, -100)], [paid(1, -99, 0)]) == {}
    late = NOW - 100 + ZERO_IS_FINAL_SECONDS + 1
    assert costs([send(1, -100)], [paid(1, -99, 0)], now=late) == {"1": (0, "history")}


def test_entries_of_one_second_pay_for_one_send_each() -> None:
    sends = [send(number, -100) for number in range(1, 4)]
    found = costs(sends, [paid(number, -99, 5) for number in range(1, 4)])
    assert found == {str(number): (5, "history") for number in range(1, 4)}


def test_tokens_that_are_known_tell_sends_of_one_second_apart() -> None:
    def told(number: int, points: int, tokens: int) -> PointsSpent:
        return paid(
            number, -99, points, breakdown={"Input": f"1 points ({tokens} tokens)", "Output": "1 points (3 tokens)"}
        )

    sends = [
        send(1, -100, prompt_tokens=500, completion_tokens=3, is_estimated=False),
        send(2, -100, prompt_tokens=20, completion_tokens=3, is_estimated=False),
    ]
    assert costs(sends, [told(1, 4, 20), told(2, 90, 500)]) == {"1": (90, "history"), "2": (4, "history")}


def test_a_send_that_failed_is_paid_only_by_what_no_other_explains() -> None:
    sends = [send(1, -100, seconds=1, outcome="timeout"), send(2, -100, seconds=9)]
    assert costs(sends, [paid(1, -99)]) == {"2": (10, "history")}
    assert len(costs(sends, [paid(1, -99), paid(2, -99)])) == 2


def test_other_programs_keys_are_spent_elsewhere() -> None:
    history = [paid(1, -99, 7), paid(2, -99, 1_000, api_key_name="another"), paid(3, -98, 3, usage_type="Chat")]
    found = match([send(1, -100)], history, START, NOW)
    assert [settlement.points for settlement in found.settlements] == [7]
    assert found.state.elsewhere == {"2027-01-15": 1_003}
    again = match([], history, found.state, NOW + 60)
    assert (again.settlements, again.state.elsewhere) == ([], {"2027-01-15": 1_003})


class TestKeyName:
    """Until it is known under which name the history lists our key, nothing is paid by entries that have one."""

    UNKNOWN = SettlementState()

    def test_it_is_the_one_that_explains_several_sends_and_all_there_are(self) -> None:
        sends = [send(number, -100) for number in range(1, 4)]
        history = [paid(number, -99) for number in range(1, 4)]
        found = match(sends, [*history, paid(9, -99, api_key_name="another")], self.UNKNOWN, NOW)
        assert (found.state.key_name, len(found.settlements)) == ("gateway", 3)

    def test_another_programs_entry_that_happens_to_fit_and_comes_first_is_not_believed(self) -> None:
        other = paid(9, -99, api_key_name="another")
        found = match([send(1, -100)], [other], self.UNKNOWN, NOW)
        assert (found.state.key_name, found.settlements) == (None, [])
        both = match([send(1, -100), send(2, -300)], [other, paid(1, -99), paid(2, -299)], found.state, NOW + 1_200)
        assert (both.state.key_name, len(both.settlements)) == ("gateway", 2)

    def test_two_names_that_explain_as_much_are_left_open(self) -> None:
        history = [paid(1, -99), paid(9, -99, api_key_name="another")]
        found = match([send(1, -100)], history, self.UNKNOWN, NOW + 1_200)
        assert (found.state.key_name, found.settlements, found.state.elsewhere) == (None, [], {})

    def test_histories_without_names_need_none(self) -> None:
        assert costs([send(1, -100)], [paid(1, -99, api_key_name=None)], self.UNKNOWN) == {"1": (10, "history")}


def test_what_nothing_explains_is_spent_elsewhere_after_a_while() -> None:
    early = match([], [paid(1, -99, 7)], START, NOW)
    assert early.state.elsewhere == {}
    late = match([], [paid(1, -99, 7)], early.state, NOW + ELSEWHERE_SECONDS)
    assert sum(late.state.elsewhere.values()) == 7


def test_what_is_never_paid_says_so_after_a_day_and_a_failure_cost_nothing() -> None:
    sends = [send(1, -100), send(2, -100, outcome="timeout"), send(3, -100, outcome="lost", ended_at=None)]
    assert costs(sends, [], now=NOW + GIVE_UP_SECONDS - 200) == {}
    assert costs(sends, [], now=NOW + GIVE_UP_SECONDS + 2_000) == {
        "1": (None, "none"),
        "2": (0, "history"),
        "3": (0, "history"),
    }


def test_a_web_send_whose_cost_was_reported_takes_its_entry_and_leaves_the_others() -> None:
    known = send(1, -100, kind=AccountKind.WEB, reported=20, settled=20, settled_by=SettledBy.REPORTED)
    late = send(2, -100, kind=AccountKind.WEB)
    history = [
        PointsSpent(query_id="q1", spent_at=NOW - 99, bot="gpt-5", points=35),
        PointsSpent(query_id="q2", spent_at=NOW - 99, bot="gpt-5", points=20),
    ]
    assert costs([known, late], history) == {"2": (35, "history")}


def test_a_busy_day_is_settled_whatever_others_spent_with_the_same_key() -> None:
    """Entries that nothing of ours explains ask all sends of the day to make room, one after the other."""
    sends = [send(number, -6_000 + 2 * number, seconds=3) for number in range(1, 1_201)]
    history = [paid(number, -5_999 + 2 * number) for number in range(1, 1_201)]
    others = [paid(5_000 + number, -5_500 + number, 3) for number in range(100)]
    assert len(costs(sends, [*history, *others])) == len(sends)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 12), st.integers(0, 6))
def test_everything_that_was_charged_is_ours_or_elsewhere_to_the_point(seed: int, count: int, others: int) -> None:
    """Whatever arrives when, in however many runs: each entry of the history is counted once, and only once."""
    rng = random.Random(seed)
    sends, history, ours = [], [], 0
    for number in range(count):
        at = rng.uniform(-3_000, -200)
        model = rng.choice(["gpt-5", "claude"])
        entry = send(number + 1, at, seconds=rng.uniform(0.1, 100), model=model)
        points = rng.randrange(1, 500)
        ours += points
        sends.append(entry)
        history.append((paid(number, at + rng.uniform(0, 2), points, bot=model), NOW + at + rng.uniform(1, 800)))
    elsewhere = 0
    for number in range(others):
        at = rng.uniform(-3_000, -200)
        points = rng.randrange(1, 500)
        elsewhere += points
        history.append((paid(1_000 + number, at, points, api_key_name="another"), NOW + at + rng.uniform(1, 800)))
    state, settled = SettlementState(), {}
    for step in range(12):
        now = NOW + step * 900
        listed = [item for item, listed_at in history if listed_at <= now]
        open_sends = [entry for entry in sends if entry.id not in settled and entry.started_at <= now]
        found = match(open_sends, listed, state, now)
        state = found.state
        for settlement in found.settlements:
            assert settlement.entry_id not in settled
            settled[settlement.entry_id] = settlement.points
    # A single send that another program's entry happens to fit as well can't be told apart.
    assume(state.key_name is not None)
    total = sum(points or 0 for points in settled.values()) + sum(state.elsewhere.values())
    assert total == ours + elsewhere
    assert sum(points or 0 for points in settled.values()) == ours
