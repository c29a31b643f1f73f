"""Answers in recorded shapes through the client, over a socket: those of this project, and real ones where they are.

Recordings of the real API are no part of the project. Where a folder `shared/data/poe-recorded` lies beside it, or
beside a folder above it, they are played as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.poe_official import PoeOfficialSimulator, Scenario
from local.poe_official.faults import HttpError
from reverse.chat import ChatRequest, Message
from reverse.errors import ErrorCode, PoeError
from reverse.events import (
    Event,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    UsageReported,
)
from reverse.official import PoeOfficialClient, Route

OWN = json.loads((Path(__file__).parents[2] / "data" / "poe_answers.json").read_text("utf-8"))["answers"]
ROUTES = {
    "/v1/chat/completions": Route.CHAT_WHOLE,
    "/v1/responses": Route.RESPONSES,
    "/v1/messages": Route.MESSAGES,
}


def recorded() -> dict[str, Any]:
    """Real recordings by file name; none where the folder is not there."""
    folders = [parent / "shared" / "data" / "poe-recorded" for parent in Path(__file__).parents]
    found = next((folder for folder in folders if folder.is_dir()), None)
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(found.glob("*.json"))} if found else {}


REAL = recorded()


async def play(client: PoeOfficialClient, simulator: PoeOfficialSimulator, record: dict[str, Any]) -> list[Event]:
    """What the client makes of an answer, asked with the options that it was recorded with."""
    asked = record["request"].get("body", record["request"])
    answer = record["response"]
    simulator.enqueue(
        Scenario(HttpError(answer["status"], body=json.dumps(answer["body"]), content_type="application/json"))
    )
    parameters = {name: asked[name] for name in ("reasoning_effort",) if name in asked}
    on_chat = record["endpoint"] == "/v1/chat/completions"
    request = ChatRequest(
        asked["model"],
        [Message("user", "as recorded")],
        tools=asked.get("tools", ()) if on_chat else (),
        response_format=asked.get("response_format"),
        parameters=parameters,
        max_tokens=asked.get("max_tokens"),
    )
    events = client.stream(request, route=ROUTES[record["endpoint"]])
    return [event async for event in events]


class Expected:
    """What the body of an answer says, read by other means than the client's."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.calls: list[tuple[str, str, Any, Any]] = []
        if "choices" in body:
            self._chat(body["choices"][0]["message"])
        for item in body.get("output", ()):
            self._item(item)
        for block in body.get("content", ()):
            self._block(block)

    def _chat(self, message: dict[str, Any]) -> None:
        self.texts.append(message["content"])
        self.thoughts.append(message.get("reasoning_content", ""))
        for call in message.get("tool_calls", ()):
            function = call["function"]
            arguments = json.loads(function["arguments"])
            self.calls.append((call["id"], function["name"], arguments, call.get("extra_content")))

    def _item(self, item: dict[str, Any]) -> None:
        if item["type"] == "message":
            self.texts += [part["text"] for part in item["content"]]
        elif item["type"] == "reasoning":
            self.thoughts += [part["text"] for part in item["summary"]]
        else:
            self.calls.append((item["call_id"], item["name"], json.loads(item["arguments"]), None))

    def _block(self, block: dict[str, Any]) -> None:
        if block["type"] == "text":
            self.texts.append(block["text"])
        elif block["type"] == "thinking":
            self.thoughts.append(block["thinking"])
        else:
            self.calls.append((block["id"], block["name"], block["input"], None))


def check(events: list[Event], body: dict[str, Any]) -> None:
    """The events say what the body says, no less and no more."""
    expected = Expected(body)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "".join(expected.texts)
    assert "".join(event.text for event in events if isinstance(event, ReasoningDelta)) == "".join(expected.thoughts)
    opened = [event for event in events if isinstance(event, ToolCallDelta)]
    calls = [(call.id, call.name, json.loads(call.arguments or "{}"), call.extra_content) for call in opened]
    assert calls == expected.calls
    reason = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
    assert events[-1] == Finished(reason)
    files = [event for event in events if isinstance(event, FileAttached)]
    links = [text for text in expected.texts if "poecdn.net" in text]
    assert [file.url for file in files] == [text.rsplit("\n", 1)[-1] for text in links]
    check_usage(events, body["usage"])


def check_usage(events: list[Event], usage: dict[str, Any]) -> None:
    """All that was counted is told, and nothing that was not."""
    (reported,) = [event for event in events if isinstance(event, UsageReported)]
    read = usage.get("prompt_tokens", usage.get("input_tokens"))
    read += usage.get("cache_read_input_tokens", 0) + usage.get("cache_creation_input_tokens", 0)
    written = usage.get("completion_tokens", usage.get("output_tokens"))
    assert reported.prompt_tokens == read
    assert reported.completion_tokens == (written or None)


@pytest.mark.parametrize("name", [name for name, one in OWN.items() if one["response"]["status"] == 200])
async def test_an_answer_in_a_recorded_shape_is_read_as_it_is(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, name: str
) -> None:
    check(await play(client, simulator, OWN[name]), OWN[name]["response"]["body"])


@pytest.mark.parametrize(
    ("name", "code", "param"),
    [
        ("refused value", ErrorCode.UNSUPPORTED_FEATURE, "reasoning_effort"),
        ("refused tools", ErrorCode.UNSUPPORTED_FEATURE, "model"),
    ],
)
async def test_a_refusal_in_a_recorded_shape_names_what_was_refused(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, name: str, code: ErrorCode, param: str
) -> None:
    with pytest.raises(PoeError) as caught:
        await play(client, simulator, OWN[name])
    assert (caught.value.code, caught.value.param, caught.value.status) == (code, param, 400)


@pytest.mark.parametrize("name", REAL or [pytest.param("", marks=pytest.mark.skip(reason="no shared/data here"))])
async def test_real_recordings_are_read_as_they_are(
    client: PoeOfficialClient, simulator: PoeOfficialSimulator, name: str
) -> None:
    answer = REAL[name]["response"]
    if answer["status"] == 200:
        check(await play(client, simulator, REAL[name]), answer["body"])
        return
    with pytest.raises(PoeError) as caught:
        await play(client, simulator, REAL[name])
    assert caught.value.code is ErrorCode.UNSUPPORTED_FEATURE
    assert caught.value.param in ("reasoning_effort", "model")
