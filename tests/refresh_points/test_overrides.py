"""The job's clients are configured as the administration says."""

from __future__ import annotations

import io
from typing import Any

import pytest

from accounts import InMemoryAccountStore
from pool.config_names import POE
from refresh_points.handler import poe_config
from refresh_points.journal import Journal
from tests.refresh_points.conftest import SETTINGS

HASH = "a" * 64


@pytest.mark.parametrize(
    ("document", "hashes"),
    [({"operation_hashes": {"a": HASH}}, {"a": HASH}), ({"operation_hashes": 5}, {}), (None, {})],
)
async def test_what_is_stored_goes_over_the_settings_if_it_can_be_used(
    document: dict[str, Any] | None, hashes: dict[str, str]
) -> None:
    store = InMemoryAccountStore()
    if document is not None:
        await store.put_config(POE, document)
    config = await poe_config(SETTINGS, store, Journal(level="info", stream=io.StringIO()))
    assert config.operation_hashes == hashes
