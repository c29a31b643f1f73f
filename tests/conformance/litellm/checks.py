"""`litellm` as a client, as published: the gateway as its `openai/` provider."""

from __future__ import annotations

import asyncio
import os
from typing import Any

# Its table of prices is also in the package; nothing is fetched.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm
from reporting import API_KEY, BASE, PIXEL, announce, check

announce("litellm")
litellm.suppress_debug_info = True
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(content: Any, model: str = "Assistant", **more: Any) -> Any:
    options = {"api_base": BASE, "api_key": API_KEY, "timeout": 30, "max_retries": 0} | more
    return litellm.completion(model=f"openai/{model}", messages=[{"role": "user", "content": content}], **options)


@check("a completion, with usage")
def _() -> None:
    answer = ask("[[say: good day]]")
    assert answer.choices[0].message.content == "good day"
    assert answer.usage.total_tokens > 0


@check("a streamed completion, with usage")
def _() -> None:
    chunks = list(ask("[[say: one two three]]", stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two three"
    assert litellm.stream_chunk_builder(chunks).usage.total_tokens > 0


@check("a stream in a loop")
def _() -> None:
    async def collect() -> str:
        stream = await litellm.acompletion(
            model="openai/Assistant",
            messages=[{"role": "user", "content": "[[say: one two]]"}],
            stream=True,
            api_base=BASE,
            api_key=API_KEY,
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert asyncio.run(collect()) == "one two"


@check("tool calls, streamed and not")
def _() -> None:
    prompt = '[[call: get_weather {"city": "Oslo"}]]'
    whole = ask(prompt, tools=[TOOL])
    streamed = litellm.stream_chunk_builder(list(ask(prompt, tools=[TOOL], stream=True)))
    for answer in (whole, streamed):
        (call,) = answer.choices[0].message.tool_calls
        assert (call.function.name, call.function.arguments.replace(" ", "")) == ("get_weather", '{"city":"Oslo"}')
        assert answer.choices[0].finish_reason == "tool_calls"


@check("reasoning beside the text")
def _() -> None:
    message = ask("Why?", "Reasoner").choices[0].message
    assert "Thinking" in message.reasoning_content
    assert "Thinking" not in message.content


@check("an image to look at")
def _() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}
    assert "[" in ask([{"type": "text", "text": "What is it?"}, image], "GPT-5.2").choices[0].message.content


@check("a structured answer")
def _() -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    assert '"age"' in ask("Who?", "Structured", response_format=wanted).choices[0].message.content


@check("the Responses API")
def _() -> None:
    answer = litellm.responses(model="openai/Assistant", input="[[say: good day]]", api_base=BASE, api_key=API_KEY)
    assert answer.output[0].content[0].text == "good day"


@check("an image made")
def _() -> None:
    answer = litellm.image_generation(
        model="openai/GPT-Image-1", prompt="A red square", api_base=BASE, api_key=API_KEY, timeout=30
    )
    assert answer.data[0].b64_json or answer.data[0].url


@check("errors of the right class")
def _() -> None:
    for kind, options in (
        (litellm.AuthenticationError, {"api_key": "wrong"}),
        (litellm.BadRequestError, {"top_p": "x"}),
    ):
        try:
            ask("Hi", **options)
        except kind:
            continue
        raise AssertionError(f"no {kind.__name__}")
