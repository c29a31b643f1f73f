"""Tools of a response: namespaces are told in one name and taken apart again; what can't be offered is reported."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts import AccountKind
from gateway.prompt.tool_specs import ToolSpecs
from gateway.surfaces.responses.tools import ToolFields, full_name, read_tools, tool_specs
from reverse.events import Finished, TextDelta, ToolCallDelta
from tests.gateway.scripted import House
from tests.gateway.surfaces.responses.test_route import events_of

PATH = "/v1/responses"
F: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}
CRM: dict[str, Any] = {
    "type": "namespace",
    "name": "crm",
    "description": "Customers",
    "tools": [F | {"name": "find"}, {"type": "custom", "name": "query"}],
}
HOSTED: dict[str, Any] = {"type": "web_search", "external_web_access": True}


def offered(choice: Any = None, *tools: Any) -> ToolSpecs:
    body = ToolFields({"tools": list(tools), "tool_choice": choice})
    return tool_specs(body, read_tools(body))


def test_what_can_not_be_offered_is_left_out_and_named_where_functions_remain() -> None:
    tools = read_tools(ToolFields({"tools": [HOSTED, F, CRM]}))
    assert [function["name"] for function in tools.functions] == ["f", "crm__find", "crm__query"]
    assert set(tools.dropped) == {"tools[0]", "tools[2].description"}
    assert [tool["name"] for tool in tools.shown] == ["f", "crm"]


async def test_a_request_with_nothing_else_is_answered_without_tools(house: House) -> None:
    await house.add_account()
    server_search = {"type": "tool_search", "execution": "server"}
    answer = await house.call(PATH, {"model": "GPT-5", "input": "Hi", "tools": [HOSTED, server_search]})
    assert (answer.status, answer.headers["x-gateway-ignored"]) == (200, "tools[0], tools[1]")
    assert house.poe.requests[0].tools == ()


@pytest.mark.parametrize(("namespace", "name"), [(None, "a"), ("n", "n__a"), ("mcp__n__", "mcp__n__a")])
def test_full_names(namespace: str | None, name: str) -> None:
    assert full_name(namespace, "a") == name


def test_a_function_of_a_namespace_can_be_chosen() -> None:
    chosen = offered({"type": "function", "name": "find", "namespace": "crm"}, F, CRM).choice
    assert chosen == {"type": "function", "function": {"name": "crm__find"}}
    among = {"type": "allowed_tools", "mode": "required", "tools": [HOSTED, {"type": "function", "name": "f"}]}
    allowed = offered(among, F, CRM, HOSTED)
    assert allowed.choice == "required"
    assert [tool["function"]["name"] for tool in allowed.tools] == ["f"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_into_a_namespace_goes_round(house: House, stream: bool) -> None:
    await house.add_account()
    house.poe.enqueue(
        ToolCallDelta(0, '{"a":1}', "call_1", "crm__find"), ToolCallDelta(1, "{}", "call_2", "f"), Finished()
    )
    body = {"model": "GPT-5", "input": "Hi", "tools": [F, CRM, HOSTED], "stream": stream}
    answer = await house.call(PATH, body)
    assert [tool["function"]["name"] for tool in house.poe.requests[0].tools] == [
        "f",
        "crm__find",
        "crm__query",
    ]
    assert answer.headers["x-gateway-ignored"] == "tools[1].description, tools[2]"
    response = events_of(answer)[-1]["response"] if stream else answer.json
    first, second = response["output"]
    assert (first["namespace"], first["name"], first["arguments"]) == ("crm", "find", '{"a":1}')
    assert "namespace" not in second

    result = {"type": "function_call_output", "call_id": "call_1", "output": "found"}
    again = {**body, "previous_response_id": response["id"], "input": [result]}
    assert (await house.call(PATH, again)).status == 200
    (call, _) = house.poe.requests[1].messages[1].tool_calls
    assert call.name == "crm__find"


PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Edits files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"},
}


@pytest.mark.parametrize("kind", [AccountKind.OFFICIAL, AccountKind.WEB])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_custom_tool_is_called_with_its_text(house: House, stream: bool, kind: AccountKind) -> None:
    await house.add_account(kind=kind)
    if kind is AccountKind.OFFICIAL:
        house.poe.enqueue(
            ToolCallDelta(0, "", "call_1", "apply_patch"),
            ToolCallDelta(0, '{"input": "*** Begin\\n'),
            ToolCallDelta(0, '+ \\u00e9"}'),
            Finished(),
        )
    else:
        house.poe.enqueue(TextDelta('[{"name": "apply_patch", "arguments": {"input": "*** Begin\\n+ é"}}]'), Finished())
    body = {"model": "GPT-5", "input": "Hi", "tools": [PATCH], "stream": stream}
    answer = await house.call(PATH, body)
    events = events_of(answer) if stream else []
    response = events[-1]["response"] if stream else answer.json
    (call,) = response["output"]
    assert (call["type"], call["name"], call["input"]) == ("custom_tool_call", "apply_patch", "*** Begin\n+ é")
    assert "arguments" not in call
    if stream:
        pieces = [event["delta"] for event in events if event["type"] == "response.custom_tool_call_input.delta"]
        assert "".join(pieces) == call["input"]
        (done,) = [event for event in events if event["type"] == "response.custom_tool_call_input.done"]
        assert done["input"] == call["input"]

    result = {"type": "custom_tool_call_output", "call_id": call["call_id"], "output": "Done."}
    for history in ([{"role": "user", "content": "Hi"}, call, result], [result]):
        more = {} if len(history) > 1 else {"previous_response_id": response["id"]}
        assert (await house.call(PATH, {**body, **more, "input": history})).status == 200
        request = house.poe.requests[-1]
        if kind is AccountKind.OFFICIAL:
            assert json.loads(request.messages[1].tool_calls[0].arguments) == {"input": "*** Begin\n+ é"}
            assert request.messages[2].tool_call_id == call["call_id"]
        else:
            assert "*** Begin" in request.messages[0].text


@pytest.mark.parametrize("stream", [True, False])
async def test_tools_that_are_found_by_the_callers_search_can_be_called(house: House, stream: bool) -> None:
    await house.add_account()
    search = {"type": "tool_search", "execution": "client", "parameters": {"type": "object", "properties": {"q": {}}}}
    house.poe.enqueue(ToolCallDelta(0, '{"q":"crm"}', "call_1", "tool_search"), Finished())
    body = {"model": "GPT-5", "input": "Hi", "tools": [search], "stream": stream}
    answer = await house.call(PATH, body)
    response = events_of(answer)[-1]["response"] if stream else answer.json
    (call,) = response["output"]
    assert call | {"id": ""} == {
        "id": "",
        "type": "tool_search_call",
        "status": "completed",
        "execution": "client",
        "call_id": "call_1",
        "arguments": {"q": "crm"},
    }
    found = {"type": "tool_search_output", "call_id": "call_1", "execution": "client", "tools": [CRM]}
    house.poe.enqueue(ToolCallDelta(0, "{}", "call_2", "crm__find"), Finished())
    again = {**body, "previous_response_id": response["id"], "input": [found]}
    answer = await house.call(PATH, again)
    request = house.poe.requests[1]
    assert [tool["function"]["name"] for tool in request.tools] == ["tool_search", "crm__find", "crm__query"]
    assert [message.role for message in request.messages] == ["user", "assistant", "tool"]
    response = events_of(answer)[-1]["response"] if stream else answer.json
    assert (response["output"][0]["namespace"], response["output"][0]["name"]) == ("crm", "find")

    third = {**body, "previous_response_id": response["id"], "input": "Go on"}
    assert (await house.call(PATH, third)).status == 200
    assert len(house.poe.requests[2].tools) == 3


async def test_tools_of_an_item_count_as_tools(house: House) -> None:
    await house.add_account()
    item = {"type": "additional_tools", "role": "developer", "tools": [F, PATCH, HOSTED]}
    choice = {"type": "custom", "name": "apply_patch"}
    house.poe.enqueue(ToolCallDelta(0, '{"input":"x"}', "call_1", "apply_patch"), Finished())
    answer = await house.call(PATH, {"model": "GPT-5", "input": [item, "Hi"], "tool_choice": choice})
    assert answer.headers["x-gateway-ignored"] == "input[0].tools[2]"
    assert [tool["function"]["name"] for tool in house.poe.requests[0].tools] == ["f", "apply_patch"]
