"""A part of what `make fuzz` sends: no body and no upstream make the gateway fail."""

from __future__ import annotations

import pytest

from tests.fuzz.run import fuzz

# Seeds that have found something, which must not come back.
FOUND: list[int] = []


@pytest.mark.parametrize("first", [0, 100, 200])
async def test_no_body_and_no_upstream_make_the_gateway_fail(first: int) -> None:
    findings = await fuzz(range(first, first + 100))
    assert findings.failed == []
    assert findings.sent == 100
    assert findings.statuses[200] > 20, "most bodies are changed so little that some are answered"


async def test_what_was_found_once_is_not_found_again() -> None:
    assert (await fuzz(FOUND)).failed == []
