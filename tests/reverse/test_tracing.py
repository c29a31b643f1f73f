"""W3C Trace Context: which headers are taken."""

from __future__ import annotations

import re

import pytest

from reverse.tracing import read_traceparent

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
VALID = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        (VALID, "01"),
        (f"  {VALID}\t", "01"),
        (f"00-{TRACE}-{PARENT}-00", "00"),
        (f"00-{TRACE}-{PARENT}-ff", "03"),
        (f"01-{TRACE}-{PARENT}-01", "01"),
        (f"cc-{TRACE}-{PARENT}-01-what-comes-later", "01"),
    ],
)
def test_a_valid_header_begins_a_span_of_ours_in_the_same_trace(value: str, flags: str) -> None:
    first, second = (read_traceparent([value.encode()]) for _ in range(2))
    assert first is not None and second is not None
    assert (first.trace_id, first.parent_id) == (TRACE, PARENT)
    assert re.fullmatch(rf"00-{TRACE}-[0-9a-f]{{16}}-{flags}", first.header)
    assert len({first.span_id, second.span_id, PARENT}) == 3


@pytest.mark.parametrize(
    "values",
    [
        [],
        [VALID, VALID],
        [""],
        [VALID.upper()],
        [f"00-{'0' * 32}-{PARENT}-01"],
        [f"00-{TRACE}-{'0' * 16}-01"],
        [f"ff-{TRACE}-{PARENT}-01"],
        [f"{VALID}-more"],
        [f"{VALID}-"],
        [f"01-{TRACE}-{PARENT}-01more"],
        [f"00-{TRACE}-{PARENT}-1"],
        [f"00-{TRACE[1:]}-{PARENT}-01"],
        [f"00-{TRACE}-{PARENT}"],
        [f"00_{TRACE}_{PARENT}_01"],
        [f"{VALID}\r\nx-injected: 1"],
        [f"{VALID}\x00"],
        [f"01-{TRACE}-{PARENT}-01-" + "a" * 300],
        [f"01-{TRACE}-{PARENT}-01-\x7f"],
        ["0" * 1_000_000],
        ["\u0661" * 55],
    ],
)
def test_what_is_not_valid_is_no_trace(values: list[str]) -> None:
    assert read_traceparent([value.encode() for value in values]) is None
