"""The simulator answers in the recorded shapes, and refuses what providers refuse."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import httpx
import pytest

from local.poe_official import PoeOfficialSimulator
from local.poe_official.checks import thought_signature

TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
CALL_ME = '[[call: weather {"city": "Rome"}]]'
VERSION = {"anthropic-version": "2023-06-01"}


async def chat(http: httpx.AsyncClient, model: str, messages: Any, **fields: Any) -> httpx.Response:
    given = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
    return await http.post("/v1/chat/completions", json={"model": model, "messages": given, **fields})


async def test_the_list_has_the_size_and_the_kinds_of_the_real_one(http: httpx.AsyncClient) -> None:
    reply = await http.get("/v1/models")
    entries = [entry for entry in reply.json()["data"] if "created" in entry]
    assert len({entry["id"] for entry in entries}) == len(entries) == 361
    assert 500_000 < len(reply.content) < 750_000
    assert all(entry["id"] == entry["id"].lower() == entry["root"] for entry in entries)
    assert all(entry["created"] > 1e12 for entry in entries)
    kinds = Counter(",".join(entry["architecture"]["output_modalities"]) for entry in entries)
    assert kinds == {"text": 205, "image": 76, "video": 60, "audio": 16, "text,image": 4}
    counts = {
        "no endpoint": sum(not entry["supported_endpoints"] for entry in entries),
        "priced": sum(entry["pricing"] is not None for entry in entries),
        "by request": sum(bool((entry["pricing"] or {}).get("request")) for entry in entries),
        "small window": sum(0 < (entry["context_length"] or 0) <= 2048 for entry in entries),
    }
    real = {"no endpoint": 272, "priced": 183, "by request": 82, "small window": 36}
    assert all(0.8 * real[name] <= count <= 1.25 * real[name] for name, count in counts.items()), counts


async def test_parameters_declare_bounds_values_and_mostly_a_default(http: httpx.AsyncClient) -> None:
    entries = (await http.get("/v1/models")).json()["data"]
    declared = [parameter for entry in entries for parameter in entry.get("parameters", ())]
    assert {"minimum", "maximum", "type"} in [parameter["schema"].keys() for parameter in declared]
    assert any("enum" in parameter["schema"] for parameter in declared)
    assert 0 < sum("default_value" not in parameter for parameter in declared) < len(declared) / 4
    names = {parameter["name"] for parameter in declared}
    assert names >= {"reasoning_effort", "thinking_budget", "thinking_level", "output_effort", "enable_thinking"}


async def test_every_price_is_a_text_in_dollars_or_null(http: httpx.AsyncClient) -> None:
    for entry in (await http.get("/v1/models")).json()["data"]:
        for price in (entry.get("pricing") or {}).values():
            assert price is None or re.fullmatch(r"\d+\.\d+", price), entry


@pytest.mark.parametrize("stream", [False, True])
async def test_a_gemini_call_is_signed_and_wants_its_signature_back(http: httpx.AsyncClient, stream: bool) -> None:
    reply = await chat(http, "Gemini-3-Pro", CALL_ME, tools=[TOOL], stream=stream)
    chunks = [line[6:] for line in reply.text.splitlines() if line.startswith("data: {")] or [reply.text]
    choices = [json.loads(chunk)["choices"][0] for chunk in chunks]
    calls = [call for one in choices for call in one.get("delta", one.get("message")).get("tool_calls", ())]
    call_id = calls[0]["id"]
    assert calls[0]["extra_content"] == {"google": {"thought_signature": thought_signature(call_id)}}
    whole = {"id": call_id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": call_id, "content": "sunny"}

    def talk(call: Any) -> list[Any]:
        return [{"role": "user", "content": CALL_ME}, {"role": "assistant", "tool_calls": [call]}, result]

    refused = await chat(http, "Gemini-3-Pro", talk(whole))
    assert (refused.status_code, "thought_signature" in refused.text) == (400, True)
    wrong = whole | {"extra_content": {"google": {"thought_signature": "AAAA"}}}
    assert (await chat(http, "Gemini-3-Pro", talk(wrong))).status_code == 400
    signed = whole | {"extra_content": calls[0]["extra_content"]}
    assert (await chat(http, "Gemini-3-Pro", talk(signed))).status_code == 200


async def test_a_call_has_no_completion_tokens_and_details_are_one_providers(http: httpx.AsyncClient) -> None:
    called = (await chat(http, "GPT-5.2", CALL_ME, tools=[TOOL])).json()
    assert called["usage"].keys() == {"prompt_tokens", "completion_tokens", "total_tokens"}
    assert called["usage"]["completion_tokens"] == 0
    assert called["choices"][0]["message"]["content"] == ""
    said = (await chat(http, "GPT-5.2", "hello")).json()
    assert "completion_tokens_details" in said["usage"]
    assert "completion_tokens_details" not in (await chat(http, "Grok-4", "hello")).json()["usage"]


async def test_an_image_is_a_link_with_a_query_and_the_prompt_for_its_name(http: httpx.AsyncClient) -> None:
    for model in ("GPT-Image-1", "GPT-Image-1.5", "Painter"):
        reply = (await chat(http, model, "a [red] house")).json()
        content = reply["choices"][0]["message"]["content"]
        found = re.fullmatch(
            r"!\[a \[red\] house\.png\]\((http://\S+/base/image/[0-9a-f]{64}\?w=1024&h=1024)\)\n\n\1", content
        )
        assert found is not None, content
        assert (await http.get(found[1])).content.startswith(b"\x89PNG")


async def test_thinking_may_be_kept_in_the_text(http: httpx.AsyncClient) -> None:
    text = (await chat(http, "Muser", "hello")).json()["choices"][0]["message"]["content"]
    assert text.startswith("*Thinking...*\n\n> ") and text.endswith("\n\nAnswer: hello")
    plain = (await chat(http, "Muser", "hello", enable_thinking=False)).json()["choices"][0]["message"]["content"]
    assert plain == "Answer: hello"


async def test_whole_answers_are_compressed_for_clients_that_accept_it(http: httpx.AsyncClient) -> None:
    body = {"model": "Echo", "messages": [{"role": "user", "content": "hi"}]}
    compressed = await http.post("/v1/chat/completions", json=body, headers={"accept-encoding": "gzip"})
    assert (compressed.headers["content-encoding"], compressed.json()["object"]) == ("gzip", "chat.completion")
    plain = await http.post("/v1/chat/completions", json=body, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    ("model", "fields", "word"),
    [
        ("Assistant", {"reasoning_effort": "high"}, "Supported values are: 'medium'."),
        ("Claude-Sonnet-4.5", {"thinking_budget": 64_000}, "maximum of 31999"),
        ("Claude-Sonnet-4.5", {"thinking_budget": -1}, "minimum of 0"),
        ("Claude-Sonnet-4.5", {"thinking_budget": "much"}, "expected a number"),
        ("Claude-Sonnet-4.5", {"web_search": 1}, "expected a boolean"),
        ("Claude-Sonnet-4.5", {"temperature": 0.5, "top_p": 0.9}, "cannot both be specified"),
        ("Claude-Sonnet-4.5", {"max_tokens": 40_000}, "maximum allowed number of output tokens"),
        ("Gemini-3-Pro", {"thinking_level": "medium"}, "'low', 'high'"),
        ("Gemini-3-Pro", {"reasoning_effort": "low"}, "'reasoning_effort'"),
        ("Speaker", {"voice": "Alloy"}, "Supported values are: 'Sarah'"),
        ("Picky", {"temperature": 0.5}, "'temperature'"),
        ("Picky", {"stop": ["END"]}, "'stop'"),
        ("Picky", {"response_format": {"type": "json_object"}}, "'response_format'"),
    ],
)
async def test_options_are_held_against_the_declarations(
    http: httpx.AsyncClient, model: str, fields: dict[str, Any], word: str
) -> None:
    answer = await chat(http, model, "hi", **fields)
    assert (answer.status_code, answer.json()["error"].keys()) == (400, {"message", "type"})
    assert word in answer.json()["error"]["message"]


async def test_a_prompt_beyond_the_window_is_refused_but_not_by_media_models(http: httpx.AsyncClient) -> None:
    refused = await chat(http, "GPT-4o", "w " * 128_001)
    assert (refused.status_code, "prompt is too long" in refused.text) == (400, True)
    assert (await chat(http, "Painter", "w " * 600)).status_code == 200


CALLS = {"role": "assistant", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f"}}]}
USER = {"role": "user", "content": "x"}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "r"}


@pytest.mark.parametrize(
    ("messages", "status"),
    [
        ([USER, CALLS, RESULT], 200),
        ([USER, CALLS, RESULT, USER, CALLS, RESULT], 200),
        ([USER, CALLS], 400),
        ([USER, CALLS, USER, RESULT], 400),
        ([USER, RESULT], 400),
        ([USER, CALLS, RESULT, RESULT], 400),
        ([USER, CALLS, RESULT | {"tool_call_id": "c2"}], 400),
    ],
)
async def test_chat_wants_results_right_behind_their_calls(
    http: httpx.AsyncClient, messages: list[Any], status: int
) -> None:
    assert (await chat(http, "Echo", messages)).status_code == status


USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]}
ANSWER = {"type": "tool_result", "tool_use_id": "c1", "content": "r"}
TEXT = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("content", "status"),
    [([ANSWER], 200), ([ANSWER, TEXT], 200), ([TEXT, ANSWER], 400), ([TEXT], 400), ([ANSWER, ANSWER], 200)],
)
async def test_messages_want_results_at_the_beginning_of_the_next_turn(
    http: httpx.AsyncClient, content: list[Any], status: int
) -> None:
    body = {"model": "Claude-Messages", "max_tokens": 9, "messages": [USER, USE, {"role": "user", "content": content}]}
    assert (await http.post("/v1/messages", json=body, headers=VERSION)).status_code == status


ITEM = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "r"}


@pytest.mark.parametrize(
    ("items", "status"), [([ITEM, OUTPUT], 200), ([ITEM, USER, OUTPUT], 200), ([ITEM], 400), ([OUTPUT], 400)]
)
async def test_responses_want_an_output_for_every_call(http: httpx.AsyncClient, items: list[Any], status: int) -> None:
    body = {"model": "GPT-5.2", "input": [USER, *items]}
    assert (await http.post("/v1/responses", json=body)).status_code == status


async def test_a_claude_answers_to_its_makers_names_and_counts_as_recorded(http: httpx.AsyncClient) -> None:
    marked = {"type": "text", "text": "one two three", "cache_control": {"type": "ephemeral"}}
    body = {"max_tokens": 9, "messages": [{"role": "user", "content": [marked]}]}
    for name in ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "Claude-Sonnet-4.5"):
        answer = (await http.post("/v1/messages", json=body | {"model": name}, headers=VERSION)).json()
        assert answer["model"] == "claude-sonnet-4-5-20250929"
    usage = answer["usage"]
    assert usage["cache_read_input_tokens"] == 3
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


async def test_an_unknown_model_is_unknown_under_every_name(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator
) -> None:
    for name in ("nonsense", "claude-sonnet-99"):
        assert (await chat(http, name, "hi")).status_code == 404
