"""What is not offered says so, and real addresses keep their own errors."""

from __future__ import annotations

import pytest

from gateway.routes.not_offered import NOT_OFFERED
from tests.gateway.scripted import House


@pytest.mark.parametrize("prefix", NOT_OFFERED)
async def test_it_says_what_is_missing_and_is_a_404(house: House, prefix: str) -> None:
    for path in (f"/v1/{prefix}", f"/{prefix}/some/thing"):
        for method in ("GET", "POST", "DELETE"):
            answer = await house.call(path, {} if method == "POST" else None, method=method)
            assert (answer.status, answer.error["code"]) == (404, "not_found")
            assert answer.error["type"] == "invalid_request_error"
            assert answer.error["message"] == NOT_OFFERED[prefix]


async def test_it_tells_strangers_nothing(house: House) -> None:
    assert (await house.call("/v1/embeddings", {}, key=None)).status == 401


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/completions", "GET"),
        ("/v1/images/generations", "GET"),
        ("/v1/images/edits", "DELETE"),
        ("/v1/audio/speech", "GET"),
        ("/v1/chat/completions", "GET"),
        ("/v1/models", "POST"),
    ],
)
async def test_a_wrong_method_of_a_real_address_stays_a_405(house: House, path: str, method: str) -> None:
    answer = await house.call(path, {} if method == "POST" else None, method=method)
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")


async def test_another_address_is_simply_not_there(house: House) -> None:
    answer = await house.call("/v1/nothing/of/the/kind")
    assert (answer.status, answer.error["message"]) == (404, "There is nothing at this address.")
