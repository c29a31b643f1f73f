"""The addresses of Anthropic's API at the gateway's door."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.http.errors import OVERLOADED, GatewayError
from gateway.surfaces.context import speaks_anthropic
from gateway.surfaces.messages.encoder import encode_error_event
from reverse.errors import ErrorCode, poe_error
from reverse.events import Finished, TextDelta
from tests.gateway.scripted import API_KEY, Answer, House, Pause

BODY: Any = {"model": "GPT-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
VERSION = {"anthropic-version": "2023-06-01"}


def shown(answer: Answer) -> tuple[int, str, str]:
    body = answer.json
    assert body["type"] == "error"
    assert body["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    return answer.status, body["error"]["type"], body["error"]["details"]["error_code"]


async def test_failures_have_anthropics_envelope_at_its_addresses(house: House) -> None:
    cases: list[tuple[dict[str, Any], tuple[int, str, str]]] = [
        ({"body": BODY, "key": None}, (401, "authentication_error", "invalid_api_key")),
        ({"method": "GET"}, (405, "invalid_request_error", "method_not_allowed")),
        ({"raw": b"{"}, (400, "invalid_request_error", "invalid_json")),
        ({"body": {"model": "m"}}, (400, "invalid_request_error", "missing_required_parameter")),
        ({"body": BODY, "headers": {"content-length": "99999999"}}, (413, "request_too_large", "request_too_large")),
        ({"body": BODY}, (503, "api_error", "no_accounts")),
    ]
    for call, expected in cases:
        assert shown(await house.call("/v1/messages", **call)) == expected
    assert shown(await house.call("/v1/messages/nothing", BODY)) == (404, "not_found_error", "not_found")


@pytest.mark.parametrize("is_streamed", [True, False])
async def test_a_field_that_the_upstream_blames_has_the_callers_name(house: House, is_streamed: bool) -> None:
    await house.add_account()
    for blamed, param in (("reasoning_effort", "output_config.effort"), ("messages[2].content", "messages")):
        house.poe.enqueue(poe_error(ErrorCode.INVALID_REQUEST, param=blamed))
        answer = await house.call("/v1/messages", BODY | {"stream": is_streamed})
        assert (answer.status, answer.json["error"]["details"]["param"]) == (400, param)


async def test_an_old_codename_is_known_although_no_list_has_the_bot(house: House) -> None:
    """Programs for the original gateway use Poe's own handles."""
    await house.store.put_config("models", {"models": [{"id": "Another"}]})
    await house.add_account()
    assert (await house.call("/v1/messages", BODY | {"model": "claude_2_1_cedar"})).status == 200
    assert house.poe.requests[0].bot == "Claude-3-Opus"


async def test_other_addresses_answer_in_the_callers_dialect(house: House) -> None:
    assert shown(await house.call("/v1/complete", BODY, headers=VERSION)) == (404, "not_found_error", "not_found")
    answer = await house.call("/v1/complete", BODY)
    assert answer.error["code"] == "not_found"
    assert "request-id" not in answer.headers


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("/messages", [], True),
        ("/messages/count_tokens", [], True),
        ("/messagesx", [], False),
        ("/models", [(b"anthropic-version", b"2023-06-01")], True),
        ("/models", [(b"authorization", b"x")], False),
    ],
)
def test_a_caller_is_known_by_address_or_header(path: str, headers: list[tuple[bytes, bytes]], expected: bool) -> None:
    assert speaks_anthropic(path, headers) is expected


async def test_an_overloaded_upstream_has_a_status_of_its_own() -> None:
    data = encode_error_event(GatewayError(OVERLOADED), "req_1")
    assert data.startswith(b"event: error\ndata: ")
    body = json.loads(data.partition(b"data: ")[2])
    assert (body["error"]["type"], body["request_id"]) == ("overloaded_error", "req_1")


async def test_the_address_works_with_and_without_its_version(house: House) -> None:
    await house.add_account()
    for path in ("/messages", "/v1/messages", "/v1/messages/"):
        answer = await house.call(path, BODY, key=None, headers={"x-api-key": API_KEY})
        assert answer.json["content"][0]["text"] == "Hello there"


async def test_what_is_left_out_is_listed_in_a_header(house: House) -> None:
    await house.add_account()
    for stream in (True, False):
        body = BODY | {"stream": stream, "metadata": {"user_id": "u"}, "tools": [{"type": "bash_1", "name": "bash"}]}
        answer = await house.call("/v1/messages", body)
        assert answer.headers["x-gateway-ignored"] == "metadata.user_id, tools[0]"
    assert "x-gateway-ignored" not in (await house.call("/v1/messages", BODY)).headers


async def test_a_key_may_use_only_its_models_here_too(house: House) -> None:
    await house.store.create_key(name="narrow", secret="sk-narrow-x4Kd9Qz2Wm7Bn5Rt8Vp3", models=("claude-*",))
    answer = await house.call("/v1/messages", BODY, key="sk-narrow-x4Kd9Qz2Wm7Bn5Rt8Vp3")
    assert shown(answer) == (403, "permission_error", "model_not_allowed")


async def test_every_piece_leaves_at_once_and_the_end_after_the_booking(house: House) -> None:
    await house.add_account()
    pause = Pause()
    house.poe.enqueue(TextDelta("a"), pause, TextDelta("b"), Finished())
    seen: list[tuple[bytes, int]] = []

    def note(answer: Answer, part: bytes) -> None:
        seen.append((part, len(house.store.released)))
        pause.event.set()

    await house.call("/v1/messages", BODY | {"stream": True}, on_part=note)
    assert seen[0][0].startswith(b"event: message_start")
    assert b'"text":"a"' in seen[0][0]
    assert seen[-1][0].endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert [booked for _, booked in seen][-1] == 1


async def test_the_deadline_ends_a_stream_with_an_error_event(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(TextDelta("a"), Pause())

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 60

    answer = await house.call("/v1/messages", BODY | {"stream": True}, scope={"aws.context": Context()})
    last = answer.body.rpartition(b"event: error\ndata: ")[2]
    assert json.loads(last)["error"]["type"] == "timeout_error"


async def test_a_prompt_is_counted_for_no_account_and_no_points(house: House) -> None:
    body = {name: value for name, value in BODY.items() if name != "max_tokens"}
    answer = await house.call("/v1/messages/count_tokens", body)
    assert answer.json["estimated"] is True
    assert answer.json["input_tokens"] > 0
    assert not house.poe.requests


async def test_a_prompt_that_is_too_long_has_anthropics_words(house: House) -> None:
    await house.add_account()
    house.poe.enqueue(poe_error(ErrorCode.MESSAGE_TOO_LONG, upstream_text="input is too long: 9 > 8"))
    answer = await house.call("/v1/messages", BODY)
    assert shown(answer) == (400, "invalid_request_error", "context_length_exceeded")
    assert answer.json["error"]["message"].startswith("prompt is too long: ")
    assert answer.json["error"]["message"].endswith("9 > 8")
