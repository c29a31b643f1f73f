"""The transition table: what each outcome and each reading makes of an account."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import Account, AccountKind, AccountState, BalanceReading, BotLimit, Outcome, Points, Policy, Wait
from accounts._transitions import (
    apply_outcome,
    apply_reading,
    change_state,
    is_depleted,
    lacks_points,
    next_reading_at,
    replace_credentials,
)

NOW = 1_800_000_000.0
POLICY = Policy()
FRESH = Account(id="a", kind=AccountKind.WEB, label="l", refresh_due_at=NOW + 50_000)
DEPLETED = replace(FRESH, points=Points(20, NOW - 60, 3_000, NOW + 9_000), points_until=NOW + 9_030)
DOUBTED = replace(FRESH, last_error="not_authenticated", consecutive_errors=1, doubts=1, credentials_until=NOW + 60)
LIMITED = replace(FRESH, last_error="rate_limited", consecutive_errors=2, speed_until=NOW + 60)
LOGGED_OUT = replace(DOUBTED, state=AccountState.LOGGED_OUT, doubts=2, refresh_due_at=NOW)
DISABLED = replace(FRESH, state=AccountState.DISABLED)


def changes(before: Account, after: Account) -> dict[str, object]:
    """The fields that differ, with their new values; times relative to now."""
    names = [name for name in Account.__slots__ if getattr(before, name) != getattr(after, name)]
    times = {"refresh_due_at", "last_used_at"} | {name for name in names if name.endswith("_until")}
    return {name: getattr(after, name) - NOW if name in times else getattr(after, name) for name in names}


def limit(seconds: float, code: str = "insufficient_points", balance: int | None = None) -> BotLimit:
    return BotLimit(NOW + seconds, code, balance)


GONE = -NOW
"""A time that became 0."""


USED = {"last_used_at": 0.0, "refresh_due_at": 1_800.0}
LACKING = {"last_used_at": 0.0, "refresh_due_at": 0.0, "consecutive_errors": 1, "last_error": "insufficient_points"}


class TestOutcomes:
    @pytest.mark.parametrize(
        ("before", "outcome", "expected"),
        [
            pytest.param(FRESH, Outcome(), USED, id="success only makes a reading due"),
            pytest.param(
                replace(FRESH, consecutive_errors=2, last_error="odd"),
                Outcome(),
                {**USED, "consecutive_errors": 0, "last_error": None},
                id="success clears errors",
            ),
            pytest.param(LIMITED, Outcome(), USED, id="a success that began earlier does not end a wait"),
            pytest.param(
                replace(FRESH, refresh_due_at=NOW + 5),
                Outcome(),
                {"last_used_at": 0.0},
                id="a nearer reading stays",
            ),
            pytest.param(FRESH, Outcome(code="timeout", scope="network"), USED, id="network blames nobody"),
            pytest.param(FRESH, Outcome(code="challenge", scope="network"), USED, id="a challenge blames nobody"),
            pytest.param(FRESH, Outcome(code="message_too_long", scope="request"), USED, id="request blames nobody"),
            pytest.param(FRESH, Outcome(code="bot_limit_reached", scope="bot"), USED, id="bot blames nobody"),
            pytest.param(
                FRESH,
                Outcome(code="not_authenticated"),
                {
                    "last_used_at": 0.0,
                    "refresh_due_at": 0.0,
                    "credentials_until": 120.0,
                    "consecutive_errors": 1,
                    "doubts": 1,
                    "last_error": "not_authenticated",
                },
                id="refused credentials are doubted, not believed",
            ),
            pytest.param(
                replace(FRESH, points=Points(500, NOW - 60, 3_000, NOW + 9_000)),
                Outcome(code="insufficient_points"),
                {**LACKING, "points_until": 9_045.0},
                id="no points waits for the known grant",
            ),
            pytest.param(
                replace(FRESH, points=Points(500, NOW - 60, 3_000, NOW + 900_000)),
                Outcome(code="insufficient_points"),
                {**LACKING, "points_until": 86_400.0},
                id="but never longer than a day",
            ),
            pytest.param(
                FRESH,
                Outcome(code="insufficient_points"),
                {**LACKING, "points_until": 21_600.0},
                id="no points and no known grant waits for a reading",
            ),
            pytest.param(
                FRESH,
                Outcome(code="insufficient_points", bot="Dear"),
                {**LACKING, "bot_limits": {"dear": limit(3_600)}},
                id="too few points for one bot may do for another",
            ),
            pytest.param(
                replace(FRESH, bot_limits={"dear": limit(60)}),
                Outcome(code="insufficient_points", bot="dear"),
                {**LACKING, "bot_limits": {"dear": limit(3_600)}},
                id="the same bot twice is still one bot",
            ),
            pytest.param(
                replace(FRESH, bot_limits={"dear": limit(60)}),
                Outcome(code="insufficient_points", bot="cheap"),
                {**LACKING, "points_until": 21_600.0, "bot_limits": {"cheap": limit(3_600), "dear": limit(60)}},
                id="too few for two bots are too few",
            ),
            pytest.param(
                replace(DEPLETED, points_until=0.0),
                Outcome(code="insufficient_points", bot="cheap"),
                {**LACKING, "points_until": 9_045.0, "bot_limits": {"cheap": limit(9_030, balance=20)}},
                id="an account known to be empty is believed at once",
            ),
            pytest.param(
                FRESH,
                Outcome(code="rate_limited", retry_after_seconds=7),
                {**USED, "speed_until": 7.0, "consecutive_errors": 1, "last_error": "rate_limited"},
                id="rate limit waits as long as Poe says",
            ),
            pytest.param(
                FRESH,
                Outcome(code="rate_limited", retry_after_seconds=7_000),
                {**USED, "speed_until": 7_000.0, "consecutive_errors": 1, "last_error": "rate_limited"},
                id="also where that is longer than any wait of ours",
            ),
            pytest.param(
                replace(LIMITED, speed_until=NOW),
                Outcome(code="rate_limited"),
                {**USED, "speed_until": 480.0, "consecutive_errors": 3},
                id="rate limits without a time wait longer and longer",
            ),
            pytest.param(
                LIMITED,
                Outcome(code="rate_limited", retry_after_seconds=7),
                {**USED, "consecutive_errors": 3},
                id="a shorter wait does not cut a longer one",
            ),
            pytest.param(
                DEPLETED,
                Outcome(code="rate_limited", retry_after_seconds=7),
                {**USED, "speed_until": 7.0, "consecutive_errors": 1, "last_error": "rate_limited"},
                id="waits do not touch each other",
            ),
            pytest.param(
                FRESH,
                Outcome(code="odd"),
                {**USED, "consecutive_errors": 1, "last_error": "odd"},
                id="one error of an unknown kind is forgiven",
            ),
            pytest.param(
                replace(FRESH, consecutive_errors=2, last_error="odd"),
                Outcome(code="odd"),
                {**USED, "errors_until": 120.0, "consecutive_errors": 3},
                id="the third in a row is not",
            ),
            pytest.param(DISABLED, Outcome(code="not_authenticated"), {"last_used_at": 0.0}, id="disabled stays"),
            pytest.param(LOGGED_OUT, Outcome(), {"last_used_at": 0.0}, id="a late success logs nobody in"),
        ],
    )
    def test_table(self, before: Account, outcome: Outcome, expected: dict[str, object]) -> None:
        assert changes(before, apply_outcome(before, outcome, NOW)) == expected

    @settings(deadline=None)
    @given(
        st.sampled_from([FRESH, DEPLETED, DOUBTED, LIMITED, LOGGED_OUT, DISABLED]),
        st.sampled_from(["request", "bot", "network"]),
        st.text(max_size=30).filter(lambda code: code != "ok"),
        st.none() | st.floats(0, 1e9),
    )
    def test_only_account_scope_touches_state_errors_and_waits(self, before, scope, code, retry_after) -> None:
        after = apply_outcome(before, Outcome(code=code, scope=scope, retry_after_seconds=retry_after), NOW)
        assert set(changes(before, after)) <= {"last_used_at", "refresh_due_at"}, "no bot was named"

    @settings(deadline=None)
    @given(st.integers(0, 10_000), st.floats(0, 0.999), st.none() | st.floats())
    def test_no_wait_is_longer_than_the_policy_allows(self, errors, jitter, retry_after) -> None:
        before = replace(FRESH, consecutive_errors=errors)
        outcome = Outcome(code="rate_limited", retry_after_seconds=retry_after)
        after = apply_outcome(before, outcome, NOW, jitter=jitter)
        most = POLICY.max_cooldown_seconds if retry_after is None else POLICY.max_retry_after_seconds
        assert 0 <= after.eligible_at - NOW <= most


class TestReadings:
    @pytest.mark.parametrize(
        ("before", "reading", "expected"),
        [
            pytest.param(
                DEPLETED,
                BalanceReading(21),
                {"points": Points(21, NOW), "points_until": GONE, "refresh_due_at": 86_400.0},
                id="points end the wait for points",
            ),
            pytest.param(
                FRESH,
                BalanceReading(20, True, 3_000, NOW + 9_000),
                {
                    "points": Points(20, NOW, 3_000, NOW + 9_000),
                    "subscribed": True,
                    "points_until": 9_045.0,
                    "refresh_due_at": 3_600.0,
                },
                id="an empty account waits for its own grant, and is read again before: points may be bought",
            ),
            pytest.param(
                FRESH,
                BalanceReading(20, None, 3_000, NOW + 900),
                {"points": Points(20, NOW, 3_000, NOW + 900), "points_until": 945.0, "refresh_due_at": 1_230.0},
                id="a grant that is near is read after it",
            ),
            pytest.param(
                FRESH,
                BalanceReading(0),
                {"points": Points(0, NOW), "points_until": 21_600.0, "refresh_due_at": 3_600.0},
                id="an empty account of unknown grant is read again in an hour",
            ),
            pytest.param(
                DEPLETED,
                BalanceReading(None, subscribed=False),
                {"subscribed": False, "refresh_due_at": 3_600.0},
                id="a balance that Poe does not say is not a balance",
            ),
            pytest.param(
                DOUBTED,
                BalanceReading(None),
                {
                    "credentials_until": GONE,
                    "doubts": 0,
                    "consecutive_errors": 0,
                    "last_error": None,
                    "refresh_due_at": 86_400.0,
                },
                id="any answer ends the doubt",
            ),
            pytest.param(
                LIMITED,
                BalanceReading(3_000),
                {"points": Points(3_000, NOW), "refresh_due_at": 86_400.0},
                id="points do not end a wait for being too fast",
            ),
            pytest.param(
                replace(LIMITED, speed_until=NOW - 1),
                BalanceReading(3_000),
                {"points": Points(3_000, NOW), "consecutive_errors": 0, "last_error": None, "refresh_due_at": 86_400.0},
                id="a wait that is over leaves no trace",
            ),
            pytest.param(
                LOGGED_OUT,
                BalanceReading(3_000),
                {
                    "state": AccountState.ACTIVE,
                    "points": Points(3_000, NOW),
                    "credentials_until": GONE,
                    "doubts": 0,
                    "consecutive_errors": 0,
                    "last_error": None,
                    "refresh_due_at": 86_400.0,
                },
                id="a successful probe brings it back",
            ),
            pytest.param(
                DISABLED,
                BalanceReading(3_000),
                {"points": Points(3_000, NOW), "refresh_due_at": 86_400.0},
                id="disabled stays disabled",
            ),
            pytest.param(
                FRESH,
                Outcome(code="not_authenticated"),
                {"doubts": 1, "last_error": "not_authenticated", "credentials_until": 120.0, "refresh_due_at": 90.0},
                id="the first refused reading is a doubt",
            ),
            pytest.param(
                DOUBTED,
                Outcome(code="not_authenticated"),
                {"state": AccountState.LOGGED_OUT, "doubts": 2, "refresh_due_at": 3_600.0},
                id="the second one is a fact",
            ),
            pytest.param(
                LOGGED_OUT,
                Outcome(code="not_authenticated"),
                {"doubts": 3, "refresh_due_at": 7_200.0},
                id="probes become rarer",
            ),
            pytest.param(
                replace(LOGGED_OUT, doubts=500),
                Outcome(code="not_authenticated"),
                {"doubts": 501, "refresh_due_at": 86_400.0},
                id="but never rarer than once a day",
            ),
            pytest.param(
                replace(DISABLED, doubts=1),
                Outcome(code="not_authenticated"),
                {"doubts": 2, "last_error": "not_authenticated", "refresh_due_at": 3_600.0},
                id="a disabled account is not logged out, and stays its owner's",
            ),
            pytest.param(
                FRESH, Outcome(code="timeout", scope="network"), {"refresh_due_at": 450.0}, id="network, later again"
            ),
            pytest.param(
                FRESH,
                Outcome(code="rate_limited", retry_after_seconds=2_000),
                {"last_error": "rate_limited", "speed_until": 2_000.0, "refresh_due_at": 2_000.0},
                id="a rate limit holds for uses as well",
            ),
            pytest.param(
                DEPLETED,
                Outcome(code="rate_limited", retry_after_seconds=5),
                {"last_error": "rate_limited", "speed_until": 5.0, "refresh_due_at": 450.0},
                id="a short one of an empty account delays no reading",
            ),
            pytest.param(
                FRESH,
                Outcome(code="rate_limited"),
                {"refresh_due_at": 450.0},
                id="a rate limit of readings without a time says nothing about uses",
            ),
            pytest.param(FRESH, Outcome(), {"refresh_due_at": 450.0}, id="a success without a reading says nothing"),
            pytest.param(
                replace(FRESH, bot_limits={"dear": limit(9_000, balance=500)}),
                BalanceReading(501),
                {"points": Points(501, NOW), "bot_limits": {}, "refresh_due_at": 86_400.0},
                id="a higher balance lifts a bot's limit",
            ),
            pytest.param(
                replace(FRESH, bot_limits={"dear": limit(9_000)}),
                BalanceReading(501),
                {"points": Points(501, NOW), "bot_limits": {}, "refresh_due_at": 86_400.0},
                id="so does one after a balance that nobody knew",
            ),
            pytest.param(
                replace(FRESH, bot_limits={"dear": limit(9_000, balance=5_000)}),
                BalanceReading(500),
                {
                    "points": Points(500, NOW),
                    "bot_limits": {"dear": limit(9_000, balance=500)},
                    "refresh_due_at": 3_600.0,
                },
                id="a lower one is what the next is compared to",
            ),
            pytest.param(
                replace(
                    FRESH, bot_limits={"b": limit(9_000, "bot_access_denied"), "c": limit(-1, "bot_access_denied")}
                ),
                BalanceReading(500),
                {
                    "points": Points(500, NOW),
                    "bot_limits": {"b": limit(9_000, "bot_access_denied")},
                    "refresh_due_at": 86_400.0,
                },
                id="other limits stay, but for those that are over",
            ),
        ],
    )
    def test_table(self, before: Account, reading: BalanceReading | Outcome, expected: dict[str, object]) -> None:
        assert changes(before, apply_reading(before, reading, NOW)) == expected

    @settings(deadline=None)
    @given(
        st.sampled_from([FRESH, DEPLETED, DOUBTED, LIMITED, LOGGED_OUT, DISABLED]),
        st.builds(
            BalanceReading,
            st.none() | st.integers(0, 10**7),
            st.none() | st.booleans(),
            st.none() | st.integers(0, 10**7),
            st.none() | st.floats(NOW - 1e7, NOW + 1e7),
        ),
        st.floats(0, 0.999),
    )
    def test_every_reading_has_a_successor_within_reason(self, before, reading, jitter) -> None:
        after = apply_reading(before, reading, NOW, jitter=jitter)
        assert NOW < after.refresh_due_at <= NOW + POLICY.idle_reading_seconds * 1.1
        if reading.balance is not None and reading.balance > POLICY.depleted_points:
            assert after.eligible_at <= (NOW if before is not LIMITED else LIMITED.speed_until)
        if reading.balance is None:
            assert after.points == before.points

    def test_grants_at_the_same_time_are_read_at_different_times(self) -> None:
        account = replace(FRESH, points=Points(500, NOW, 3_000, NOW + 1_000))
        due = [next_reading_at(account, NOW, jitter=jitter) for jitter in (0.0, 0.5, 0.999)]
        assert due == sorted(set(due))
        assert NOW + 1_030 <= due[0]
        assert due[-1] <= NOW + 1_630


class TestBotLimits:
    @pytest.mark.parametrize(
        ("outcome", "seconds"),
        [
            (Outcome(code="bot_limit_reached", scope="bot", bot="b"), 3_600),
            (Outcome(code="bot_limit_reached", scope="bot", bot="b", retry_after_seconds=50), 50),
            (Outcome(code="bot_limit_reached", scope="bot", bot="b", retry_after_seconds=1e9), 86_400),
            (Outcome(code="bot_access_denied", scope="bot", bot="b"), 21_600),
            (Outcome(code="insufficient_points", bot="b"), 9_030),
            (Outcome(code="bot_limit_reached", scope="bot"), None),
            (Outcome(code="bot_failed", scope="bot", bot="b"), None),
            (Outcome(code="rate_limited", bot="b"), None),
            (Outcome(bot="b"), None),
        ],
    )
    def test_table(self, outcome: Outcome, seconds: float | None) -> None:
        found = apply_outcome(DEPLETED, outcome, NOW).limit_for("B", NOW)
        assert (found and found.until) == (None if seconds is None else NOW + seconds)

    def test_a_grant_that_is_far_away_does_not_keep_a_bot_waiting_for_it(self) -> None:
        before = replace(FRESH, points=Points(500, NOW, 3_000, NOW + 80_000))
        found = apply_outcome(before, Outcome(code="insufficient_points", bot="b"), NOW).limit_for("b", NOW)
        assert found == limit(21_600, balance=500)

    def test_as_many_limits_are_kept_as_the_policy_allows(self) -> None:
        account = FRESH
        for number in range(POLICY.max_bot_limits + 5):
            outcome = Outcome(code="bot_limit_reached", scope="bot", bot=f"b{number}", retry_after_seconds=100 + number)
            account = apply_outcome(account, outcome, NOW)
        assert len(account.bot_limits) == POLICY.max_bot_limits
        assert account.limit_for("b0", NOW) is None


class TestOwner:
    BLOCKED = replace(
        LIMITED,
        points_until=NOW + 5,
        credentials_until=NOW + 6,
        errors_until=NOW + 7,
        bot_limits={"b": limit(100, "bot_access_denied")},
    )

    @pytest.mark.parametrize(
        "act",
        [
            lambda account: change_state(account, AccountState.ACTIVE, NOW),
            lambda account: apply_reading(account, BalanceReading(500), NOW, is_by_owner=True),
            lambda account: replace_credentials(
                account, NOW, kind=account.kind, label=account.label, max_concurrency=None
            ),
        ],
        ids=["enable", "refresh", "new credentials"],
    )
    def test_what_the_owner_does_ends_every_wait(self, act) -> None:
        after = act(self.BLOCKED)
        assert after.eligible_at <= NOW
        assert after.bot_limits == {}
        assert (after.last_error, after.consecutive_errors) == (None, 0)

    def test_a_failed_refresh_ends_none(self) -> None:
        after = apply_reading(self.BLOCKED, Outcome(code="timeout", scope="network"), NOW, is_by_owner=True)
        assert after.eligible_at == self.BLOCKED.eligible_at


def test_the_wait_that_ends_last_is_the_one_that_is_named() -> None:
    account = replace(FRESH, speed_until=NOW + 5, points_until=NOW + 9)
    assert [account.waits_for(NOW + seconds) for seconds in (0, 7, 9)] == [Wait.POINTS, Wait.POINTS, None]
    assert FRESH.waits_for(NOW) is None


def test_unknown_points_are_not_too_few() -> None:
    assert not is_depleted(FRESH)
    assert is_depleted(DEPLETED)
    assert lacks_points(DEPLETED, NOW)
    assert not lacks_points(LIMITED, NOW)


def test_new_credentials_start_afresh() -> None:
    new = {"kind": AccountKind.WEB, "label": "new", "max_concurrency": 5}
    after = replace_credentials(LOGGED_OUT, NOW, **new)
    assert (after.state, after.eligible_at, after.last_error) == (AccountState.ACTIVE, 0.0, None)
    assert (after.consecutive_errors, after.refresh_due_at, after.max_concurrency) == (0, NOW, 5)
    assert after.credentials_version == LOGGED_OUT.credentials_version + 1
    assert replace_credentials(DISABLED, NOW, **new).state is AccountState.DISABLED


def test_enabling_makes_a_reading_due_and_disabling_changes_nothing_else() -> None:
    assert changes(DISABLED, change_state(DISABLED, AccountState.ACTIVE, NOW)) == {
        "state": AccountState.ACTIVE,
        "refresh_due_at": 0.0,
    }
    assert changes(LIMITED, change_state(LIMITED, AccountState.DISABLED, NOW)) == {"state": AccountState.DISABLED}


ODD_SECONDS = (math.nan, math.inf, -math.inf, -5.0, 0.0, 1e-9, 1e12)


@pytest.mark.parametrize("seconds", ODD_SECONDS)
@pytest.mark.parametrize("scope", ["account", "bot", "network"])
@pytest.mark.parametrize("code", ["rate_limited", "insufficient_points", "overloaded", "not_authenticated"])
def test_a_wait_that_no_clock_can_show_is_none_or_ends_within_a_day(code: str, scope: str, seconds: float) -> None:
    account = replace(FRESH, kind=AccountKind.OFFICIAL)
    outcome = Outcome(code=code, scope=scope, bot="m", retry_after_seconds=seconds)
    used = apply_outcome(account, outcome, NOW, policy=POLICY)
    read = apply_reading(account, outcome, NOW, jitter=0.5, policy=POLICY)
    for after in (used, read):
        assert after.eligible_at <= NOW + 86_400
        assert after.refresh_due_at <= NOW + 86_400
        assert all(limit.until <= NOW + 86_400 for limit in after.bot_limits.values())


@pytest.mark.parametrize("grant", [None, NOW - 100, NOW + 1e9, math.nan, math.inf])
@pytest.mark.parametrize("balance", [None, -3, 0, 10**15])
def test_a_balance_or_a_grant_that_can_not_be_keeps_no_account_from_being_read_again(
    balance: int | None, grant: float | None
) -> None:
    reading = BalanceReading(balance, True, 10**12, grant)
    after = apply_reading(FRESH, reading, NOW, jitter=0.5, policy=POLICY)
    assert after.eligible_at <= NOW + 86_400
    assert NOW < after.refresh_due_at <= NOW + 40 * 86_400
