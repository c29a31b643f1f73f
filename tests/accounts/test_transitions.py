"""The transition table: what each outcome and each reading makes of an account."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts import Account, AccountKind, AccountState, Outcome, Points, Policy, Reading
from accounts._transitions import (
    apply_outcome,
    apply_reading,
    bot_limit_until,
    change_state,
    is_depleted,
    lacks_points,
    next_reading_at,
    replace_credentials,
)

NOW = 1_800_000_000.0
POLICY = Policy()
FRESH = Account(id="a", kind=AccountKind.WEB, label="l", refresh_due_at=NOW + 50_000)
DEPLETED = replace(FRESH, points=Points(20, NOW - 60, 3_000, NOW + 9_000), eligible_at=NOW + 9_030)
DOUBTED = replace(FRESH, last_error="not_authenticated", consecutive_errors=1, eligible_at=NOW + 60)
LIMITED = replace(FRESH, last_error="rate_limited", consecutive_errors=2, eligible_at=NOW + 60)
LOGGED_OUT = replace(DOUBTED, state=AccountState.LOGGED_OUT, consecutive_errors=2, refresh_due_at=NOW)
DISABLED = replace(FRESH, state=AccountState.DISABLED)


def changes(before: Account, after: Account) -> dict[str, object]:
    """The fields that differ, with their new values; times relative to now."""
    names = [name for name in Account.__slots__ if getattr(before, name) != getattr(after, name)]
    times = {"eligible_at", "refresh_due_at", "last_used_at"}
    return {name: getattr(after, name) - NOW if name in times else getattr(after, name) for name in names}


USED = {"last_used_at": 0.0, "refresh_due_at": 1_800.0}


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
                    "eligible_at": 120.0,
                    "consecutive_errors": 1,
                    "last_error": "not_authenticated",
                },
                id="refused credentials are doubted, not believed",
            ),
            pytest.param(
                replace(FRESH, points=Points(500, NOW - 60, 3_000, NOW + 9_000)),
                Outcome(code="insufficient_points"),
                {
                    "last_used_at": 0.0,
                    "refresh_due_at": 0.0,
                    "eligible_at": 9_045.0,
                    "consecutive_errors": 1,
                    "last_error": "insufficient_points",
                },
                id="no points waits for the known grant",
            ),
            pytest.param(
                FRESH,
                Outcome(code="insufficient_points"),
                {
                    "last_used_at": 0.0,
                    "refresh_due_at": 0.0,
                    "eligible_at": 21_600.0,
                    "consecutive_errors": 1,
                    "last_error": "insufficient_points",
                },
                id="no points and no known grant waits for a reading",
            ),
            pytest.param(
                FRESH,
                Outcome(code="insufficient_points", bot="dear"),
                {
                    "last_used_at": 0.0,
                    "refresh_due_at": 0.0,
                    "consecutive_errors": 1,
                    "last_error": "insufficient_points",
                },
                id="too few points for one bot may do for another",
            ),
            pytest.param(
                replace(FRESH, last_error="insufficient_points", consecutive_errors=1),
                Outcome(code="insufficient_points", bot="cheap"),
                {"last_used_at": 0.0, "refresh_due_at": 0.0, "eligible_at": 21_600.0, "consecutive_errors": 2},
                id="too few for two bots in a row are too few",
            ),
            pytest.param(
                replace(DEPLETED, eligible_at=0.0),
                Outcome(code="insufficient_points", bot="cheap"),
                {
                    "last_used_at": 0.0,
                    "refresh_due_at": 0.0,
                    "eligible_at": 9_045.0,
                    "consecutive_errors": 1,
                    "last_error": "insufficient_points",
                },
                id="an account known to be empty is believed at once",
            ),
            pytest.param(
                FRESH,
                Outcome(code="rate_limited", retry_after_seconds=7),
                {**USED, "eligible_at": 7.0, "consecutive_errors": 1, "last_error": "rate_limited"},
                id="rate limit waits as long as Poe says",
            ),
            pytest.param(
                replace(LIMITED, eligible_at=NOW),
                Outcome(code="rate_limited"),
                {**USED, "eligible_at": 480.0, "consecutive_errors": 3},
                id="rate limits without a time wait longer and longer",
            ),
            pytest.param(
                LIMITED,
                Outcome(code="rate_limited", retry_after_seconds=7),
                {**USED, "consecutive_errors": 3},
                id="a shorter wait does not cut a longer one",
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
                {**USED, "eligible_at": 120.0, "consecutive_errors": 3},
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
        assert set(changes(before, after)) <= {"last_used_at", "refresh_due_at"}

    @settings(deadline=None)
    @given(st.integers(0, 10_000), st.floats(0, 0.999), st.none() | st.floats(0, 1e9))
    def test_no_cooldown_is_longer_than_the_policy_allows(self, errors, jitter, retry_after) -> None:
        before = replace(FRESH, consecutive_errors=errors)
        outcome = Outcome(code="rate_limited", retry_after_seconds=retry_after)
        after = apply_outcome(before, outcome, NOW, jitter=jitter)
        assert 0 <= after.eligible_at - NOW <= POLICY.max_cooldown_seconds


class TestReadings:
    @pytest.mark.parametrize(
        ("before", "reading", "expected"),
        [
            pytest.param(
                DEPLETED,
                Reading(21),
                {"points": Points(21, NOW), "eligible_at": 0.0, "refresh_due_at": 86_400.0},
                id="points end the wait for points",
            ),
            pytest.param(
                FRESH,
                Reading(20, True, 3_000, NOW + 9_000),
                {
                    "points": Points(20, NOW, 3_000, NOW + 9_000),
                    "subscribed": True,
                    "eligible_at": 9_045.0,
                    "refresh_due_at": 9_330.0,
                },
                id="an empty account waits for its own grant, and is read after it",
            ),
            pytest.param(
                FRESH,
                Reading(0),
                {"points": Points(0, NOW), "eligible_at": 21_600.0, "refresh_due_at": 3_600.0},
                id="an empty account of unknown grant is read again in an hour",
            ),
            pytest.param(
                DEPLETED,
                Reading(None, subscribed=False),
                {"subscribed": False, "refresh_due_at": 9_330.0},
                id="a balance that Poe does not say is not a balance",
            ),
            pytest.param(
                DOUBTED,
                Reading(None),
                {"eligible_at": 0.0, "consecutive_errors": 0, "last_error": None, "refresh_due_at": 86_400.0},
                id="any answer ends the doubt",
            ),
            pytest.param(
                LIMITED,
                Reading(3_000),
                {"points": Points(3_000, NOW), "refresh_due_at": 86_400.0},
                id="points do not end a wait for being too fast",
            ),
            pytest.param(
                replace(LIMITED, eligible_at=NOW - 1),
                Reading(3_000),
                {
                    "points": Points(3_000, NOW),
                    "consecutive_errors": 0,
                    "last_error": None,
                    "refresh_due_at": 86_400.0,
                },
                id="a wait that is over leaves no trace",
            ),
            pytest.param(
                LOGGED_OUT,
                Reading(3_000),
                {
                    "state": AccountState.ACTIVE,
                    "points": Points(3_000, NOW),
                    "eligible_at": 0.0,
                    "consecutive_errors": 0,
                    "last_error": None,
                    "refresh_due_at": 86_400.0,
                },
                id="a successful probe brings it back",
            ),
            pytest.param(
                DISABLED,
                Reading(3_000),
                {"points": Points(3_000, NOW), "refresh_due_at": 86_400.0},
                id="disabled stays disabled",
            ),
            pytest.param(
                FRESH,
                Outcome(code="not_authenticated"),
                {
                    "consecutive_errors": 1,
                    "last_error": "not_authenticated",
                    "eligible_at": 120.0,
                    "refresh_due_at": 90.0,
                },
                id="the first refused reading is a doubt",
            ),
            pytest.param(
                DOUBTED,
                Outcome(code="not_authenticated"),
                {"state": AccountState.LOGGED_OUT, "consecutive_errors": 2, "refresh_due_at": 3_600.0},
                id="the second one is a fact",
            ),
            pytest.param(
                LOGGED_OUT,
                Outcome(code="not_authenticated"),
                {"consecutive_errors": 3, "refresh_due_at": 7_200.0},
                id="probes become rarer",
            ),
            pytest.param(
                replace(LOGGED_OUT, consecutive_errors=500),
                Outcome(code="not_authenticated"),
                {"consecutive_errors": 501, "refresh_due_at": 86_400.0},
                id="but never rarer than once a day",
            ),
            pytest.param(
                replace(DISABLED, last_error="not_authenticated"),
                Outcome(code="not_authenticated"),
                {"consecutive_errors": 1, "refresh_due_at": 3_600.0},
                id="a disabled account is not logged out, and stays its owner's",
            ),
            pytest.param(
                FRESH, Outcome(code="timeout", scope="network"), {"refresh_due_at": 450.0}, id="network, later again"
            ),
            pytest.param(
                FRESH,
                Outcome(code="rate_limited", retry_after_seconds=2_000),
                {
                    "consecutive_errors": 1,
                    "last_error": "rate_limited",
                    "eligible_at": 2_000.0,
                    "refresh_due_at": 2_000.0,
                },
                id="a rate limit holds for readings as well",
            ),
            pytest.param(FRESH, Outcome(), {"refresh_due_at": 450.0}, id="a success without a reading says nothing"),
        ],
    )
    def test_table(self, before: Account, reading: Reading | Outcome, expected: dict[str, object]) -> None:
        assert changes(before, apply_reading(before, reading, NOW)) == expected

    @settings(deadline=None)
    @given(
        st.sampled_from([FRESH, DEPLETED, DOUBTED, LIMITED, LOGGED_OUT, DISABLED]),
        st.builds(
            Reading,
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
        if reading.balance is not None and reading.balance > POLICY.depleted_points and before is not LIMITED:
            assert after.eligible_at <= NOW
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
        until = bot_limit_until(DEPLETED, outcome, NOW)
        assert until == (None if seconds is None else NOW + seconds)

    def test_an_unknown_grant_is_not_guessed(self) -> None:
        assert bot_limit_until(FRESH, Outcome(code="insufficient_points", bot="b"), NOW) == NOW + 3_600


def test_unknown_points_are_not_too_few() -> None:
    assert not is_depleted(FRESH)
    assert is_depleted(DEPLETED)
    assert lacks_points(replace(FRESH, last_error="insufficient_points"))


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
    assert change_state(LIMITED, AccountState.ACTIVE, NOW) == LIMITED, "enabling twice ends no wait"
