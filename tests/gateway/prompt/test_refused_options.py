"""Options that an upstream refuses: asked again without them, and told; everything else stays an error."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from reverse.errors import ErrorCode, PoeError, poe_error
from reverse.events import Finished, TextDelta
from tests.gateway.scripted import House, ask


def refusal(param: str | None = "reasoning_effort", code: ErrorCode = ErrorCode.INVALID_REQUEST) -> PoeError:
    return poe_error(code, operation="chat.completions", param=param)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("param", ["reasoning_effort", "reasoning.effort", None])
async def test_an_effort_that_the_model_does_not_take_is_left_out_and_told(
    house: House, stream: bool, param: str | None
) -> None:
    await house.add_account()
    house.poe.enqueue(refusal(param))
    answer = await house.call(body=ask(reasoning_effort="high", temperature=0.5, stream=stream))
    assert answer.status == 200
    assert [request.parameters for request in house.poe.requests] == [
        {"reasoning_effort": "high", "temperature": 0.5},
        {"temperature": 0.5},
    ]
    assert answer.headers["x-gateway-ignored"] == "reasoning_effort"
    refused = [usage.is_refused for _, usage in house.store.released if usage is not None]
    assert refused == [True, False], "the refused send cost nothing"


async def test_another_option_is_left_out_only_if_it_is_named(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(refusal("temperature", ErrorCode.UNSUPPORTED_FEATURE))
    answer = await house.call(body=ask(temperature=0.5))
    assert (answer.status, answer.headers["x-gateway-ignored"]) == (200, "temperature")
    house.poe.enqueue(refusal(None))
    answer = await house.call(body=ask(temperature=0.5))
    assert (answer.status, answer.error["message"]) == (400, "The upstream rejected the request.")


async def test_a_correction_is_asked_for_without_it_too(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(refusal())
    house.poe.enqueue(TextDelta("no JSON"), Finished())
    house.poe.enqueue(TextDelta("{}"), Finished())
    answer = await house.call(body=ask(reasoning_effort="high", response_format={"type": "json_object"}))
    assert answer.json["choices"][0]["message"]["content"] == "{}"
    assert [dict(request.parameters) for request in house.poe.requests] == [{"reasoning_effort": "high"}, {}, {}]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        # The caller speaks to the bot itself.
        ({"parameters": {"reasoning_effort": "high"}}, refusal()),
        ({"reasoning_effort": "high"}, refusal("messages")),
        ({"reasoning_effort": "high"}, refusal(code=ErrorCode.CONTENT_REFUSED)),
        ({}, refusal()),
    ],
)
async def test_what_is_no_refusal_of_an_option_stays_an_error(
    house: House, given: dict[str, Any], error: PoeError
) -> None:
    await house.add_account()
    house.poe.enqueue(error)
    answer = await house.call(body=ask(**given))
    assert answer.status == 400
    assert len(house.poe.requests) == 1


async def test_nothing_is_asked_again_after_the_first_word(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("I"), refusal())
    answer = await house.call(body=ask(reasoning_effort="high", stream=True))
    assert answer.chunks[-1]["error"]["param"] == "reasoning_effort"
    assert len(house.poe.requests) == 1


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("/v1/responses", {"input": "Hi", "reasoning": {"effort": "high"}}, "reasoning.effort"),
        (
            "/v1/messages",
            {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "output_config": {"effort": "high"}},
            "output_config.effort",
        ),
    ],
)
async def test_it_is_told_in_the_words_of_the_callers_api(
    house: House, path: str, body: dict[str, Any], name: str
) -> None:
    await house.add_account(kind=AccountKind.OFFICIAL)
    house.poe.enqueue(refusal())
    answer = await house.call(path, {"model": "GPT-5", **body})
    assert (answer.status, answer.headers["x-gateway-ignored"]) == (200, name)


async def test_an_error_names_the_field_that_the_upstream_blames(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(refusal("aspect"))
    answer = await house.call(body=ask(parameters={"aspect": "1:1"}))
    assert answer.error["message"] == "The upstream rejected 'aspect'."
