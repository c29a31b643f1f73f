"""What Open WebUI and LibreChat ask of a server, as their sources have it: too large to install, so their requests.

Open WebUI: `backend/open_webui/routers/openai.py`, `images.py`, `audio.py`, `utils/task.py` (January 2026). LibreChat:
`packages/api/src/endpoints/openai/llm.ts` and `models.ts` (February 2026), which leave the rest to `@langchain/openai`.
"""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from reporting import API_KEY, BASE, PIXEL, check, say

say(client="Open WebUI, LibreChat", version="their sources")

OPEN_WEBUI = {
    "X-OpenWebUI-User-Name": "A%C3%A9 B",
    "X-OpenWebUI-User-Id": "c0ffee",
    "X-OpenWebUI-User-Email": "user@example.com",
    "X-OpenWebUI-User-Role": "admin",
    "X-OpenWebUI-Chat-Id": "chat-1",
}
LIBRECHAT = {"User-Agent": "OpenAI/JS 5.8.2", "X-Stainless-Lang": "js", "X-Stainless-Retry-Count": "0"}
TASK = "### Task:\nGenerate a concise, 3-5 word title with an emoji. JSON: {{ 'title': ... }}\n\n"


def send(path: str, body: dict[str, Any] | None, headers: dict[str, str]) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    given = {"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"{BASE}{path}", data=data, headers=given)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ask(path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
    status, data = send(path, body, headers)
    assert status == 200, (status, data[:300])
    return json.loads(data)


def stream(body: dict[str, Any], headers: dict[str, str]) -> tuple[str, dict[str, Any] | None]:
    """The text, and the usage if it came."""
    status, data = send("/chat/completions", {**body, "stream": True}, headers)
    assert status == 200, (status, data[:300])
    lines = [line[6:] for line in data.decode().split("\n") if line.startswith("data: ")]
    assert lines[-1] == "[DONE]"
    chunks = [json.loads(line) for line in lines[:-1]]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    return text, next((chunk["usage"] for chunk in reversed(chunks) if chunk.get("usage")), None)


@check("Open WebUI: the list of models")
def _() -> None:
    status, data = send("/models", None, OPEN_WEBUI)
    listed = json.loads(data)
    assert status == 200 and listed["object"] == "list"
    assert all(model["id"] and model["object"] == "model" and "owned_by" in model for model in listed["data"])


@check("Open WebUI: a chat with the parameters of its settings")
def _() -> None:
    body = {
        "model": "Assistant",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "[[say: one two]]"}],
        "stream_options": {"include_usage": True},
        "temperature": 0.8,
        "top_p": 0.9,
        "max_tokens": 400,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.1,
        "seed": 42,
        "stop": ["###"],
        "logit_bias": {"50256": -100},
        "reasoning_effort": "medium",
    }
    text, usage = stream(body, OPEN_WEBUI)
    assert text == "one two" and usage is not None and usage["completion_tokens"] > 0


@check("Open WebUI: a picture in a chat, by a data URL")
def _() -> None:
    parts = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    text, _ = stream({"model": "GPT-5.2", "messages": [{"role": "user", "content": parts}]}, OPEN_WEBUI)
    assert "[" in text


@check("Open WebUI: its own tools, with results as it sends them back")
def _() -> None:
    function = {"name": "get_time", "description": "Time", "parameters": {"type": "object", "properties": {}}}
    body = {"model": "Assistant", "tools": [{"type": "function", "function": function}]}
    asked = {"role": "user", "content": "[[call: get_time {}]]"}
    answer = ask("/chat/completions", {**body, "messages": [asked]}, OPEN_WEBUI)["choices"][0]["message"]
    [call] = answer["tool_calls"]
    # With an index in the call, as it keeps the ones of a stream.
    told = {"role": "assistant", "content": "", "tool_calls": [{**call, "index": 0}]}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "It is noon."}
    text, _ = stream({**body, "messages": [asked, told, result]}, OPEN_WEBUI)
    assert "It is noon." in text


@check("Open WebUI: a title, tags and follow-ups, each as a task that is not streamed")
def _() -> None:
    for limit in ({"max_tokens": 1000}, {"max_completion_tokens": 1000}):
        content = TASK + '[[say: { "title": "A title" }]]'
        body = {"model": "Assistant", "messages": [{"role": "user", "content": content}], "stream": False, **limit}
        answer = ask("/chat/completions", body, OPEN_WEBUI)
        assert json.loads(answer["choices"][0]["message"]["content"]) == {"title": "A title"}


@check("Open WebUI: an image, as base64")
def _() -> None:
    body = {"model": "Painter", "prompt": "A cat", "n": 1, "size": "512x512", "response_format": "b64_json"}
    [image] = ask("/images/generations", body, OPEN_WEBUI)["data"]
    assert base64.b64decode(image["b64_json"])


@check("Open WebUI: speech")
def _() -> None:
    status, data = send("/audio/speech", {"model": "Speaker", "input": "Hello", "voice": "alloy"}, OPEN_WEBUI)
    assert status == 200 and data


@check("Open WebUI: embeddings, which are not there, say so")
def _() -> None:
    status, data = send("/embeddings", {"model": "text-embedding-3-small", "input": ["text"]}, OPEN_WEBUI)
    assert status == 404 and json.loads(data)["error"]["message"]


@check("LibreChat: the list of models")
def _() -> None:
    status, data = send("/models", None, {"User-Agent": "axios/1.12"})
    assert status == 200 and "Assistant" in [model["id"] for model in json.loads(data)["data"]]


@check("LibreChat: a chat, with its user and usage")
def _() -> None:
    body = {
        "model": "Assistant",
        "messages": [{"role": "user", "content": "[[say: one two]]"}],
        "user": "65f0c0ffee",
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 500,
        "verbosity": "low",
        "reasoning_effort": "low",
    }
    text, usage = stream(body, LIBRECHAT)
    assert text == "one two" and usage is not None


@check("LibreChat: web search, which takes it to the Responses API")
def _() -> None:
    body = {
        "model": "Gemini-3-Pro",
        "input": [{"role": "user", "content": "[[say: found it]]"}],
        "tools": [{"type": "web_search"}],
        "stream": False,
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    answer = ask("/responses", body, LIBRECHAT)
    message = next(item for item in answer["output"] if item["type"] == "message")
    assert message["content"][0]["text"] == "found it"


@check("LibreChat: a title by a function that must be called")
def _() -> None:
    parameters = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    body = {
        "model": "Assistant",
        "messages": [{"role": "user", "content": '[[call: set_title {"title": "A title"}]]'}],
        "tools": [{"type": "function", "function": {"name": "set_title", "parameters": parameters}}],
        "tool_choice": {"type": "function", "function": {"name": "set_title"}},
        "parallel_tool_calls": False,
    }
    [call] = ask("/chat/completions", body, LIBRECHAT)["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"title": "A title"}
