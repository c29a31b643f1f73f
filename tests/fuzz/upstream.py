"""Answers of a hostile upstream: on the wire of the documented API, and as the events of any client."""

from __future__ import annotations

import json
from contextlib import suppress
from random import Random
from typing import Any

from local.poe_official import Scenario
from local.poe_official.faults import HttpError
from reverse.errors import ErrorCode, poe_error
from reverse.events import (
    ChatStarted,
    FileAttached,
    Finished,
    FinishReason,
    ReasoningDelta,
    ReasoningSigned,
    RefusalDelta,
    SuggestedReply,
    TextDelta,
    TextReplaced,
    ToolCallDelta,
    UrlCited,
    UsageReported,
)
from tests.contract.recorded import streamed
from tests.fuzz.bodies import changed

_TEXTS = (
    "Hello", " there", "{", '{"a": "x"}', '{"a": "x", "b": 1} {"a": ', "*Thinking...*\n\n> Hm {}\nx\n\n", "<think>",
    "</think>", "```json\n", "[[1]](https://example.org/x)", "END", "\n\n", "\ud83d", "\ude00", "\x00", "> ", "a" * 500,
    "", '<tool_call>\n{"name": "f", "arguments": {"a": "x"}}\n</tool_call>', "Thinking... (2s elapsed)",
    "![i](https://pfst.cf2.poecdn.net/base/image/ab?w=1&h=1)",
)  # fmt: skip
_ARGUMENTS = ("{}", '{"a": "x"}', '{"a":', '"', "", "[]", "null", "{" * 150, '{"input": "te', 'xt"}')
_NAMES = ("f", "g", "p", "ns__h", "no such", "")


def events(random: Random) -> list[Any]:
    """The steps of one answer, of which some are nonsense; most end with a finish or an error."""
    steps: list[Any] = [ChatStarted(1, "code")] if random.random() < 0.2 else []
    steps += [_event(random) for _ in range(random.randrange(8))]
    match random.randrange(10):
        case 0:
            steps.append(poe_error(random.choice([*ErrorCode]), "simulated", operation="fuzz"))
        case 1:
            pass  # it just ends
        case _:
            steps.append(Finished(random.choice([FinishReason.STOP, FinishReason.STOP, *FinishReason])))
    return steps


def _event(random: Random) -> Any:
    text = random.choice(_TEXTS[:12] + _TEXTS[14:]) or "x"
    index = random.randrange(3)
    opened = ToolCallDelta(index, random.choice(_ARGUMENTS), f"c{random.randrange(4)}", random.choice(_NAMES))
    number = random.choice([None, 0, 1, 10**9])
    return random.choice(
        [
            TextDelta(text),
            TextDelta(text),
            TextDelta(text),
            TextReplaced(text),
            RefusalDelta(text),
            ReasoningDelta(text),
            ReasoningSigned("c2ln", is_redacted=random.random() < 0.3),
            UrlCited("https://example.org/x", random.choice([None, "X"]), number, random.choice([None, 0, 5, 10**9])),
            opened,
            opened,
            ToolCallDelta(index, random.choice(_ARGUMENTS), extra_content=random.choice([None, {"google": {}}])),
            FileAttached(random.choice(["https://example.org/f", "data:image/png;base64,AA==", "x"])),
            SuggestedReply("Why?"),
            UsageReported(number, number, number, number, number),
        ]
    )


_WHOLE: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "id": "chatcmpl-1",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hello there",
                    "reasoning_content": "Hm.",
                    "annotations": [{"type": "url_citation", "url_citation": {"url": "https://example.org/x"}}],
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "f", "arguments": '{"a": "x"}'},
                            "extra_content": {"google": {"thought_signature": "c2ln"}},
                        }
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7},
    },
    "/v1/responses": {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": "Hello", "annotations": [{"type": "url_citation", "url": "u"}]}
                ],
            },
            {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a": "x"}'},
        ],
        "usage": {"input_tokens": 7, "output_tokens": 5},
    },
    "/v1/messages": {
        "id": "req_poe_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "text", "text": "Hello"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": "x"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 5},
    },
}
_ERRORS: tuple[dict[str, Any], ...] = (
    {"error": {"message": "Unsupported value: 'low'", "type": "invalid_request_error"}},
    {"error": {"message": "no", "type": "rate_limit_error", "code": 429}},
    {"error": "text"},
    {"error": None},
    {},
)


def answers(random: Random) -> list[Scenario]:
    """What the simulated API says next: whole or streamed answers with changed places, or none at all."""
    return [Scenario(_answer(random)) for _ in range(random.randrange(4))]


def _answer(random: Random) -> HttpError:
    if random.random() < 0.2:
        status = random.choice([200, 302, 400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 529])
        after = random.choice([None, 0.0, 1e9])
        body = json.dumps(random.choice(_ERRORS))
        return HttpError(status, body=body, content_type="application/json", retry_after=after)
    endpoint = random.choice([*_WHOLE])
    body = json.loads(json.dumps(_WHOLE[endpoint]))
    text = random.choice(_TEXTS)
    if endpoint == "/v1/chat/completions":
        body["choices"][0]["message"]["content"] = text
    if random.random() < 0.3:
        for _ in range(random.randrange(4)):
            body = changed(body, random)
        return HttpError(200, body=json.dumps(body), content_type="application/json")
    frames = streamed(endpoint, body).split("\n\n")
    return HttpError(200, body=_spoilt(frames, random), content_type="text/event-stream")


def _spoilt(frames: list[str], random: Random) -> str:
    for _ in range(random.randrange(5)):
        at = random.randrange(len(frames))
        match random.randrange(6):
            case 0:
                del frames[at]
            case 1:
                frames.insert(at, frames[at])
            case 2:
                random.shuffle(frames)
            case 3:
                frames.insert(
                    at, random.choice(["data: [DONE]", "data: {not json", ": ping", "event: x", "data:", "\x00"])
                )
            case _:
                head, mark, data = frames[at].partition("data: ")
                with suppress(ValueError):
                    frames[at] = head + mark + json.dumps(changed(json.loads(data), random))
        if not frames:
            break
    return "\n\n".join([*frames, random.choice(["data: [DONE]", ""]), ""])
