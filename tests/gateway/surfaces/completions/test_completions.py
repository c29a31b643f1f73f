"""OpenAI's older completions."""

from __future__ import annotations

from typing import Any

import pytest

from accounts import AccountKind
from reverse.errors import ErrorCode, poe_error
from reverse.events import FileAttached, Finished, FinishReason, TextDelta, TextReplaced, UsageReported
from tests.gateway.scripted import Answer, Hang, House

ASK = {"model": "GPT-X", "prompt": "Say hello"}


async def complete(house: House, **more: Any) -> Answer:
    return await house.call("/v1/completions", ASK | more)


def texts(answer: Answer) -> dict[int, str]:
    found: dict[int, str] = {}
    for chunk in answer.chunks:
        for choice in chunk["choices"]:
            found[choice["index"]] = found.get(choice["index"], "") + choice["text"]
    return found


async def test_a_prompt_is_answered(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("draft"), TextReplaced("Hello"), UsageReported(5, 1), Finished(FinishReason.LENGTH))
    answer = await complete(house, max_tokens=9, temperature=0.5, stop="X")
    assert answer.status == 200
    (choice,) = answer.json["choices"]
    assert choice == {"text": "Hello", "index": 0, "logprobs": None, "finish_reason": "length"}
    assert answer.json["usage"]["total_tokens"] == 6
    assert answer.json["usage"]["estimated"] is False
    asked = house.poe.requests[0]
    assert (asked.messages[0].text, asked.max_tokens, asked.parameters, asked.stop) == (
        "Say hello",
        9,
        {"temperature": 0.5},
        ("X",),
    )


class TestWithoutWaiting:
    """Nobody waits for the only slot, so that whoever has it takes one prompt after the other."""

    @pytest.fixture
    def environment(self, environment: dict[str, str]) -> dict[str, str]:
        return environment | {"GATEWAY_ACCOUNT_WAIT_SECONDS": "0"}

    async def test_prompts_times_n_in_openais_order(self, house: House) -> None:
        await house.add_account(max_concurrency=1)
        for text in "abcd":
            house.poe.enqueue(TextDelta(text), Finished())
        answer = await complete(house, prompt=["one", "two"], n=2, echo=True)
        assert [choice["text"] for choice in answer.json["choices"]] == ["onea", "oneb", "twoc", "twod"]
        assert [choice["index"] for choice in answer.json["choices"]] == [0, 1, 2, 3]
        assert house.lines("request.ended")[-1]["attempts"] >= 4


async def test_a_stream(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"), TextDelta("lo"), UsageReported(5, 2), Finished())
    house.poe.enqueue(FileAttached("https://a/b.png"), UsageReported(5, 2), Finished())
    answer = await complete(house, stream=True, n=2, echo=True, stream_options={"include_usage": True})
    assert texts(answer) == {0: "Say helloHello", 1: "Say hellohttps://a/b.png"}
    assert answer.events[-1] == "[DONE]"
    assert answer.chunks[-1]["usage"]["total_tokens"] == 14
    assert answer.chunks[-1]["choices"] == []
    reasons = [choice["finish_reason"] for chunk in answer.chunks for choice in chunk["choices"]]
    assert [reason for reason in reasons if reason] == ["stop", "stop"]
    assert all(chunk["object"] == "text_completion" for chunk in answer.chunks)
    assert house.store.most_held == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_the_sum_of_usage_has_cached_and_reasoning_tokens(house: House, stream: bool) -> None:
    await house.add_account()
    for _ in range(2):
        reported = UsageReported(5, 3, cached_tokens=4, reasoning_tokens=2, points=7)
        house.poe.enqueue(TextDelta("Hello"), reported, Finished())
    answer = await complete(house, n=2, stream=stream, stream_options={"include_usage": True})
    assert (answer.chunks[-1] if stream else answer.json)["usage"] == {
        "prompt_tokens": 10,
        "completion_tokens": 6,
        "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 4},
        "estimated": False,
        "points": 14,
        "points_estimated": False,
    }


async def test_stop_and_limit_are_kept_for_the_web(house: House) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    house.poe.enqueue(TextDelta("one two STOP three"), Hang())
    answer = await complete(house, stop=["STOP"])
    assert answer.json["choices"][0] == {"text": "one two ", "index": 0, "logprobs": None, "finish_reason": "stop"}
    house.poe.enqueue(TextDelta("x" * 100), Hang())
    answer = await complete(house, max_tokens=2)
    assert answer.json["choices"][0]["text"] == "x" * 8
    assert answer.json["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_before_the_first_word_is_an_error_response(house: House, stream: bool) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.CONTENT_REFUSED))
    answer = await complete(house, stream=stream, echo=True)
    assert (answer.status, answer.error["code"]) == (400, "content_filter")


async def test_a_failure_later_ends_the_stream_with_an_error(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("Hel"), poe_error(ErrorCode.CONNECTION_FAILED))
    answer = await complete(house, stream=True)
    assert answer.chunks[-1]["error"]["code"] == "upstream_error"
    assert "[DONE]" not in answer.events


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": [[1]]}, "prompt"),
        ({"prompt": ["a"] * 21}, "prompt"),
        ({"prompt": ["a"] * 20, "n": 2}, "n"),
        ({"n": 0}, "n"),
        ({"suffix": "end"}, "suffix"),
        ({"logprobs": 3}, "logprobs"),
        ({"best_of": 3}, "best_of"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": [1]}, "stop"),
        ({"temperature": 5}, "temperature"),
        ({"stream": "yes"}, "stream"),
    ],
)
async def test_what_is_wrong_is_refused(house: House, body: dict[str, Any], param: str) -> None:
    await house.add_account()
    answer = await complete(house, **body)
    assert (answer.status, answer.error["param"]) == (400, param)
    assert not house.poe.requests


async def test_a_prompt_over_the_window_is_refused_before_any_account_is_asked(house: House) -> None:
    await house.store.put_config("models", {"models": [{"id": "Small", "context_length": 1000}]})
    await house.add_account()
    answer = await complete(house, model="small", prompt=["short", "long " * 3000])
    assert (answer.status, answer.error["code"]) == (400, "context_length_exceeded")
    assert not house.poe.requests


@pytest.mark.parametrize("stream", [True, False])
async def test_what_the_answering_account_is_not_told_is_reported(house: House, stream: bool) -> None:
    await house.add_account("cookie", AccountKind.WEB)
    fields = {"temperature": 0.5, "seed": 7, "logit_bias": {"1": -100}, "presence_penalty": 0, "tools": [], "n": 2}
    answer = await complete(house, stream=stream, **fields)
    assert answer.headers["x-gateway-ignored"] == "logit_bias, seed, temperature, tools"
    assert all(request.parameters == {} for request in house.poe.requests)


async def test_a_bots_own_options_reach_it(house: House) -> None:
    await house.add_account()
    answer = await complete(house, parameters={"mood": "merry"})
    assert "x-gateway-ignored" not in answer.headers
    assert house.poe.requests[0].parameters == {"mood": "merry"}


async def test_a_model_that_makes_no_text_is_refused(house: House) -> None:
    answer = await complete(house, model="dall-e-3")
    assert (answer.status, answer.error["code"]) == (400, "unsupported_endpoint")
