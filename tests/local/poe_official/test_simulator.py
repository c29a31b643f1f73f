"""The simulator by plain HTTP: keys, points, strictness, faults, steering from another process."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.bots import pieces, said, story
from local.poe_official.catalogue import CHAT, MESSAGES, RESPONSES, Model
from local.poe_official.faults import (
    FAULTS,
    DelayResponse,
    DropConnection,
    HttpError,
    NoPoints,
    PointsRunOut,
    StallStream,
)
from local.poe_official.scenarios import CATALOGUE, scenario_from_json
from local.poe_official.schema_instances import instance_of
from local.scenarios import UnknownScenario, scenario_to_json

KEY = "simulated-key"
REPOSITORY = Path(__file__).parents[3]


def body(model: str, text: str = "hi", **fields: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


async def chat(http: httpx.AsyncClient, model: str, text: str = "hi", **fields: object) -> httpx.Response:
    return await http.post("/v1/chat/completions", json=body(model, text, **fields))


async def test_an_unknown_key_is_refused_everywhere_but_at_the_list(http: httpx.AsyncClient) -> None:
    http.headers["Authorization"] = "Bearer wrong"
    assert (await http.get("/v1/models")).status_code == 200
    for method, path in (
        ("POST", "/v1/chat/completions"),
        ("GET", "/usage/current_balance"),
        ("GET", "/usage/points_history"),
        ("POST", "/bot/Echo"),
        ("POST", "/v1/images"),
        ("GET", "/v1/videos/x"),
    ):
        answer = await http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error"), path


VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("path", "fields", "place", "ending"),
    [
        ("chat/completions", {"max_tokens": 2}, "choices.0.finish_reason", "length"),
        ("chat/completions", {"max_completion_tokens": 2, "max_tokens": 9}, "choices.0.finish_reason", "length"),
        ("chat/completions", {"stop": [" w0003", "w0009"]}, "choices.0.finish_reason", "stop"),
        ("chat/completions", {"max_tokens": 99}, "choices.0.finish_reason", "stop"),
        ("responses", {"max_output_tokens": 2}, "incomplete_details.reason", "max_output_tokens"),
        ("messages", {"max_tokens": 2}, "stop_reason", "max_tokens"),
        ("messages", {"max_tokens": 9, "stop_sequences": [" w0003"]}, "stop_sequence", " w0003"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_ends_where_the_question_says(
    http: httpx.AsyncClient,
    simulator: PoeOfficialSimulator,
    path: str,
    fields: dict[str, object],
    place: str,
    ending: str,
    stream: bool,
) -> None:
    simulator.models["all"] = Model("All", story, listed=(CHAT, RESPONSES, MESSAGES))
    asked = body("All", "count 9", stream=stream, **fields)
    if path == "responses":
        asked["input"] = asked.pop("messages")
    text = (await http.post(f"/v1/{path}", json=asked, headers=VERSION)).text
    assert "w0002" in text
    assert ("w0004" in text) == (fields.get("max_tokens") == 99)
    if stream:
        assert ending in text
        return
    value = json.loads(text)
    for name in place.split("."):
        value = value[int(name) if name.isdigit() else name]
    assert value == ending


async def test_a_limit_of_nothing_is_refused(http: httpx.AsyncClient) -> None:
    answer = await chat(http, "Story", max_tokens=0)
    assert answer.status_code == 400
    assert "max_tokens" in answer.json()["error"]["message"]


async def test_keys_are_looked_for_where_each_endpoint_has_them(http: httpx.AsyncClient) -> None:
    asked = body("Claude-Messages", max_tokens=9)
    assert (await http.post("/v1/messages", json=asked)).status_code == 400
    assert (await http.post("/v1/messages", json=asked, headers=VERSION | {"x-api-key": KEY})).status_code == 200
    assert (await http.post("/v1/messages", json=asked, headers=VERSION | {"x-api-key": "wrong"})).status_code == 401
    for given in ({"Authorization": KEY}, {"Authorization": "", "x-api-key": KEY}):
        assert (await http.post("/v1/chat/completions", json=body("Echo"), headers=given)).status_code == 401


async def test_a_body_that_is_no_json_object_is_refused(http: httpx.AsyncClient) -> None:
    for content in (b"{", b"[]", b'"x"'):
        answer = await http.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_an_answer_costs_points_and_an_empty_account_is_refused(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator
) -> None:
    simulator.add_account(KEY, 30)
    statuses = [(await chat(http, "Story")).status_code for _ in range(3)]
    assert statuses == [200, 200, 402]
    assert simulator.account(KEY).left == 0


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"sharpness": 1}, "'sharpness'"),
        ({"aspect": "2:1"}, "Supported values are: '1:1'"),
        ({"n": 2}, "n must be 1"),
        ({"temperature": 3}, "'temperature'"),
        ({"stop": ["  "]}, "'stop'"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "'role'"),
    ],
)
async def test_a_refusal_has_words_and_neither_code_nor_field(
    http: httpx.AsyncClient, fields: dict[str, object], word: str
) -> None:
    answer = await chat(http, "Strict", **fields)
    error = answer.json()["error"]
    assert (answer.status_code, error.keys()) == (400, {"message", "type"})
    assert word in error["message"]


async def test_tools_of_a_model_without_are_refused_with_code_and_field(http: httpx.AsyncClient) -> None:
    answer = await chat(http, "Strict", tools=[{"type": "function", "function": {"name": "f"}}])
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, "model", "unsupported_feature_for_model")


async def test_declared_and_ignored_fields_pass(http: httpx.AsyncClient) -> None:
    answer = await chat(http, "Strict", aspect="1:1", seed=7, metadata={}, logit_bias={})
    assert (answer.status_code, answer.headers["x-poe-feature-active"]) == (200, "chat-completions-strict")


async def test_media_files_are_served(http: httpx.AsyncClient) -> None:
    for model, kind, magic in (("Painter", "image/png", b"\x89PNG"), ("Speaker", "audio/wav", b"RIFF")):
        text = (await chat(http, model)).json()["choices"][0]["message"]["content"]
        file = await http.get(re.findall(r"http://\S+$", text)[0])
        assert (file.status_code, file.headers["content-type"]) == (200, kind)
        assert file.content.startswith(magic)


async def test_scenarios_match_by_account_bot_and_path_and_are_used_up(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator
) -> None:
    simulator.enqueue(
        Scenario(HttpError(500), bot="echo", skip=1, times=1),
        Scenario(HttpError(501), account="someone else"),
        Scenario(HttpError(502), operation="/v1/models"),
    )
    statuses = [(await chat(http, "Echo")).status_code for _ in range(3)]
    assert statuses == [200, 500, 200]
    assert (await chat(http, "Story")).status_code == 200
    assert (await http.get("/v1/models")).status_code == 502


async def test_a_dropped_connection_is_a_reset_and_no_answer(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator
) -> None:
    simulator.enqueue(Scenario(DropConnection()))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await chat(http, "Echo")
    assert simulator.requests[-1].status is None


async def test_points_that_run_out_in_mid_stream_are_gone(
    http: httpx.AsyncClient, simulator: PoeOfficialSimulator
) -> None:
    simulator.enqueue(Scenario(PointsRunOut(3)))
    answer = await chat(http, "Echo", "a b c d", stream=True)
    assert "insufficient_points" in answer.text and "[DONE]" not in answer.text
    assert simulator.account(KEY).left == 0
    assert (await chat(http, "Echo")).status_code == 402


async def test_points_can_be_taken_before_an_answer(http: httpx.AsyncClient, simulator: PoeOfficialSimulator) -> None:
    simulator.enqueue(Scenario(NoPoints()))
    assert (await chat(http, "Echo")).status_code == 402


async def test_latency_pace_and_delay_take_their_time(http: httpx.AsyncClient, simulator: PoeOfficialSimulator) -> None:
    simulator.latency_seconds = 0.05
    simulator.settings.pace_seconds = 0.02
    simulator.enqueue(Scenario((DelayResponse(0.05), StallStream(1, 0.05))))
    started = time.monotonic()
    await chat(http, "Echo", "a b", stream=True)
    assert time.monotonic() - started >= 0.05 + 0.05 + 0.05 + 5 * 0.02


async def test_what_was_seen_and_sent_is_recorded(http: httpx.AsyncClient, simulator: PoeOfficialSimulator) -> None:
    await chat(http, "Echo", "a b", stream=True, stream_options={"include_usage": True})
    record = simulator.requests[-1]
    assert (record.account, record.model, record.status, record.completed) == (KEY, "Echo", 200, True)
    parts = [sent.part for sent in simulator.sent]
    assert parts == ["opening", *["content"] * 4, "finish", "usage", "done"]


async def test_steering_from_another_process(http: httpx.AsyncClient, simulator: PoeOfficialSimulator) -> None:
    scenario = {"faults": [{"type": "http_error", "status": 503, "retry_after": 2}], "times": 2, "bot": "Echo"}
    assert (await http.post("/_sim/scenarios", json=scenario)).status_code == 200
    answer = await chat(http, "Echo")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (await http.get("/_sim/scenarios")).json()[0]["times"] == 1
    assert (await http.delete("/_sim/scenarios")).json() == []
    assert (await http.post("/_sim/accounts", json={"api_key": "second", "points": 7})).status_code == 200
    assert simulator.account("second").left == 7
    assert (await http.patch("/_sim/settings", json={"pace_seconds": 0.5})).json()["pace_seconds"] == 0.5
    assert (await http.get("/_sim/requests")).json()[-1]["path"] == "/v1/chat/completions"
    assert (await http.get("/_sim/faults")).json()["cut_socket"] == ["at"]
    since = time.monotonic()
    await chat(http, "Echo", stream=True)
    sent = (await http.get("/_sim/sent", params={"since": since})).json()
    assert [frame["part"] for frame in sent] == ["opening", "content", "content", "content", "finish", "done"]
    assert since < sent[0]["time"] <= sent[-1]["time"] < time.monotonic()
    assert (await http.get("/_sim/sent", params={"since": time.monotonic()})).json() == []
    assert (await http.get("/_sim/sent", params={"since": "nonsense"})).status_code == 400
    page = await http.get("/")
    assert "simulated-key" in page.text and "cut_socket" in page.text
    assert (await http.post("/_sim/pick", data={"fault": "empty_body"})).status_code == 303
    assert (await chat(http, "Echo")).content == b""


@pytest.mark.parametrize(
    "given",
    [
        None,
        [7],
        {},
        {"faults": []},
        {"faults": ["no_such"]},
        {"faults": [{"type": "cut_socket", "at": "x"}]},
        {"faults": [{"type": "cut_socket", "when": 1}]},
        {"faults": ["empty_body"], "times": "many"},
        {"faults": ["empty_body"], "colour": "red"},
    ],
    ids=repr,
)
async def test_a_wrong_scenario_is_refused_with_a_reason(http: httpx.AsyncClient, given: object) -> None:
    answer = await http.post("/_sim/scenarios", json=given)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)


def test_every_fault_has_a_name_and_goes_through_json() -> None:
    assert set(CATALOGUE.by_name.values()) == set(FAULTS)
    for kind in FAULTS:
        scenario = Scenario((kind(),), times=3, bot="Echo")
        assert scenario_from_json(scenario_to_json(scenario)) == scenario


def test_an_unknown_scenario_says_what_there_is() -> None:
    with pytest.raises(UnknownScenario, match="cut_socket"):
        scenario_from_json({"faults": ["nonsense"]})


@pytest.mark.parametrize("text", ["", " ", "a", " a  b\n\nc ", "\n", "ä 漢字 x"])
def test_pieces_make_up_the_text(text: str) -> None:
    assert "".join(pieces(text)) == text


def test_what_to_say_is_the_last_and_keeps_inner_brackets() -> None:
    assert said("[[say: a]] then [[say: b [1] ]]") == "b [1]"
    assert said("nothing") is None


def test_an_instance_of_a_recursive_schema_ends() -> None:
    schema = {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}}}
    assert isinstance(instance_of(schema), dict)


async def test_it_runs_alone_until_it_is_told_to_stop() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "local.poe_official",
        "--port",
        "0",
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        found = re.search(r"http://\S+:\d+", line)
        assert found is not None
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{found[0]}/v1/models")).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
