"""What is not offered says so, and real addresses keep their own errors."""

from __future__ import annotations

import pytest

from gateway.surfaces.routes import NOT_OFFERED, why_not_offered
from tests.gateway.scripted import House

# Addresses at which something of that name could be, so that only what can't be done with it is not offered.
OF_THINGS = {"responses/compact", "videos/edits", "videos/extensions", "videos/characters"}


@pytest.mark.parametrize("prefix", [prefix for prefix in NOT_OFFERED if not prefix.startswith("messages/")])
async def test_it_says_what_is_missing_and_is_a_404(house: House, prefix: str) -> None:
    for path in (f"/v1/{prefix}", f"/{prefix}/some/thing"):
        for method in ("POST",) if prefix in OF_THINGS else ("GET", "POST", "DELETE"):
            answer = await house.call(path, {} if method == "POST" else None, method=method)
            assert (answer.status, answer.error["code"]) == (404, "not_found")
            assert answer.error["type"] == "invalid_request_error"
            assert answer.error["message"] == NOT_OFFERED[prefix]


@pytest.mark.parametrize(
    ("address", "listed"),
    [
        ("files", "files"),
        ("files/file-1/content", "files"),
        ("filesystem", None),
        ("videos/video-1/remix", "videos/{video_id}/remix"),
        ("videos/edits/remix", "videos/edits"),
        ("videos//remix", None),
        ("videos/video-1", None),
        ("chat/completions", None),
        ("chat/completions/", None),
        ("", None),
    ],
)
def test_an_address_counts_by_its_segments(address: str, listed: str | None) -> None:
    assert why_not_offered(address) == (None if listed is None else NOT_OFFERED[listed])


async def test_other_methods_of_what_is_not_offered_are_a_405(house: House) -> None:
    answer = await house.call("/v1/embeddings", method="OPTIONS")
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")


async def test_callers_of_anthropics_api_are_told_in_its_envelope(house: House) -> None:
    for path in ("/v1/messages/batches", "/v1/messages/batches/some/results"):
        answer = await house.call(path, {})
        assert (answer.status, answer.error["type"]) == (404, "not_found_error")
        assert answer.error["message"] == NOT_OFFERED["messages/batches"]


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
        ("/v1/responses/input_items", "POST"),
        ("/v1/videos", "GET"),
        ("/v1/videos/some", "POST"),
    ],
)
async def test_a_wrong_method_of_a_real_address_stays_a_405(house: House, path: str, method: str) -> None:
    answer = await house.call(path, {} if method == "POST" else None, method=method)
    assert (answer.status, answer.error["code"]) == (405, "method_not_allowed")


async def test_another_address_is_simply_not_there(house: House) -> None:
    answer = await house.call("/v1/nothing/of/the/kind")
    assert (answer.status, answer.error["message"]) == (404, "There is nothing at this address.")
