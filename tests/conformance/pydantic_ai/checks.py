"""Pydantic AI, as published: agents over both of OpenAI's chat surfaces and Anthropic's."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput, PromptedOutput, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from reporting import API_KEY, BASE, PIXEL, announce, check

announce("pydantic-ai-slim")

OPENAI = OpenAIProvider(base_url=BASE, api_key=API_KEY)
ANTHROPIC = AnthropicProvider(base_url=os.environ["GATEWAY_URL"], api_key=API_KEY)
MODELS: dict[str, Callable[[str], Model]] = {
    "responses": lambda name: OpenAIResponsesModel(name, provider=OPENAI),
    "chat": lambda name: OpenAIChatModel(name, provider=OPENAI),
    "messages": lambda name: AnthropicModel(name, provider=ANTHROPIC),
}
CALL = '[[call: get_weather {"city": "Oslo"}]]'


class Person(BaseModel):
    name: str
    age: int


def get_weather(city: str) -> str:
    """Weather of a city."""
    return f"Snow in {city}"


for surface, model in MODELS.items():

    @check(f"{surface}: an answer, with usage")
    def _(model: Callable[[str], Model] = model) -> None:
        result = Agent(model("Assistant"), instructions="Be brief.").run_sync("[[say: good day]]")
        assert result.output == "good day"
        assert result.usage.output_tokens > 0

    @check(f"{surface}: a stream")
    def _(model: Callable[[str], Model] = model) -> None:
        result = Agent(model("Assistant")).run_stream_sync("[[say: one two three]]")
        assert "".join(result.stream_text(delta=True)) == "one two three"

    @check(f"{surface}: a tool, streamed and not")
    def _(model: Callable[[str], Model] = model) -> None:
        agent = Agent(model("Assistant"), tools=[get_weather])
        assert "Snow in Oslo" in agent.run_sync(CALL).output
        assert "Snow in Oslo" in "".join(agent.run_stream_sync(CALL).stream_text(delta=True))

    @check(f"{surface}: an output type as a tool")
    def _(model: Callable[[str], Model] = model) -> None:
        assert isinstance(Agent(model("ToolCaller"), output_type=ToolOutput(Person)).run_sync("Who?").output, Person)

    @check(f"{surface}: an output type in a prompt")
    def _(model: Callable[[str], Model] = model) -> None:
        agent = Agent(model("Assistant"), output_type=PromptedOutput(Person))
        assert agent.run_sync('[[say: {"name": "Ada", "age": 36}]]').output == Person(name="Ada", age=36)

    @check(f"{surface}: a picture")
    def _(model: Callable[[str], Model] = model) -> None:
        name = "Claude-Sonnet-4.5" if model is MODELS["messages"] else "GPT-5.2"
        picture = BinaryContent(base64.b64decode(PIXEL), media_type="image/png")
        assert "[" in Agent(model(name)).run_sync(["What is it?", picture]).output

    @check(f"{surface}: a history with a tool's result")
    def _(model: Callable[[str], Model] = model) -> None:
        agent = Agent(model("Assistant"), tools=[get_weather])
        first = agent.run_sync(CALL)
        second = agent.run_sync("[[say: and then]]", message_history=first.all_messages())
        assert second.output == "and then"

    @check(f"{surface}: an error in its words")
    def _(model: Callable[[str], Model] = model) -> None:
        try:
            Agent(model("No-Such-Bot")).run_sync("Hi")
        except ModelHTTPError as error:
            assert error.status_code == 404
        else:
            raise AssertionError("an unknown model answered")


for surface in ("responses", "chat"):

    @check(f"{surface}: an output type by a schema")
    def _(surface: str = surface) -> None:
        agent = Agent(MODELS[surface]("Structured"), output_type=NativeOutput(Person))
        assert isinstance(agent.run_sync("Who?").output, Person)
