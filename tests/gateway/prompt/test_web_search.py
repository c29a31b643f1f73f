"""A hosted search of the web switches the model's own on, where it declares one; elsewhere it is reported."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from tests.gateway.prompt.test_native_calls import BODIES
from tests.gateway.scripted import House

HOSTED = {
    "/v1/chat/completions": "web_search",
    "/v1/responses": "web_search_preview",
    "/v1/messages": "web_search_20250305",
}
SWITCH = [{"name": "web_search", "schema": {"type": "boolean"}, "default_value": False}]


@pytest.mark.parametrize("kind", AccountKind)
@pytest.mark.parametrize("path", BODIES)
async def test_the_models_own_search_is_switched_on(house: House, path: str, kind: AccountKind) -> None:
    models = [{"id": "Searcher", "parameters": SWITCH}, {"id": "Plain"}]
    await house.store.put_config("models", {"models": models})
    await house.add_account(kind=kind)
    body: dict[str, Any] = {**BODIES[path], "tools": [{"type": HOSTED[path], "name": "web_search"}]}
    del body["tool_choice"]
    answer = await house.call(path, {"model": "Searcher", **body})
    assert answer.status == 200
    assert house.poe.requests[-1].parameters["web_search"] is True
    assert "x-gateway-ignored" not in answer.headers
    answer = await house.call(path, {"model": "Plain", **body})
    assert answer.headers["x-gateway-ignored"] == "tools[0]"
    assert "web_search" not in house.poe.requests[-1].parameters
    off = {**body, "model": "Searcher", "parameters": {"web_search": False}}
    await house.call(path, off)
    assert house.poe.requests[-1].parameters["web_search"] is False
