"""The gateway over the real web client and the Poe simulator: what scripts assume of Poe holds against it, too."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from accounts import AccountKind
from gateway.bootstrap import build_services
from gateway.settings import Settings
from local.poe_web import PoeWebSimulator
from local.poe_web.answers import Prompt, Snapshot, growing
from local.poe_web.bots import Bot
from reverse.chat import PoeClient
from reverse.config import PoeConfig
from reverse.credentials import WebCredentials
from reverse.web import PoeWebClient
from tests.gateway.scripted import Answer, House

COOKIE = "cookie-of-the-test-account"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


def calculator(prompt: Prompt) -> list[Snapshot]:
    """Calls `add`, wrongly at first; tells the result when it has one."""
    result = re.search(r"tool result for call \S+ of add\n(\d+)", prompt.text)
    if result:
        return growing(f"It is {result[1]}.")
    opening = re.findall(r'<tool_calls mark="\w+">', prompt.text)[-1]
    arguments = {"a": 1, "b": 2} if "can't be made" in prompt.text else {"a": 1}
    return growing(f"Let me add.\n{opening}\n{json.dumps([{'name': 'add', 'arguments': arguments}])}\n</tool_calls>")


@pytest.fixture
async def simulator() -> AsyncIterator[PoeWebSimulator]:
    async with PoeWebSimulator(pace_seconds=0.0, answer_delay_seconds=0.0) as running:
        running.add_account(COOKIE)
        running.bots.add(Bot(9001, "Calculator", calculator))
        yield running


@pytest.fixture
async def real(environment: dict[str, str], simulator: PoeWebSimulator) -> AsyncIterator[House]:
    """A house whose clients are real."""
    config = PoeConfig(web_base_url=simulator.base_url, channel_url=simulator.channel_url)

    def make(kind: AccountKind, credentials: Mapping[str, str], session: Mapping[str, Any] | None) -> PoeClient:
        return PoeWebClient(WebCredentials.from_mapping(credentials), config, session)

    house = House(Settings.from_env(environment))
    house.services = build_services(house.settings, store=house.store, make_client=make, journal=house.services.journal)
    await house.add_key()
    await house.add_account(COOKIE, AccountKind.WEB)
    yield house
    await house.services.aclose()
    assert not house.store.held


def message_of(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    message: dict[str, Any] = answer.json["choices"][0]["message"]
    return message


async def test_a_tool_loop_with_a_correction(real: House, simulator: PoeWebSimulator) -> None:
    messages: list[Any] = [{"role": "user", "content": "1 + 2?"}]
    body = {"model": "Calculator", "messages": messages, "tools": [TOOL], "metadata": {"session_id": "s"}}
    message = message_of(await real.call(body=body))
    assert message["content"] == "Let me add."
    (call,) = message["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"a": 1, "b": 2}
    messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "3"}]
    assert message_of(await real.call(body=body))["content"] == "It is 3."
    assert len(simulator.account(COOKIE).chats) == 1, "one chat for all of it"


async def test_a_session_goes_on_and_is_rebuilt_when_its_chat_is_gone(real: House, simulator: PoeWebSimulator) -> None:
    account = simulator.account(COOKIE)
    messages: list[Any] = []
    body = {"model": "Echo", "messages": messages, "metadata": {"session_id": "s"}}

    async def say(text: str) -> str:
        messages.append({"role": "user", "content": text})
        message = message_of(await real.call(body=body))
        messages.append(message)
        return str(message["content"])

    assert await say("one") == "You said: one"
    assert await say("two") == "You said: two"
    assert len(account.chats) == 1
    account.chats.clear()
    told = await say("three")
    assert all(word in told for word in ("one", "two", "three"))
    assert len(account.chats) == 1
    assert await say("four") == "You said: four"


async def test_structured_output_and_files(real: House, simulator: PoeWebSimulator) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"required": ["a"]}}}
    text = '[[say: Sure: {"a": [1, 2]} ]]'
    body = {"model": "Assistant", "messages": [{"role": "user", "content": text}], "response_format": form}
    assert message_of(await real.call(body=body))["content"] == '{"a": [1, 2]}'
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n12345678").decode()
    parts = [{"type": "text", "text": "see"}, {"type": "image_url", "image_url": {"url": f"data:;base64,{png}"}}]
    body = {"model": "Echo", "messages": [{"role": "user", "content": parts}]}
    for _ in range(2):
        assert "image.png (image/png, 16 bytes)" in message_of(await real.call(body=body))["content"]
    uploads = [record for record in simulator.requests if record.path == "/api/finish_upload_POST"]
    assert len(uploads) == 1, "the same file is sent once"
