"""`langchain-openai`, as published: streams, tools, structured output, over both of OpenAI's chat surfaces."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel
from reporting import API_KEY, BASE, PIXEL, announce, check

announce("langchain-openai")


def model(name: str = "Assistant", **options: Any) -> ChatOpenAI:
    given = {"base_url": BASE, "api_key": API_KEY, "max_retries": 0, "timeout": 30} | options
    return ChatOpenAI(model=name, **given)


@tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Snow in {city}"


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


CALL = '[[call: get_weather {"city": "Oslo"}]]'


@check("invoke, with usage")
def _() -> None:
    answer = model().invoke([SystemMessage("Be brief."), HumanMessage("[[say: good day]]")])
    assert answer.content == "good day"
    assert answer.usage_metadata["total_tokens"] > 0
    assert answer.response_metadata["finish_reason"] == "stop"


@check("stream, with usage")
def _() -> None:
    chunks = list(model(stream_usage=True).stream("[[say: one two three]]"))
    assert "".join(chunk.content for chunk in chunks) == "one two three"
    assert sum(chunk.usage_metadata["total_tokens"] for chunk in chunks if chunk.usage_metadata) > 0


@check("stream in a loop")
def _() -> None:
    async def collect() -> str:
        return "".join([chunk.content async for chunk in model().astream("[[say: one two three]]")])

    assert asyncio.run(collect()) == "one two three"


@check("batch")
def _() -> None:
    answers = model(max_retries=5).batch([f"[[say: {number}]]" for number in range(4)])
    assert [answer.content for answer in answers] == ["0", "1", "2", "3"]


@check("tools: call, result, answer")
def _() -> None:
    chat = model().bind_tools([get_weather])
    first = chat.invoke(CALL)
    assert [call["args"] for call in first.tool_calls] == [{"city": "Oslo"}]
    result = ToolMessage(get_weather.invoke(first.tool_calls[0]["args"]), tool_call_id=first.tool_calls[0]["id"])
    assert "Snow in Oslo" in chat.invoke([HumanMessage(CALL), first, result]).content


@check("tools: streamed, in parallel, one of them without arguments")
def _() -> None:
    @tool
    def get_time() -> str:
        """The time."""
        return "noon"

    whole: Any = None
    for chunk in model().bind_tools([get_weather, get_time]).stream(f"{CALL} [[call: get_time {{}}]]"):
        whole = chunk if whole is None else whole + chunk
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [
        ("get_weather", {"city": "Oslo"}),
        ("get_time", {}),
    ]
    assert len({call["id"] for call in whole.tool_calls}) == 2


@check("structured output by schema")
def _() -> None:
    assert isinstance(model("Structured").with_structured_output(Person, method="json_schema").invoke("Who?"), Person)


@check("structured output by a function")
def _() -> None:
    found = model("ToolCaller").with_structured_output(Person, method="function_calling").invoke("Who?")
    assert isinstance(found, Person)


@check("an image to look at")
def _() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    answer = model("GPT-5.2").invoke([HumanMessage([{"type": "text", "text": "What is it?"}, image])])
    assert "[" in answer.content


@check("the Responses API, streamed and not")
def _() -> None:
    chat = model(use_responses_api=True)
    assert chat.invoke("[[say: good day]]").text == "good day"
    assert "".join(chunk.text for chunk in chat.stream("[[say: one two]]")) == "one two"
    assert chat.bind_tools([get_weather]).invoke(CALL).tool_calls[0]["args"] == {"city": "Oslo"}


@check("a conversation with an assistant's turn")
def _() -> None:
    turns = [HumanMessage("Hi"), AIMessage("Hello"), HumanMessage("[[say: again]]")]
    assert model().invoke(turns).content == "again"


@check("an error of the right class")
def _() -> None:
    try:
        model(api_key="wrong").invoke("Hi")
    except openai.AuthenticationError as error:
        assert error.code == "invalid_api_key"
    else:
        raise AssertionError("nothing was raised")
