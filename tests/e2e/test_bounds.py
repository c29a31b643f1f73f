"""Work that models and callers cause, at sizes within the limits: everything goes on meanwhile."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

SIZE = 64 * 1024
WRITE_FILE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "write_file",
        "parameters": {
            "type": "object",
            "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
            "required": ["path", "content"],
        },
    },
}
BEGINNING = '[{"name": "write_file", "arguments": {"path": "a.py", "content": "'


def source_code() -> str:
    """Of this project, as a model writes it into a call: escaped, cut in the middle.

    The simulator sends one snapshot of the whole text for each word, so most spaces are written as their escape.
    """
    code = (Path(__file__).parents[2] / "functions/gateway/prompt/tool_protocol.py").read_text(encoding="utf-8")
    escaped = json.dumps(code)[1:-1].replace(" ", "\\u0020").replace("]]", "]\\u005d")
    return (escaped * (SIZE // len(escaped) + 1))[:SIZE]


CUT_CALLS = {
    "escaped quotes": BEGINNING + '\\"' * (SIZE // 2),
    "source code": BEGINNING + source_code(),
    "closing tags": BEGINNING + "</tool_calls>" * (SIZE // 13),
    "nested": BEGINNING + "ok" + '","a":[' * (SIZE // 7),
}


def wide_tool(properties: int) -> dict[str, Any]:
    names = {f"property_{number}": {"type": "string"} for number in range(properties)}
    return {"type": "function", "function": {"name": "wide", "parameters": {"type": "object", "properties": names}}}


def ask(said: str, **more: Any) -> dict[str, Any]:
    # A bot of the web simulator that says what it is told to.
    return {"model": "Puppet", "messages": [{"role": "user", "content": f"[[say:{said}]]"}], **more}


@pytest.mark.parametrize("name", CUT_CALLS)
def test_a_cut_tool_call_is_answered(web_only, name: str) -> None:
    """As text, because it can't be read; the watchdog sees that the loop was free meanwhile."""
    said = CUT_CALLS[name]
    with web_only.openai().chat.completions.create(**ask(said, tools=[WRITE_FILE], stream=True)) as stream:
        chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == said
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("name", ["escaped quotes", "source code"])
def test_a_call_that_must_be_made_and_is_cut_is_an_error_within_the_deadline(web_only, name: str) -> None:
    """It is asked for once more, and then given up; the keep-alive is kept until then."""
    body = ask(CUT_CALLS[name], tools=[WRITE_FILE], tool_choice="required", stream=True)
    reply = httpx.post(
        f"{web_only.url}/v1/chat/completions",
        headers={"Authorization": f"Bearer {web_only.api_key}"},
        json=body,
        timeout=60,
    )
    assert "tool_call_missing" in reply.text or "invalid_tool_call" in reply.text


def test_a_long_prompt_and_a_long_list_are_read_while_others_are_served(stack) -> None:
    """At the sizes that a request may have, beside requests that have nothing to do with them."""
    long = "The quick brown fox. " * (4_300_000 // 21)
    hi = [{"role": "user", "content": "Hi"}]
    bodies = [
        {"model": "GPT-4o", "messages": [{"role": "user", "content": long}]},
        {"model": "GPT-4o", "messages": [{"role": "user", "content": f"Turn {number}"} for number in range(4000)]},
        {"model": "GPT-4o", "messages": hi, "metadata": {"a": [[0]] * 1_050_000}},
        {"model": "GPT-4o", "messages": hi, "metadata": {"a": ["\ud83d"] * 300_000}},
        {"model": "GPT-4o", "messages": hi, "tools": [wide_tool(1000) for _ in range(100)]},
    ]
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    statuses: list[int] = []

    def post(body: dict[str, Any]) -> None:
        reply = httpx.post(
            f"{stack.url}/v1/chat/completions",
            headers=headers,
            content=json.dumps(body, separators=(",", ":")),
            timeout=60,
        )
        statuses.append(reply.status_code)

    threads = [threading.Thread(target=post, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(statuses) == len(bodies)
    assert set(statuses) <= {200, 400, 429}, statuses
