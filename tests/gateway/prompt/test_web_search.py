"""A hosted search of the web switches the model's own on, where it declares one; elsewhere it is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts import AccountKind
from gateway.prompt.chat_question import links_in
from reverse.events import Finished, TextDelta, UrlCited
from tests.gateway.prompt.test_required_calls import BODIES
from tests.gateway.scripted import Answer, House

HOSTED = {
    "/v1/chat/completions": "web_search",
    "/v1/responses": "web_search_preview",
    "/v1/messages": "web_search_20250305",
}
SWITCH = [{"name": "web_search", "schema": {"type": "boolean"}, "default_value": False}]


@pytest.mark.parametrize("kind", AccountKind)
@pytest.mark.parametrize("path", BODIES)
async def test_the_models_own_search_is_switched_on(house: House, path: str, kind: AccountKind) -> None:
    models = [{"id": "Searcher", "parameters": SWITCH}, {"id": "Plain"}]
    await house.store.put_config("models", {"models": models})
    await house.add_account(kind=kind)
    body: dict[str, Any] = {**BODIES[path], "tools": [{"type": HOSTED[path], "name": "web_search"}]}
    del body["tool_choice"]
    answer = await house.call(path, {"model": "Searcher", **body})
    assert answer.status == 200
    assert house.poe.requests[-1].parameters["web_search"] is True
    assert "x-gateway-ignored" not in answer.headers
    answer = await house.call(path, {"model": "Plain", **body})
    assert answer.headers["x-gateway-ignored"] == "tools[0]"
    assert "web_search" not in house.poe.requests[-1].parameters
    off = {**body, "model": "Searcher", "parameters": {"web_search": False}}
    await house.call(path, off)
    assert house.poe.requests[-1].parameters["web_search"] is False


CITED = "It rains [there](https://example.org/a_(b)). See [[1]](https://example.org/c), https://example.org/d."
LINKS = [
    ("https://example.org/a_(b)", "there", "[there](https://example.org/a_(b))"),
    ("https://example.org/c", "1", "[[1]](https://example.org/c)"),
    ("https://example.org/d", None, "https://example.org/d"),
]


async def searching(house: House, path: str, *script: Any, stream: bool = False, **fields: Any) -> Answer:
    await house.store.put_config("models", {"models": [{"id": "Searcher", "parameters": SWITCH}, {"id": "Plain"}]})
    await house.add_account()
    house.poe.enqueue(*script, Finished())
    body: dict[str, Any] = {**BODIES[path], "tools": [{"type": HOSTED[path], "name": "web_search"}], "stream": stream}
    del body["tool_choice"]
    return await house.call(path, {"model": "Searcher", **body, **fields})


def citations(answer: Answer, path: str, *, stream: bool) -> list[tuple[str, str | None, int, int]]:
    """Address, title and place of all annotations; Anthropic's API has no places."""
    found: list[dict[str, Any]] = []
    events = [json.loads(line[6:]) for line in answer.body.decode().splitlines() if line.startswith("data: {")]
    if path == "/v1/chat/completions" and stream:
        deltas = [choice["delta"] for event in events for choice in event["choices"]]
        found = [note["url_citation"] for delta in deltas for note in delta.get("annotations", ())]
    elif path == "/v1/chat/completions":
        found = [note["url_citation"] for note in answer.json["choices"][0]["message"]["annotations"]]
    elif path == "/v1/responses" and stream:
        found = [event["annotation"] for event in events if event["type"].endswith("annotation.added")]
        whole = [part["annotations"] for item in events[-1]["response"]["output"] for part in item["content"]]
        assert whole == [found]
    elif path == "/v1/responses":
        found = [note for item in answer.json["output"] for part in item["content"] for note in part["annotations"]]
    elif stream:
        deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
        found = [delta["citation"] for delta in deltas if delta["type"] == "citations_delta"]
    else:
        found = [note for block in answer.json["content"] for note in block["citations"]]
    return [(one["url"], one["title"], one.get("start_index", 0), one.get("end_index", 0)) for one in found]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", BODIES)
async def test_what_a_search_cites_comes_as_annotations(house: House, path: str, stream: bool) -> None:
    own = UrlCited("https://example.org/own", "Own", 0, 8, quote="rain")
    answer = await searching(house, path, TextDelta("It rains"), own, TextDelta(" there."), stream=stream)
    places = (0, 0) if path == "/v1/messages" else (0, 8)
    assert citations(answer, path, stream=stream) == [("https://example.org/own", "Own", *places)]
    # Also where no search was asked for.
    house.poe.enqueue(own, TextDelta("It rains"), Finished())
    body = {**BODIES[path], "tool_choice": None, "model": "Plain", "stream": stream, "tools": []}
    assert citations(await house.call(path, body), path, stream=stream) == [("https://example.org/own", "Own", *places)]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", BODIES)
async def test_without_a_form_for_them_the_links_of_a_search_are_its_citations(
    house: House, path: str, stream: bool
) -> None:
    answer = await searching(house, path, *map(TextDelta, [CITED[:30], CITED[30:]]), stream=stream)
    found = citations(answer, path, stream=stream)
    assert [url for url, *_ in found] == [url for url, *_ in LINKS]
    if path != "/v1/messages":
        assert [(title, CITED[start:end]) for _, title, start, end in found] == [
            (title or url, place) for url, title, place in LINKS
        ]
    house.poe.enqueue(TextDelta(CITED), Finished())
    body = {**BODIES[path], "tool_choice": None, "model": "Plain", "stream": stream, "tools": []}
    assert b"url_citation" not in (await house.call(path, body)).body


CHOICES: dict[str, list[Any]] = {
    "/v1/chat/completions": ["required", {"type": "web_search"}],
    "/v1/responses": ["required", {"type": "web_search_preview"}],
    "/v1/messages": [{"type": "any"}, {"type": "tool", "name": "web_search"}],
}


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("path", BODIES)
async def test_a_choice_may_demand_a_search_where_the_model_has_one(house: House, path: str, named: bool) -> None:
    choice = CHOICES[path][named]
    answer = await searching(house, path, TextDelta("Rain."), tool_choice=choice)
    assert answer.status == 200, answer.body
    assert house.poe.requests[-1].parameters["web_search"] is True
    assert house.poe.requests[-1].tool_choice is None
    refused = await searching(house, path, tool_choice=choice, model="Plain")
    assert (refused.status, len(house.poe.requests)) == (400, 1)
    assert b"none of 'tools' is offered" in refused.body


@pytest.mark.parametrize("stream", [True, False])
async def test_the_option_of_chat_completions_is_a_hosted_search(house: House, stream: bool) -> None:
    path = "/v1/chat/completions"
    fields = {"tools": [], "web_search_options": {"search_context_size": "low"}}
    answer = await searching(house, path, TextDelta(CITED), stream=stream, **fields)
    assert house.poe.requests[-1].parameters["web_search"] is True
    assert "x-gateway-ignored" not in answer.headers
    assert len(citations(answer, path, stream=stream)) == len(LINKS)
    plain = await searching(house, path, model="Plain", **fields)
    assert plain.headers["x-gateway-ignored"] == "web_search_options"


@pytest.mark.parametrize("text", ["", "no link", "![image](https://example.org/x)", "[x](ftp://y)", "[](", "https://"])
def test_what_is_no_link_is_no_citation(text: str) -> None:
    assert not [link for link in links_in(text) if "image" not in text]
