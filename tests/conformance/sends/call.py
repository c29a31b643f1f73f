"""One call of one client, left to its own retries: `python call.py CLIENT SITUATION`. Prints how it ended."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

BASE, KEY, MODEL = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"], os.environ["MODEL"]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": PARAMETERS}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
EXTRA: dict[str, dict[str, Any]] = {
    "tool": {"tools": [WEATHER], "tool_choice": "required"},
    "json": {"response_format": FORMAT},
}
MESSAGES: list[Any] = [{"role": "user", "content": "Hi"}]


def openai_python(situation: str) -> None:
    """The official SDK."""
    import openai

    client = openai.OpenAI(base_url=BASE, api_key=KEY)
    if situation == "image":
        client.images.generate(model=MODEL, prompt="a cat")
        return
    client.chat.completions.create(model=MODEL, messages=MESSAGES, **EXTRA.get(situation, {}))


def anthropic_python(situation: str) -> None:
    """The official SDK."""
    import anthropic

    client = anthropic.Anthropic(base_url=BASE.removesuffix("/v1"), api_key=KEY)
    tools: Any = [{"name": "weather", "description": "Weather", "input_schema": PARAMETERS}]
    given: Any = {"tools": tools, "tool_choice": {"type": "any"}} if situation == "tool" else {}
    client.messages.create(model=MODEL, max_tokens=100, messages=MESSAGES, **given)


def langchain_openai(situation: str) -> None:
    """LangChain for Python."""
    from langchain_openai import ChatOpenAI

    ChatOpenAI(model=MODEL, base_url=BASE, api_key=KEY).invoke("Hi", **EXTRA.get(situation, {}))


def litellm(situation: str) -> None:
    """As a client, with the number of retries that its documentation shows."""
    import litellm as client

    client.completion(
        f"openai/{MODEL}", messages=MESSAGES, api_base=BASE, api_key=KEY, num_retries=2, **EXTRA.get(situation, {})
    )


def main() -> None:
    """Call, and say how it ended."""
    # The waits between the client's tries are skipped.
    time.sleep = lambda _seconds: None  # noqa: TID251
    name, situation = sys.argv[1:]
    try:
        globals()[name](situation)
        print("answered")
    except Exception as error:  # noqa: BLE001 - each client has errors of its own
        print(type(error).__name__, getattr(error, "status_code", ""))


if __name__ == "__main__":
    main()
