"""Bodies, and JSON text in their fields: how deep they may be, on every version of Python."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from gateway.http.bodies import MAX_DEPTH, _is_more, decode_field, read_json
from gateway.http.errors import GatewayError
from tests.gateway.scripted import House, ask

LEVELS = {"[": "]", '{"a":': "}", '[{"a":': "}]"}


def nested(opening: str, depth: int) -> str:
    return opening * depth + "1" + LEVELS[opening] * depth


def request(body: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body.encode(), "more_body": False}

    return Request({"type": "http", "headers": [], "method": "POST", "path": "/"}, receive)


@pytest.mark.parametrize("opening", LEVELS)
@pytest.mark.parametrize("depth", [MAX_DEPTH + 5, 1200, 5000, 200_000])
async def test_deep_nesting_is_the_callers_mistake(opening: str, depth: int) -> None:
    text = nested(opening, depth)
    with pytest.raises(ValueError, match="deeply"):
        decode_field(text)
    with pytest.raises(GatewayError) as caught:
        await read_json(request(f'{{"metadata": {text}}}'), max_bytes=1 << 22)
    assert (caught.value.status, caught.value.code) == (400, "invalid_json")


@pytest.mark.parametrize("opening", LEVELS)
@pytest.mark.parametrize("depth", [150, 1200, 5000])
async def test_so_it_is_in_the_text_of_a_field(house: House, opening: str, depth: int) -> None:
    await house.add_account()
    parameters = f'{{"b": {nested(opening, depth)}}}'
    bodies = {
        "/v1/chat/completions": ask(extra_body={"parameters": parameters}),
        "/v1/images/generations": {"model": "gpt-image-1", "prompt": "a", "parameters": parameters},
    }
    for path, body in bodies.items():
        answer = await house.call(path, body)
        assert answer.status == 400, path
        assert "parameters" in answer.error["param"]
    assert not house.poe.requests


@pytest.mark.parametrize(
    ("digits", "is_more"),
    [("6", False), ("10", False), ("11", True), ("0" * 5000 + "9", False), ("0" * 20 + "11", True), ("9" * 5000, True)],
)
def test_a_length_is_compared_however_it_is_written(digits: str, is_more: bool) -> None:
    assert _is_more(digits, 10) is is_more
