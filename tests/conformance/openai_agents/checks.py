"""`openai-agents`, as published: agents with tools, handoffs and output types, over both of OpenAI's chat surfaces."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

# Traces would go to OpenAI.
os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"

import openai
from agents import (
    Agent,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    ReasoningItem,
    Runner,
    WebSearchTool,
    function_tool,
)
from openai.types.shared import Reasoning
from pydantic import BaseModel
from reporting import API_KEY, BASE, announce, check

announce("openai-agents")

Surface = type[OpenAIResponsesModel] | type[OpenAIChatCompletionsModel]
Ask = Callable[[str], Model]
Body = Callable[[Ask], Coroutine[Any, Any, None]]
CALL = '[[call: get_weather {"city": "Oslo"}]]'


class Person(BaseModel):
    name: str
    age: int


@function_tool
def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Snow in {city}"


async def run(surface: Surface, body: Body, api_key: str = API_KEY) -> None:
    async with openai.AsyncOpenAI(base_url=BASE, api_key=api_key, max_retries=0, timeout=30) as client:
        await body(lambda name: surface(model=name, openai_client=client))


def on(name: str, *surfaces: Surface) -> Callable[[Body], None]:
    """A check on these surfaces, each in a loop and with a client of its own; both if none is named."""

    def register(body: Body) -> None:
        for surface in surfaces or (OpenAIResponsesModel, OpenAIChatCompletionsModel):
            kind = "responses" if surface is OpenAIResponsesModel else "chat"
            check(f"{kind}: {name}")(lambda surface=surface: asyncio.run(run(surface, body)))

    return register


@on("an answer, with usage")
async def _(model: Ask) -> None:
    result = await Runner.run(Agent(name="a", instructions="Be brief.", model=model("Assistant")), "[[say: good day]]")
    assert result.final_output == "good day"
    assert result.context_wrapper.usage.total_tokens > 0


@on("a stream, with usage")
async def _(model: Ask) -> None:
    settings = ModelSettings(include_usage=True)
    result = Runner.run_streamed(Agent(name="a", model=model("Assistant"), model_settings=settings), "[[say: one two]]")
    deltas = [
        event.data.delta
        async for event in result.stream_events()
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
    ]
    assert "".join(deltas) == result.final_output == "one two"
    assert result.context_wrapper.usage.total_tokens > 0


@on("a tool: call, result, answer")
async def _(model: Ask) -> None:
    result = await Runner.run(Agent(name="a", tools=[get_weather], model=model("Assistant")), CALL)
    assert "Snow in Oslo" in result.final_output


@on("a tool on a stream")
async def _(model: Ask) -> None:
    result = Runner.run_streamed(Agent(name="a", tools=[get_weather], model=model("Assistant")), CALL)
    names = [event.name async for event in result.stream_events() if event.type == "run_item_stream_event"]
    assert names == ["tool_called", "tool_output", "message_output_created"], names
    assert "Snow in Oslo" in result.final_output


@on("a tool that must be called")
async def _(model: Ask) -> None:
    settings = ModelSettings(tool_choice="required", parallel_tool_calls=False)
    agent = Agent(name="a", tools=[get_weather], model=model("ToolCaller"), model_settings=settings)
    agent.tool_use_behavior = "stop_on_first_tool"
    assert (await Runner.run(agent, "Hi")).final_output.startswith("Snow in ")


@on("an output type")
async def _(model: Ask) -> None:
    result = await Runner.run(Agent(name="a", output_type=Person, model=model("Structured")), "Who?")
    assert isinstance(result.final_output, Person)


@on("a handoff")
async def _(model: Ask) -> None:
    other = Agent(name="other", model=model("Assistant"))
    agent = Agent(name="a", handoffs=[other], model=model("Assistant"))
    assert (await Runner.run(agent, "[[call: transfer_to_other {}]]")).last_agent is other


@on("visible reasoning")
async def _(model: Ask) -> None:
    settings = ModelSettings(reasoning=Reasoning(effort="high", summary="auto"))
    result = await Runner.run(Agent(name="a", model=model("Reasoner"), model_settings=settings), "Hi")
    assert any(isinstance(item, ReasoningItem) for item in result.new_items)


@on("an effort for a model that takes none")
async def _(model: Ask) -> None:
    settings = ModelSettings(reasoning=Reasoning(effort="high"))
    agent = Agent(name="a", model=model("Assistant"), model_settings=settings)
    assert (await Runner.run(agent, "[[say: good day]]")).final_output == "good day"


@on("a conversation that goes on by its items")
async def _(model: Ask) -> None:
    agent = Agent(name="a", tools=[get_weather], model=model("Assistant"))
    first = await Runner.run(agent, CALL)
    again = [*first.to_input_list(), {"role": "user", "content": "[[say: again]]"}]
    assert (await Runner.run(agent, again)).final_output == "again"


@on("a conversation that goes on by its id", OpenAIResponsesModel)
async def _(model: Ask) -> None:
    agent = Agent(name="a", model=model("Assistant"))
    first = await Runner.run(agent, "Hi")
    second = await Runner.run(agent, "[[say: again]]", previous_response_id=first.last_response_id)
    assert second.final_output == "again"


@on("web search beside a function: goes on without", OpenAIResponsesModel)
async def _(model: Ask) -> None:
    agent = Agent(name="a", tools=[WebSearchTool(), get_weather], model=model("Assistant"))
    assert "Snow in Oslo" in (await Runner.run(agent, CALL)).final_output


@on("web search alone: goes on without", OpenAIResponsesModel)
async def _(model: Ask) -> None:
    agent = Agent(name="a", tools=[WebSearchTool()], model=model("Assistant"))
    assert (await Runner.run(agent, "[[say: no search]]")).final_output == "no search"


@check("an error of the right class")
def _() -> None:
    async def ask(model: Ask) -> None:
        await Runner.run(Agent(name="a", model=model("Assistant")), "Hi")

    for surface in (OpenAIResponsesModel, OpenAIChatCompletionsModel):
        try:
            asyncio.run(run(surface, ask, api_key="wrong"))
        except openai.AuthenticationError as error:
            assert error.code == "invalid_api_key"
        else:
            raise AssertionError("nothing was raised")
