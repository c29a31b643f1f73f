from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from werkzeug.test import Client

from local.aws.api import CallError, LocalApi


def test_one_call_runs_at_a_time_to_the_end_of_its_body():
    """Or two sandboxes could both see a slot free before either takes it, which DynamoDB rules out."""
    inside, most, pause = 0, 0, threading.Event()

    def slow(_environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        nonlocal inside, most
        start_response("200 OK", [])
        inside += 1
        most = max(most, inside)
        pause.wait(0.02)
        yield b"done"
        inside -= 1

    client = Client(LocalApi(slow))
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(lambda _: client.get("/").get_data(), range(8)))
    assert replies == [b"done"] * 8
    assert most == 1


def test_a_refused_call_is_an_error_with_the_reason():
    with pytest.raises(CallError, match="ResourceNotFoundException"):
        LocalApi().call("dynamodb", "DescribeTable", TableName="nobody")
