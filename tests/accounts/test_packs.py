"""Counts by hour, packed by day: nothing is lost, and adding up packs is adding up rows."""

from __future__ import annotations

from functools import partial
from operator import eq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import _packs
from accounts._packs import Adder, DayPacks, Key, pack_day

NAMES = ("key_id", "code")
HOUR = 3600
ROWS = st.dictionaries(
    st.tuples(
        st.integers(0, 23).map(lambda hour: hour * HOUR),
        st.tuples(st.sampled_from(["a", "b#c", "ä"]), st.sampled_from([None, "upstream_error"])),
    ),
    st.lists(st.integers(0, 10**12), min_size=2, max_size=2),
    max_size=30,
)


VIEWS = (("hour", *NAMES), ("hour", "key_id"), ("code",))


@given(
    ROWS,
    st.integers(0, 24),
    st.integers(0, 24),
    st.sampled_from([(), ("hour",), ("code",), ("hour", "key_id"), ("key_id", "code"), ("hour", *NAMES)]),
)
def test_packed_rows_add_up_to_what_the_rows_do(
    rows: dict[Key, list[int]], low: int, high: int, by: tuple[str, ...]
) -> None:
    attributes = pack_day(rows, VIEWS, day=0, until=24 * HOUR)
    assert attributes is not None
    packed = DayPacks(attributes, VIEWS)
    for since, until, without in ((low * HOUR, high * HOUR, {5 * HOUR}), (0, 24 * HOUR, set())):
        plain, from_pack = Adder(NAMES, by), Adder(NAMES, by)
        for (hour, names), counts in rows.items():
            if since <= hour < until and hour not in without:
                plain.add(hour, names, counts)
        packed.add_to(from_pack, since=since, until=until, is_whole=not without, without=without)
        assert from_pack.sums == plain.sums


def test_what_asks_for_few_names_is_answered_from_few_rows() -> None:
    rows = {(hour * HOUR, (f"key_{number}", "ok")): [1] for hour in range(24) for number in range(10)}
    attributes = pack_day(rows, VIEWS, day=0, until=24 * HOUR)
    assert attributes is not None
    del attributes["v0"]
    packed = DayPacks({**attributes, "v0": b"never read"}, VIEWS)
    adder = Adder(NAMES, ("code",))
    packed.add_to(adder, since=0, until=24 * HOUR, is_whole=True)
    assert adder.sums == {(0, ("ok",)): [240]}
    adder = Adder(NAMES, ("hour",), {"key_id": partial(eq, "key_1")})
    packed.add_to(adder, since=HOUR, until=3 * HOUR, is_whole=False)
    assert adder.sums == {(HOUR, ()): [1], (2 * HOUR, ()): [1]}


def test_rows_that_are_not_wanted_are_left_out() -> None:
    adder = Adder(NAMES, ("code",), {"key_id": partial(eq, "a")})
    adder.add(0, ("a", None), (1, 1))
    adder.add(0, ("b", None), (1, 1))
    adder.add(HOUR, ("a", None), (2, 2))
    assert adder.sums == {(0, (None,)): [3, 3]}


def test_a_pack_of_no_rows_says_until_when_there_were_none() -> None:
    attributes = pack_day({}, VIEWS, day=0, until=7)
    assert attributes is not None
    found = DayPacks(attributes, VIEWS)
    assert found.until == 7
    adder = Adder(NAMES, ())
    found.add_to(adder, since=0, until=100, is_whole=True)
    assert adder.sums == {}


def test_rows_that_fit_no_item_are_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_packs, "MAX_DOCUMENT_BYTES", 100)
    rows = {(hour, (str(hour), None)): [hour * 997, 1] for hour in range(500)}
    assert pack_day(rows, VIEWS, day=0, until=500) is None


def test_a_day_of_many_thousand_rows_fits_one_item() -> None:
    """Twice what 100,000 requests a month make, if no two of an hour were alike."""
    rows = {
        (number % 24 * HOUR, (f"key_{number % 5}", f"model-{number}")): [1, number % 2, number * 37 % 4_000]
        for number in range(7_000)
    }
    assert pack_day(rows, VIEWS, day=0, until=24 * HOUR) is not None
