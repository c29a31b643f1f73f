"""Counts by hour, packed by day: nothing is lost, and adding up packs is adding up rows."""

from __future__ import annotations

from collections import Counter
from functools import partial
from operator import eq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import _packs
from accounts._packs import Adder, Key, pack, unpack

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


@given(ROWS, st.integers(0, 24), st.integers(0, 24), st.sampled_from([(), ("hour",), ("code",), ("hour", "key_id")]))
def test_packed_rows_add_up_to_what_the_rows_do(
    rows: dict[Key, list[int]], low: int, high: int, by: tuple[str, ...]
) -> None:
    packed = pack(rows, until=24 * HOUR)
    assert packed is not None
    plain, from_pack = Adder(NAMES, by), Adder(NAMES, by)
    for (hour, names), counts in rows.items():
        if low * HOUR <= hour < high * HOUR and hour != 5 * HOUR:
            plain.add(hour, names, counts)
    from_pack.add_pack(unpack(packed), since=low * HOUR, until=high * HOUR, without=frozenset({5 * HOUR}))
    assert from_pack.sums == plain.sums


def test_rows_that_are_not_wanted_are_left_out() -> None:
    adder = Adder(NAMES, ("code",), {"key_id": partial(eq, "a")})
    adder.add(0, ("a", None), (1, 1))
    adder.add(0, ("b", None), (1, 1))
    adder.add(HOUR, ("a", None), (2, 2))
    assert adder.sums == {(0, (None,)): [3, 3]}


def test_a_pack_of_no_rows_says_until_when_there_were_none() -> None:
    packed = pack({}, until=7)
    assert packed is not None
    found = unpack(packed)
    assert (found.until, list(found.hours)) == (7, [])
    adder = Adder(NAMES, ())
    adder.add_pack(found, since=0, until=100)
    assert adder.sums == {}


def test_rows_that_fit_no_item_are_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_packs, "MAX_DOCUMENT_BYTES", 100)
    assert pack({(hour, (str(hour), None)): [hour * 997, 1] for hour in range(500)}, until=500) is None


def test_a_day_of_many_thousand_rows_fits_one_item() -> None:
    """Twice what 100,000 requests a month make, if no two of an hour were alike."""
    rows = {
        (number % 24 * HOUR, (f"key_{number % 5}", f"model-{number}")): [1, number % 2, number * 37 % 4_000]
        for number in range(7_000)
    }
    assert pack(rows, until=24 * HOUR) is not None
    assert Counter(hour for hour, _ in rows)[0] > 0
