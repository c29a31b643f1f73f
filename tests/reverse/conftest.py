"""What tests of the Poe client share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from reverse.tls import tls_context


@pytest.fixture
def fresh_tls() -> Iterator[None]:
    """The context is built once in a process; a test that changes what it is built from must not leave its own."""
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()
