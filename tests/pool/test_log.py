"""What the logs of both functions have in common."""

from __future__ import annotations

import logging

import pytest

from pool.log import quiet_libraries


@pytest.mark.parametrize(
    "library", ["botocore.endpoint", "httpcore.connection", "httpx", "websockets.client", "urllib3"]
)
def test_a_library_writes_warnings_and_nothing_below(library: str, caplog: pytest.LogCaptureFixture) -> None:
    """Below, they write addresses, headers and whole frames."""
    caplog.set_level(logging.DEBUG)
    quiet_libraries()
    log = logging.getLogger(library)
    log.debug("a frame")
    log.info("an address")
    log.warning("a warning")
    assert caplog.messages == ["a warning"]
