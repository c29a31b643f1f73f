"""The signature of a request, and the tables of operations."""

from __future__ import annotations

import hashlib
import re

import pytest

from reverse.config import PoeConfig
from reverse.errors import ErrorCode, PoeError
from reverse.web import _operations
from reverse.web._operations import available_bots_variables, operation_hash, subscriptions, wire_name
from reverse.web._signing import swapped_tag_id, tag_id


def test_signs_the_exact_text_with_the_form_key():
    payload = '{"queryName":"x","variables":{"q":"ü"},"extensions":{}}'
    expected = hashlib.md5(
        (payload + "k" * 32 + "4LxgHM6KpFqokX0Ox").encode("utf-8"), usedforsecurity=False
    ).hexdigest()
    assert tag_id(payload, "k" * 32) == expected
    assert tag_id(payload, "") != expected


def test_the_later_variant_exchanges_two_digits():
    plain, swapped = tag_id("{}", ""), swapped_tag_id("{}", "")
    assert (swapped[20], swapped[24]) == (plain[24], plain[20])
    assert sorted(plain) == sorted(swapped)


def test_every_hash_has_the_right_form():
    for generation in ("older", "newer"):
        hashes = [*_operations._OPERATIONS[generation].values(), *_operations._SUBSCRIPTIONS[generation].values()]
        assert all(re.fullmatch("[0-9a-f]{64}", value) for value in hashes)
        assert len(set(hashes)) == len(hashes)
    assert len(_operations._NEWER) == 36 and len(_operations._OLDER) == 34


def test_a_configured_hash_wins():
    config = PoeConfig(operation_hashes={"DeleteChat": "f" * 64, "BrandNew": "e" * 64})
    assert operation_hash("DeleteChat", config) == "f" * 64
    assert operation_hash("BrandNew", config) == "e" * 64
    assert operation_hash("SettingsPageQuery", config).startswith("7ad44151")
    assert operation_hash("SettingsPageQuery", PoeConfig(operation_generation="older")).startswith("b20810a0")


def test_an_operation_that_a_generation_lacks_is_a_typed_error():
    name = "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation"
    with pytest.raises(PoeError) as caught:
        operation_hash(name, PoeConfig(operation_generation="older"))
    assert caught.value.code is ErrorCode.STALE_OPERATION and caught.value.operation == name


def test_names_are_spelled_as_the_generation_does():
    assert wire_name("DeleteChat", PoeConfig()) == "deleteChat"
    assert wire_name("DeleteChat", PoeConfig(operation_generation="older")) == "DeleteChat"


def test_subscriptions_can_be_changed_added_and_left_out():
    config = PoeConfig(subscription_hashes={"messageAdded": "a" * 64, "brandNew": "b" * 64, "jobUpdated": ""})
    found = {entry["subscriptionName"]: entry["queryHash"] for entry in subscriptions(config)}
    assert found["messageAdded"] == "a" * 64 and found["brandNew"] == "b" * 64 and "jobUpdated" not in found
    assert all(entry["query"] is None for entry in subscriptions(config))


def test_the_list_of_bots_is_asked_for_as_the_generation_does():
    older = PoeConfig(operation_generation="older")
    assert available_bots_variables(older, None, 5) == {}
    assert available_bots_variables(older, "3", 5) == {"cursor": "3"}
    assert available_bots_variables(PoeConfig(), None, 5)["limit"] == 5
