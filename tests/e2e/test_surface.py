"""Each endpoint once as the SDKs for Python use it, strictly read, through the emulated Function URL."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, Literal

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.e2e.conftest import RunningStack

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TWO_CALLS = '[[call: get_weather {"city": "Oslo"}]] [[call: get_time {"city": "Rome"}]]'


class Person(BaseModel):
    name: str
    age: int
    tags: list[Literal["a", "b"]]


def ask(content: Any) -> Any:
    return [{"role": "user", "content": content}]


def tool(name: str) -> Any:
    return {"type": "function", "function": {"name": name, "parameters": CITY}}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, start_stack: Callable[..., RunningStack]) -> Iterator[RunningStack]:
    """One of its own, in which the official account answers, whatever became of it in other tests."""
    running = start_stack(tmp_path_factory.mktemp("surface") / "state")
    try:
        for label, account in running.accounts().items():
            if label.startswith("sample-web"):
                running.admin("POST", f"/accounts/{account['id']}/disable")
        yield running
    finally:
        assert running.stop() == 0, running.output.read_text()


@pytest.fixture
def client(stack: RunningStack) -> openai.OpenAI:
    return stack.openai()


def test_parallel_tool_calls_and_their_results(client):
    tools = [tool("get_weather"), tool("get_time")]
    given = {"model": "Assistant", "tools": tools}
    whole = client.chat.completions.create(messages=ask(TWO_CALLS), **given)
    with client.chat.completions.stream(messages=ask(TWO_CALLS), **given) as stream:
        streamed = stream.get_final_completion()
    for completion in (whole, streamed):
        message = completion.choices[0].message
        assert completion.choices[0].finish_reason == "tool_calls"
        found = [(call.function.name, json.loads(call.function.arguments)["city"]) for call in message.tool_calls]
        assert found == [("get_weather", "Oslo"), ("get_time", "Rome")]
        assert len({call.id for call in message.tool_calls}) == 2
        results = [{"role": "tool", "tool_call_id": call.id, "content": "Snow"} for call in message.tool_calls]
        turns = [*ask(TWO_CALLS), {"role": "assistant", "tool_calls": _plain(message.tool_calls)}, *results]
        answer = client.chat.completions.create(messages=turns, **given).choices[0].message
        assert "Snow" in (answer.content or "")


def _plain(calls: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in calls
    ]


def test_structured_output_is_parsed_streamed_and_not(client):
    given = {"model": "Structured", "messages": ask("Who?"), "response_format": Person}
    whole = client.chat.completions.parse(**given)
    with client.chat.completions.stream(**given) as stream:
        streamed = stream.get_final_completion()
    assert all(isinstance(each.choices[0].message.parsed, Person) for each in (whole, streamed))


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ("GPT-5.2", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}),
        (
            "Assistant",
            {"type": "file", "file": {"filename": "notes.txt", "file_data": "data:text/plain;base64,bm90ZXM="}},
        ),
    ],
    ids=["image", "file"],
)
def test_what_goes_with_a_message_reaches_the_model(client, model, part):
    completion = client.chat.completions.create(
        model=model, messages=ask([{"type": "text", "text": "What is it?"}, part])
    )
    assert "What is it?" in completion.choices[0].message.content
    assert "[" in completion.choices[0].message.content, "the simulated model names what it was given in brackets"


def test_a_response_is_kept_continued_and_deleted(client):
    first = client.responses.create(model="Assistant", input="[[say: good day]]", instructions="Be brief.")
    assert (first.output_text, first.status) == ("good day", "completed")
    assert client.responses.retrieve(first.id).output_text == "good day"
    assert len(client.responses.input_items.list(first.id).data) == 1
    second = client.responses.create(model="Assistant", input="And?", previous_response_id=first.id)
    assert "And?" in second.output_text
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_a_response_is_streamed_with_the_helper_and_with_a_functions_output(client):
    function: Any = {"type": "function", "name": "get_weather", "strict": False, "parameters": CITY}
    question = ask('[[call: get_weather {"city": "Oslo"}]]')
    with client.responses.stream(model="Assistant", input=question, tools=[function]) as stream:
        numbers = [event.sequence_number for event in stream]
        response = stream.get_final_response()
    assert numbers == list(range(len(numbers)))
    [call] = [item for item in response.output if item.type == "function_call"]
    assert json.loads(call.arguments) == {"city": "Oslo"}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Snow"}
    answer = client.responses.create(
        model="Assistant", input=[output], previous_response_id=response.id, tools=[function]
    )
    assert "Snow" in answer.output_text


def test_a_response_is_parsed(client):
    response = client.responses.parse(model="Structured", input="Who?", text_format=Person)
    assert isinstance(response.output_parsed, Person)


def test_an_image_is_made_and_edited(client):
    made = client.images.generate(model="GPT-Image-1", prompt="A red square", response_format="b64_json")
    assert made.data and len(base64.b64decode(made.data[0].b64_json or "")) > 50
    linked = client.images.generate(model="GPT-Image-1", prompt="A red square", response_format="url")
    assert linked.data and (linked.data[0].url or "").startswith("http")
    edited = client.images.edit(
        model="Painter", image=("pixel.png", base64.b64decode(PIXEL)), prompt="Bluer", response_format="b64_json"
    )
    assert edited.data and edited.data[0].b64_json


def test_a_model_is_found_by_its_name_in_any_case(client):
    ids = [model.id for model in client.models.list()]
    assert len({name.lower() for name in ids}) == len(ids) > 10
    assert client.models.retrieve(ids[0].upper()).id == ids[0]


def test_anthropics_sdk_streams_text_and_uses_a_tool(stack):
    tools: Any = [{"name": "get_weather", "input_schema": CITY}]
    with anthropic.Anthropic(base_url=stack.url, api_key=stack.api_key, max_retries=0, timeout=30) as client:
        with client.messages.stream(model="Assistant", max_tokens=500, messages=ask("[[say: one two]]")) as stream:
            assert "".join(stream.text_stream) == "one two"
        message = client.messages.create(
            model="Assistant", max_tokens=500, messages=ask('[[call: get_weather {"city": "Oslo"}]]'), tools=tools
        )
        assert message.stop_reason == "tool_use"
        assert [block.input for block in message.content if block.type == "tool_use"] == [{"city": "Oslo"}]
        assert client.messages.count_tokens(model="Assistant", messages=ask("How many are there?")).input_tokens > 3
