"""What a page asks for is read strictly, and refused by the name of what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.query import DAY, HOUR, Range, read_filters, read_limit, read_moment, read_range
from gateway.http.errors import GatewayError

NOW = 1_800_000_000.0


def test_a_range_is_widened_to_whole_hours() -> None:
    assert read_range({"from": "2027-01-15T08:30:00Z", "to": "2027-01-15T09:10:00+00:00"}, NOW) == Range(
        1_800_000_000, 1_800_007_200
    )
    last = read_range({}, NOW + 1)
    assert (last.since, last.until) == (NOW - DAY, NOW + HOUR)


def test_moments_are_read_in_any_zone_and_as_seconds() -> None:
    for text in ("2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00", "2027-01-15T09:00:00 01:00", "1800000000"):
        assert read_moment({"from": text}, "from") == NOW, text


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "0"}, "to"),
        ({"to": "1e400"}, "to"),
        ({"to": "9" * 400}, "to"),
        ({"to": "99999999999999"}, "to"),
        ({"from": "1800000001", "to": "1800000000"}, "from"),
        ({"from": "1700000000", "to": "1800000000"}, "from"),
    ],
)
def test_a_range_that_is_none_is_refused(query: dict[str, str], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read_range(query, NOW)
    assert (caught.value.status, caught.value.param) == (400, param)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", "\u0663"])
def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    with pytest.raises(GatewayError):
        read_limit({"limit": limit}, default=50, highest=100)


def test_filters_that_are_empty_are_none() -> None:
    assert read_filters({"key": " ", "model": "GPT-5"}) == {"key_id": None, "model": "gpt-5", "account_id": None}


@given(st.dictionaries(st.sampled_from(["from", "to", "key", "model", "limit"]), st.text(max_size=400)))
def test_any_text_is_read_or_refused(query: dict[str, str]) -> None:
    for read in (
        lambda: read_range(query, NOW),
        lambda: read_filters(query),
        lambda: read_limit(query, default=1, highest=9),
    ):
        try:
            read()
        except GatewayError as error:
            assert error.status == 400
