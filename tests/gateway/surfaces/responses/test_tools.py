"""Tools of a response: namespaces are told in one name and taken apart again; what can't be offered is reported."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.http.errors import GatewayError
from gateway.prompt.tool_specs import ToolSpecs
from gateway.surfaces.responses.tools import ToolFields, full_name, read_tools, tool_specs
from reverse.events import Finished, ToolCallDelta
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
    assert [function["name"] for function in tools.functions] == ["f", "crm__find"]
    assert set(tools.dropped) == {"tools[0]", "tools[2].tools[1]", "tools[2].description"}
    assert [tool["name"] for tool in tools.shown] == ["f", "crm"]


@pytest.mark.parametrize(
    ("tools", "param"),
    [([HOSTED], "tools[0].type"), ([CRM | {"tools": [{"type": "custom", "name": "q"}]}], "tools[0].tools[0].type")],
)
def test_a_request_with_nothing_else_is_refused(tools: list[Any], param: str) -> None:
    with pytest.raises(GatewayError) as caught:
        read_tools(ToolFields({"tools": tools}))
    assert (caught.value.param, caught.value.code) == (param, "unsupported_tool")


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
    assert [tool["function"]["name"] for tool in house.poe.requests[0].tools] == ["f", "crm__find"]
    assert answer.headers["x-gateway-ignored"] == "tools[1].description, tools[1].tools[1], tools[2]"
    response = events_of(answer)[-1]["response"] if stream else answer.json
    first, second = response["output"]
    assert (first["namespace"], first["name"], first["arguments"]) == ("crm", "find", '{"a":1}')
    assert "namespace" not in second

    result = {"type": "function_call_output", "call_id": "call_1", "output": "found"}
    again = {**body, "previous_response_id": response["id"], "input": [result]}
    assert (await house.call(PATH, again)).status == 200
    (call, _) = house.poe.requests[1].messages[1].tool_calls
    assert call.name == "crm__find"
