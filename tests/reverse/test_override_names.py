"""Names in overrides that are to be stored."""

from __future__ import annotations

from typing import Any

import pytest

from reverse.config import PoeConfig
from reverse.override_names import read_new_overrides
from reverse.overrides import OverrideError, read_overrides, with_overrides
from reverse.web._operations import operation_hash

HASH = "a" * 64


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"operation_hashes": {"SendMesageMutation": HASH}}, "operation_hashes.SendMesageMutation"),
        ({"operation_hashes": {"SENDMESSAGEMUTATION": HASH}}, "operation_hashes.SENDMESSAGEMUTATION"),
        ({"operation_hashes": {"messageAdded": HASH}}, "operation_hashes.messageAdded"),
        ({"operation_hashes": {"SendMessageMutation": HASH, "x": HASH}}, "operation_hashes.x"),
        ({"subscription_hashes": {"messageAdd": HASH}}, "subscription_hashes.messageAdd"),
        ({"subscription_hashes": {"SendMessageMutation": HASH}}, "subscription_hashes.SendMessageMutation"),
    ],
)
def test_a_new_document_names_what_exists(document: dict[str, Any], field: str) -> None:
    assert read_overrides(document) == document  # one that is stored already does no harm
    with pytest.raises(OverrideError, match="there is no such") as caught:
        read_new_overrides(document)
    assert caught.value.field == field


def test_operations_of_both_generations_are_taken_in_either_spelling() -> None:
    given = {"sendMessageMutation": HASH, "StopMessage_messageCancel_Mutation": "b" * 64}
    given["CancelViewerActiveJobs_cancelViewerActiveJobs_Mutation"] = "c" * 64
    given["cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation"] = "d" * 64
    taken = read_new_overrides({"operation_hashes": given, "subscription_hashes": {"jobCostUpdated": HASH}})
    assert taken["operation_hashes"] == {
        "SendMessageMutation": HASH,
        "StopMessage_messageCancel_Mutation": "b" * 64,
        "cancelViewerActiveJobs_cancelViewerActiveJobs_Mutation": "d" * 64,
    }
    assert operation_hash("SendMessageMutation", with_overrides(PoeConfig(), taken)) == HASH
